import { useEffect, useRef } from 'react';
import { useComputedColorScheme } from '@mantine/core';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import './plot.css';
import type { ChartProps } from './chart';
import { dayMonth, hour } from './format';

/** The drawing of a Chart: loaded only where one is shown. */
export default function Plot(p: ChartProps) {
  const at = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme();
  const under = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const shape = JSON.stringify([p.lines.map((l) => [l.label, l.colour, l.points, l.dash]), !!p.band, p.marks, p.height, p.zero, p.log, scheme]);
  const data = table(p);
  const kept = useRef(data);
  kept.current = data;

  useEffect(() => {
    const el = at.current!;
    const u = new uPlot(options(p, el, (text) => { if (under.current) under.current.textContent = text; }), kept.current, el);
    plot.current = u;
    const watch = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height: p.height ?? 260 }));
    watch.observe(el);
    return () => {
      watch.disconnect();
      u.destroy();
      plot.current = null;
    };
    // The drawing is made anew when its shape changes; new numbers are only set.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);

  const numbers = JSON.stringify(data);
  useEffect(() => {
    plot.current?.setData(kept.current);
  }, [numbers]);
  return (
    <>
      <div ref={at} />
      <div className="under" ref={under} aria-hidden />
    </>
  );
}

function table(p: ChartProps): uPlot.AlignedData {
  const fill = (v: (number | null | undefined)[]) => p.times.map((_, i) => v[i] ?? null);
  return [p.times.map((x) => Date.parse(x) / 1000), ...(p.band ? [fill(p.band.low), fill(p.band.high)] : []), ...p.lines.map((l) => fill(l.values))] as uPlot.AlignedData;
}

// Of a logarithmic axis only the powers of ten.
const decades: uPlot.Axis.Filter = (_u, ticks) => ticks.map((v) => (Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6) ? v : null));

// Days as the reader's language writes them, hours where the ticks are closer than a day, the year where it changes.
const dates: uPlot.Axis.DynamicValues = (_u, ticks, _i, _space, step) =>
  ticks.map((s, i) => {
    const d = new Date(s * 1000);
    if (step < 86400) return d.getUTCHours() === 0 ? dayMonth(d) : hour(d);
    const year = i === 0 || new Date(ticks[i - 1]! * 1000).getUTCFullYear() !== d.getUTCFullYear();
    return dayMonth(d) + (year ? `\n${d.getUTCFullYear()}` : '');
  });

function options(p: ChartProps, el: HTMLElement, tell: (text: string) => void): uPlot.Options {
  const css = getComputedStyle(el);
  const v = (name: string) => css.getPropertyValue(name).trim();
  const ink = v('--mantine-color-dimmed');
  const line = v('--edge-line');
  const axis: uPlot.Axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '12px system-ui, "DejaVu Sans", sans-serif' };
  const band: uPlot.Series[] = p.band ? ['low', 'high'].map((label) => ({ label, stroke: 'transparent', points: { show: false }})) : [];
  return {
    width: el.clientWidth || 320,
    height: p.height ?? 260,
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), 'UTC'),
    legend: { show: false },
    cursor: { drag: { x: true, y: false } },
    scales: { y: p.log ? { distr: 3 } : { range: p.zero ? (_u, _lo, hi) => [0, (hi || 1) * 1.08] : undefined } },
    axes: [{ ...axis, size: 40, values: dates }, { ...axis, size: 48, ...(p.log ? { filter: decades, grid: { ...axis.grid, filter: decades } } : {}), values: (_u, ticks) => ticks.map((x) => (x == null ? '' : p.log && x >= 1e4 ? `10${[...String(Math.round(Math.log10(x)))].map((d) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(d)]).join('')}` : p.show(x))) }],
    bands: p.band ? [{ series: [2, 1], fill: v('--edge-band') }] : [],
    series: [
      {},
      ...band,
      ...p.lines.map((l) => ({
        label: l.label,
        stroke: v(l.colour),
        width: l.points ? 0 : 2,
        dash: l.dash ? [6, 5] : undefined,
        points: l.points ? { show: true, size: 6, fill: v(l.colour), stroke: v(l.colour) } : { show: false },
      })),
    ],
    hooks: {
      setCursor: [
        (u) => {
          const i = u.cursor.idx;
          if (i == null || u.data[0][i] == null) return tell('');
          const at = (s: number) => u.data[s]?.[i];
          const first = p.band ? 3 : 1;
          const said = p.lines.map((l, n) => `${l.label} ${p.show(at(first + n))}`);
          if (p.band && at(1) != null) said.push(`${p.band.label} ${p.show(at(1))} – ${p.show(at(2))}`);
          tell([p.when(new Date(u.data[0][i]! * 1000).toISOString()), ...said].join('  ·  '));
        },
      ],
      draw: [
        (u) => {
          for (const m of p.marks ?? []) {
            const x = u.valToPos(Date.parse(m.at) / 1000, 'x', true);
            if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
            u.ctx.save();
            u.ctx.strokeStyle = u.ctx.fillStyle = v(m.good ? '--edge-good' : '--edge-bad');
            u.ctx.setLineDash([4, 4]);
            u.ctx.lineWidth = devicePixelRatio;
            u.ctx.beginPath();
            u.ctx.moveTo(x, u.bbox.top);
            u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
            u.ctx.stroke();
            u.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
            const right = x > u.bbox.left + u.bbox.width * 0.7;
            u.ctx.textAlign = right ? 'right' : 'left';
            u.ctx.fillText(m.label, x + (right ? -5 : 5) * devicePixelRatio, u.bbox.top + 12 * devicePixelRatio);
            u.ctx.restore();
          }
        },
      ],
    },
  };
}
