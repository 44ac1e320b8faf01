import { useEffect, useState } from 'react';
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { headers, path } from './client';
import type { Event } from './types';

/** How current the page is: following the feed, or since when it is not. */
export type Liveness = { live: boolean; since?: Date };

// Which queries an event about an object makes stale, by the first word of its action. Query keys start with a noun.
const stale: Record<string, string[]> = {
  dataset: ['dataset', 'overview'],
  model: ['model', 'overview'],
  version: ['model'],
  endpoint: ['endpoint', 'forecast', 'drift', 'model', 'overview'],
  job: ['job', 'scoring', 'overview'],
  scoring: ['scoring', 'overview'],
  delivery: ['scoring'],
  alert: ['alert', 'drift', 'overview', 'forecast'],
  candidate: ['candidate', 'drift', 'overview'],
  loop: ['drift', 'candidate', 'overview', 'forecast'],
  drift: ['drift', 'overview', 'forecast'],
  demo: ['demo', 'health', 'overview'],
  user: ['user'],
  group: ['group', 'me'],
  token: ['token'],
  fleet: ['fleet'],
};

/** Calls give for each server-sent event of a stream until it ends. */
export async function readEvents(body: ReadableStream<Uint8Array>, give: (id: string, data: string) => void, beat: () => void) {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    beat();
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      let id = '';
      const data: string[] = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith('id:')) id = line.slice(3).trim();
        if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
      }
      if (data.length) give(id, data.join('\n'));
    }
  }
}

function invalidate(client: QueryClient, nouns: Set<string>) {
  for (const noun of nouns) void client.invalidateQueries({ queryKey: [noun] });
  nouns.clear();
}

/** Follows the event feed for as long as the page is open and keeps the queries fresh by it. */
export function useLive(on: boolean): Liveness {
  const client = useQueryClient();
  const [state, setState] = useState<Liveness>({ live: false });
  useEffect(() => {
    if (!on) return;
    const end = new AbortController();
    const waiting = new Set<string>();
    // At most one refresh a second, however fast events come.
    const flush = setInterval(() => waiting.size && invalidate(client, waiting), 1000);
    let after = '';
    const follow = async () => {
      const r = await fetch(path('/events', { after: after || undefined }), {
        headers: headers({ Accept: 'text/event-stream', ...(after ? { 'Last-Event-ID': after } : {}) }),
        signal: end.signal,
      });
      if (!r.ok || !r.body) throw new Error(String(r.status));
      if (after) void client.invalidateQueries(); // there may be a gap
      setState({ live: true });
      await readEvents(
        r.body,
        (id, data) => {
          if (id) after = id;
          try {
            const e = JSON.parse(data) as Partial<Event>;
            const noun = (e.action ?? '').split('.')[0] ?? '';
            for (const s of stale[noun] ?? []) waiting.add(s);
            if (waiting.size || noun) waiting.add('event');
          } catch {
            /* a comment or another kind of message */
          }
        },
        () => setState((s) => (s.live ? s : { live: true })),
      );
    };
    const run = async () => {
      for (let wait = 1000; !end.signal.aborted; wait = Math.min(wait * 2, 15000)) {
        const began = Date.now();
        try {
          await follow();
        } catch {
          if (end.signal.aborted) return;
        }
        if (Date.now() - began > 20000) wait = 1000;
        setState((s) => (s.live || !s.since ? { live: false, since: new Date() } : s));
        await new Promise((ok) => setTimeout(ok, wait * (0.5 + Math.random() / 2)));
      }
    };
    void run();
    return () => {
      end.abort();
      clearInterval(flush);
    };
  }, [on, client]);
  return state;
}
