import { useEffect, useState } from 'react';
import { rows, type Counters, type EndpointView } from '../../api/types';

/** What was counted at one moment, over all versions that answered clients. */
type Snap = { at: number; requests: number; errors: number; buckets: Map<number, number> };

/** What happened lately: requests and errors a second, quantiles of the latency in microseconds (undefined without answers). */
export type Live = { rate: number; errors: number; p50?: number; p95?: number; p99?: number; rates: number[] };

const minute = 60_000;
const answering = (c: Counters) => c.role !== 'shadow';

function snap(e: EndpointView, at: number): Snap {
  const s: Snap = { at, requests: 0, errors: 0, buckets: new Map() };
  for (const c of rows(e.metrics?.versions).filter(answering)) {
    s.requests += c.requests;
    s.errors += c.errors;
    let before = 0;
    for (const b of rows(c.latency)) {
      s.buckets.set(b.up_to_us, (s.buckets.get(b.up_to_us) ?? 0) + b.count - before);
      before = b.count;
    }
  }
  return s;
}

function quantile(counts: [number, number][], q: number): number | undefined {
  const total = counts.reduce((a, [, n]) => a + n, 0);
  if (total === 0) return undefined;
  let sum = 0;
  for (const [upTo, n] of counts) if ((sum += n) >= q * total) return upTo;
  return undefined;
}

/** Follows an endpoint's counters while the page is open: the last minute of what it did. at is when e was read. */
export function useLive(e: EndpointView, at: number): Live | undefined {
  const [snaps, setSnaps] = useState<Snap[]>([]);
  useEffect(() => {
    const next = snap(e, at);
    setSnaps((old) => {
      const last = old[old.length - 1];
      if (last && (next.at <= last.at || next.requests < last.requests)) return next.at <= last.at ? old : [next]; // the server began anew
      return [...old.filter((s) => next.at - s.at <= minute), next];
    });
  }, [e, at]);
  const [first, last] = [snaps[0], snaps[snaps.length - 1]];
  if (!first || !last || first === last) return undefined;
  const seconds = (last.at - first.at) / 1000;
  const counts = [...last.buckets].map(([upTo, n]) => [upTo, n - (first.buckets.get(upTo) ?? 0)] as [number, number]).sort((a, b) => a[0] - b[0]);
  return {
    rate: (last.requests - first.requests) / seconds,
    errors: (last.errors - first.errors) / seconds,
    p50: quantile(counts, 0.5),
    p95: quantile(counts, 0.95),
    p99: quantile(counts, 0.99),
    rates: snaps.slice(1).map((s, i) => (s.requests - snaps[i]!.requests) / ((s.at - snaps[i]!.at) / 1000)),
  };
}
