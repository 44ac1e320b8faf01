import { lazy, Suspense, useState, type ReactNode } from 'react';
import { Button, Group, Skeleton } from '@mantine/core';
import { t } from '../text';

/** One line of a chart. values has one entry per time; null is a gap. */
export interface Line {
  label: string;
  values: (number | null | undefined)[];
  colour: string; // a CSS variable's name
  points?: boolean; // dots instead of a line
  dash?: boolean;
}

export interface ChartProps {
  label: string;
  times: string[]; // RFC 3339
  lines: Line[];
  band?: { label: string; low: (number | null | undefined)[]; high: (number | null | undefined)[] };
  marks?: { at: string; label: string; good?: boolean }[]; // upright lines
  height?: number;
  zero?: boolean; // the axis begins at zero
  log?: boolean; // a logarithmic axis
  show: (x: number | null | undefined) => string;
  when: (time: string) => string;
}

const Plot = lazy(() => import('./plot'));

/** A time series, drawn by uPlot, and the same as a table for who cannot see or trust a drawing. */
export function Chart(p: ChartProps & { actions?: ReactNode }) {
  const [table, setTable] = useState(false);
  return (
    <figure style={{ margin: 0 }} aria-label={p.label}>
      <Group justify="space-between" align="flex-start" gap="xs" mb={4}>
        <div className="legend" aria-hidden>
          {p.lines.map((l) => (
            <span key={l.label}><i style={{ background: `var(${l.colour})` }} />{l.label}</span>
          ))}
          {p.band && <span><i className="block" style={{ background: 'var(--edge-band)' }} />{p.band.label}</span>}
        </div>
        <Group gap="xs">
          {p.actions}
          <Button size="compact-xs" variant="default" aria-pressed={table} onClick={() => setTable(!table)}>{table ? t('chart.asChart') : t('chart.asTable')}</Button>
        </Group>
      </Group>
      {table ? (
        <ChartTable {...p} />
      ) : (
        <div className="chart" role="img" aria-label={`${p.label}. ${t('chart.seeTable')}`} style={{ minHeight: p.height ?? 260 }}>
          <Suspense fallback={<Skeleton height={p.height ?? 260} />}><Plot {...p} /></Suspense>
        </div>
      )}
    </figure>
  );
}

function ChartTable({ label, times, lines, band, show, when }: ChartProps) {
  const order = times.map((_, i) => i).reverse();
  return (
    <div className="scroll" style={{ maxHeight: 340, overflow: 'auto' }} tabIndex={0} role="group" aria-label={label}>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{t('chart.time')}</th>
            {lines.map((l) => <th scope="col" className="num" key={l.label}>{l.label}</th>)}
            {band && <th scope="col" className="num">{band.label}</th>}
          </tr>
        </thead>
        <tbody>
          {order.map((i) => (
            <tr key={i}>
              <th scope="row">{when(times[i]!)}</th>
              {lines.map((l) => <td className="num" key={l.label}>{show(l.values[i])}</td>)}
              {band && <td className="num">{band.low[i] == null ? '–' : `${show(band.low[i])} – ${show(band.high[i])}`}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
