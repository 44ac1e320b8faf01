import { rows, type ProfileColumn } from '../api/types';
import { num, percent, sig } from './format';
import { t } from '../text';

const buckets = 32;

/** Counts per equal width, from bins that hold about equal counts: each bin's cases are spread over its width. */
export function even(c: ProfileColumn): number[] {
  const edges = rows(c.edges);
  const low = c.counts.moments.n ? c.counts.moments.min : (c.low ?? 0);
  const high = c.counts.moments.n ? c.counts.moments.max : (c.high ?? 1);
  const out = new Array<number>(buckets).fill(0);
  const span = high - low;
  rows(c.counts.bins).forEach((n, i) => {
    const from = i === 0 ? low : edges[i - 1]!;
    const to = i < edges.length ? edges[i]! : high;
    if (span <= 0) return void (out[0]! += n);
    const a = ((from - low) / span) * buckets;
    const b = ((to - low) / span) * buckets;
    if (b - a < 1e-9) return void (out[Math.min(buckets - 1, Math.max(0, Math.ceil(b) - 1))]! += n);
    for (let k = Math.floor(a); k < Math.min(buckets, Math.ceil(b)); k++) out[Math.max(0, k)]! += (n * (Math.min(b, k + 1) - Math.max(a, k))) / (b - a);
  });
  return out;
}

/** The distribution of a column: bars for numbers, shares for categories. */
export function Histogram({ of: c }: { of: ProfileColumn }) {
  const bins = rows(c.counts.bins);
  if (c.kind === 'categorical' || c.kind === 'boolean') {
    const total = Math.max(1, c.counts.count - c.counts.missing);
    const all = [...rows(c.categories).map((name, i) => ({ name, n: bins[i] ?? 0 })), { name: t('profile.other'), n: bins[rows(c.categories).length] ?? 0 }].filter((x) => x.n > 0).sort((a, b) => b.n - a.n);
    const shown = all.slice(0, 8);
    return (
      <table className="plain">
        <tbody>
          {shown.map((x) => (
            <tr key={x.name}>
              <th scope="row" style={{ maxWidth: 130, overflow: 'hidden', textOverflow: 'ellipsis', color: 'inherit', fontWeight: 400 }} title={x.name}>{x.name || '""'}</th>
              <td style={{ width: '55%' }} aria-hidden><div style={{ height: 10, borderRadius: 3, background: 'var(--edge-bar)', width: `${Math.max(1, (100 * x.n) / shown[0]!.n)}%` }} /></td>
              <td className="num">{percent(x.n / total, 1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    );
  }
  if (bins.length === 0) return null;
  // Of few whole numbers each has a bin of its own, and a bar.
  const few = c.type === 'integer' && !c.counts.approx && !!c.counts.distinct && c.counts.distinct <= buckets;
  const bars = few ? bins.filter((n) => n > 0) : even(c);
  const top = Math.max(...bars, 1e-9);
  const m = c.counts.moments;
  const [low, high] = m.n ? [m.min, m.max] : [c.low ?? 0, c.high ?? 0];
  return (
    <figure style={{ margin: 0 }}>
      <svg viewBox={`0 0 ${bars.length * 10} 80`} width="100%" height="80" preserveAspectRatio="none" role="img" aria-label={t('profile.histogram', { name: c.name, low: sig(low), high: sig(high), mean: sig(m.mean) })}>
        {bars.map((b, i) => <rect key={i} x={i * 10 + 0.6} width={8.8} y={80 - (b / top) * 78} height={(b / top) * 78} fill="var(--edge-bar)" />)}
      </svg>
      <div style={{ display: 'flex', justifyContent: 'space-between', fontSize: '0.78rem' }} className="quiet" aria-hidden>
        <span>{num(low, 2)}</span>
        <span>{num(high, 2)}</span>
      </div>
    </figure>
  );
}
