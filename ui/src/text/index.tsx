import { Fragment, useSyncExternalStore, type ReactNode } from 'react';
import en from './en.json';

/** Every key of the message file; a language that lacks one does not compile. */
export type Key = keyof typeof en;
type Message = string | { one: string; other: string };
export type Messages = Record<Key, Message>;

export const languages = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof languages;

const stored = 'edgeward-language';
let language: Language = 'en';
let messages: Messages = en;
/** What happened and what to do, by the server's code; "*.code" stands for every noun. */
export type Refusals = Record<string, [what: string, hint: string]>;
let refusals: Refusals = {};
const watchers = new Set<() => void>();

export function currentLanguage(): Language {
  return language;
}

/** Loads a language and shows the page in it. */
export async function speak(to: Language) {
  const other = to === 'de' ? await import('./de') : undefined;
  messages = other?.default ?? en;
  refusals = other?.refusals ?? {}; // none for English: the server speaks it
  language = to;
  document.documentElement.lang = to;
  localStorage.setItem(stored, to);
  for (const w of watchers) w();
}

/** The language chosen before, or the browser's first that we have. */
export function wantedLanguage(): Language {
  const wish = [localStorage.getItem(stored) ?? '', ...navigator.languages].map((l) => l.slice(0, 2));
  return (wish.find((l) => l in languages) as Language | undefined) ?? 'en';
}

/** Rerenders when the language changes. */
export function useLanguage(): Language {
  return useSyncExternalStore(
    (w) => (watchers.add(w), () => watchers.delete(w)),
    () => language,
  );
}

type Values = Record<string, string | number>;

function pick(key: Key, n?: string | number): string {
  const m: Message = messages[key];
  if (typeof m === 'string') return m;
  return new Intl.PluralRules(language).select(Number(n)) === 'one' ? m.one : m.other;
}

/** The text of key; {n} chooses between one and other, {name} is filled from values. */
export function t(key: Key, values: Values = {}): string {
  return pick(key, values.n).replace(/\{(\w+)\}/g, (all, name: string) => (name in values ? formatted(values[name]!) : all));
}

const formatted = (v: string | number) => (typeof v === 'number' ? new Intl.NumberFormat(language).format(v) : v);

/** has reports whether s is a key, for codes that the server sends: t(code) where we have words, else the code. */
export const has = (s: string): s is Key => s in messages;

/** The words for a code of the server, by prefix: word('phase', 'retraining'). */
export const word = (prefix: string, code: string | undefined): string => {
  const key = `${prefix}.${code ?? ''}`;
  return has(key) ? t(key) : (code ?? '');
};

/** What a refusal's code says in the reader's language; undefined where the server's own words are all there is. */
export function refusal(code = ''): { what: string; hint: string } | undefined {
  const words = refusals[code] ?? refusals[`*${code.slice(code.indexOf('.'))}`];
  return words && { what: words[0], hint: words[1] };
}

/** t with elements as values. */
export function T({ k, ...values }: { k: Key } & Record<string, ReactNode>) {
  return pick(k, typeof values.n === 'number' ? values.n : undefined)
    .split(/(\{\w+\})/)
    .map((part, i) => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      const v = name && name in values ? values[name] : part;
      return <Fragment key={i}>{typeof v === 'number' ? formatted(v) : v}</Fragment>;
    });
}
