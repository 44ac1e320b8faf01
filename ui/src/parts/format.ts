import { currentLanguage } from '../text';

// Numbers and times as people read them, by the browser's own Intl. Days of data are UTC days; clock times are local.

const made = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();
function intl<F extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(key: string, make: (language: string) => F): F {
  const k = currentLanguage() + key;
  let f = made.get(k) as F | undefined;
  if (!f) made.set(k, (f = make(currentLanguage() === 'en' ? 'en-GB' : currentLanguage())));
  return f;
}

/** A number with at most digits decimals. */
export const num = (x: number | null | undefined, digits = 0) =>
  x == null || !Number.isFinite(x) ? '–' : intl(`n${digits}`, (l) => new Intl.NumberFormat(l, { maximumFractionDigits: digits })).format(x);

/** A measured number: three significant digits, and scientific where that is shorter. */
export const sig = (x: number | null | undefined) => {
  if (x == null || !Number.isFinite(x)) return '–';
  const a = Math.abs(x);
  if (a !== 0 && (a < 1e-4 || a >= 1e9)) return x.toExponential(1);
  return intl('s', (l) => new Intl.NumberFormat(l, { maximumSignificantDigits: a >= 1000 ? 6 : 3 })).format(x);
};

export const percent = (x: number | null | undefined, digits = 0) =>
  x == null ? '–' : intl(`p${digits}`, (l) => new Intl.NumberFormat(l, { style: 'percent', maximumFractionDigits: digits })).format(x);

export function bytes(n: number | null | undefined): string {
  if (n == null) return '–';
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const i = n < 1 ? 0 : Math.min(4, Math.floor(Math.log10(n) / 3));
  return intl(`b${i}`, (l) => new Intl.NumberFormat(l, { style: 'unit', unit: units[i], unitDisplay: i ? 'short' : 'long', maximumFractionDigits: i ? 1 : 0 })).format(n / 1000 ** i);
}

export const seconds = (s: number) => intl('sec', (l) => new Intl.NumberFormat(l, { style: 'unit', unit: 'second', maximumFractionDigits: 1 })).format(s);
/** A time span in the unit that suits it: seconds, minutes or hours. */
export const lasting = (s: number) => {
  const [unit, size] = s < 120 ? ['second', 1] : s < 7200 ? ['minute', 60] : ['hour', 3600];
  return intl(`last${unit}`, (l) => new Intl.NumberFormat(l, { style: 'unit', unit: unit as string, unitDisplay: 'long', maximumFractionDigits: 1 })).format(s / (size as number));
};
export const millis = (ms: number | null | undefined) =>
  ms == null ? '–' : intl('ms', (l) => new Intl.NumberFormat(l, { style: 'unit', unit: 'millisecond', maximumSignificantDigits: 3 })).format(ms);

/** The time, or undefined for absent and Go's zero time. */
export const some = (s: string | null | undefined): Date | undefined => (!s || s.startsWith('0001-') ? undefined : new Date(s));

const date = (key: string, o: Intl.DateTimeFormatOptions) => (s: string | Date | null | undefined) => {
  const d = typeof s === 'string' || !s ? some(s) : s;
  return d ? intl(key, (l) => new Intl.DateTimeFormat(l, o)).format(d) : '–';
};

/** "Thursday 12 October" */
export const longDay = date('ld', { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' });
export const weekday = date('wd', { weekday: 'long', timeZone: 'UTC' });
/** "12 Oct 2023" */
export const day = date('d', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
/** "Thu 12 Oct 2023" */
export const dayOfWeek = date('dw', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
/** "12 Oct" */
export const dayMonth = date('dm', { day: 'numeric', month: 'short', timeZone: 'UTC' });
export const hour = date('h', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' });
/** "12 Oct 2023, 14:03:22", local */
export const moment = date('m', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' });
export const clock = date('c', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** A step of data: the day, with the hour where it is not midnight. */
export const step = (s: string | undefined) => {
  const d = some(s);
  if (!d) return '–';
  return d.getUTCHours() || d.getUTCMinutes() ? `${day(d)}, ${hour(d)}` : day(d);
};

/** "3 minutes ago" */
export function ago(s: string | undefined): string {
  const d = some(s);
  if (!d) return '–';
  const diff = (d.getTime() - Date.now()) / 1000;
  const units: [Intl.RelativeTimeFormatUnit, number][] = [['day', 86400], ['hour', 3600], ['minute', 60]];
  const f = intl('ago', (l) => new Intl.RelativeTimeFormat(l, { numeric: 'auto' }));
  for (const [unit, size] of units) if (Math.abs(diff) >= size) return f.format(Math.round(diff / size), unit);
  return f.format(Math.round(diff), 'second');
}

/** The beginning of a digest, enough to recognise it. */
export const short = (digest: string | undefined) => (digest ? digest.replace(/^sha256:/, '').slice(0, 12) : '–');

/** "from a to b" as time taken, in seconds. */
export const took = (from: string | undefined, to: string | undefined) => {
  const a = some(from);
  if (!a) return '–';
  return seconds(Math.max(0, ((some(to) ?? new Date()).getTime() - a.getTime()) / 1000));
};
