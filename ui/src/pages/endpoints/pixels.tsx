import { useEffect, useRef, useState } from 'react';
import { Button, Group, Slider, Text } from '@mantine/core';
import { rows, type Field } from '../../api/types';
import { t } from '../../text';

export interface Shape { height: number; width: number; channel: boolean }

/** Whether a tensor is a small grey picture one can draw: [N,1,h,w], [N,h,w] or [1,h,w] with at most 64 by 64 points. */
export function picture(f: Field): Shape | undefined {
  const s = rows(f.shape);
  if (f.kind !== 'tensor' || !f.datatype?.startsWith('FP') || s.length < 3 || s.length > 4) return undefined;
  const [height, width] = [s[s.length - 2]!, s[s.length - 1]!];
  if (height < 4 || width < 4 || height > 64 || width > 64 || (s.length === 4 && s[1] !== 1)) return undefined;
  return { height, width, channel: s.length === 4 };
}

/** An empty picture in the nesting that predict wants: one row of the batch. */
export const blank = (p: Shape): unknown => nest(p, Array.from({ length: p.height }, () => new Array<number>(p.width).fill(0)));
const nest = (p: Shape, grid: number[][]): unknown => (p.channel ? [[grid]] : [grid]);
const grid = (p: Shape, v: unknown): number[][] => (p.channel ? (v as number[][][][])[0]![0]! : (v as number[][][])[0]!);

/** A picture drawn with the pointer, or point by point with the arrow keys and the space bar. */
export function Pixels({ label, shape: p, value, set }: { label: string; shape: Shape; value: unknown; set: (v: unknown) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [ink, setInk] = useState(16);
  const [at, setAt] = useState({ x: 0, y: 0 });
  const cell = Math.max(4, Math.floor(224 / p.width));
  const points = grid(p, value);
  const top = Math.max(ink, ...points.flat());
  useEffect(() => {
    const c = canvas.current!.getContext('2d')!;
    points.forEach((line, y) => line.forEach((v, x) => {
      const grey = Math.round(255 * (1 - v / top));
      c.fillStyle = `rgb(${grey},${grey},${grey})`;
      c.fillRect(x * cell, y * cell, cell, cell);
    }));
    if (document.activeElement === canvas.current) {
      c.strokeStyle = '#13797f';
      c.lineWidth = 2;
      c.strokeRect(at.x * cell + 1, at.y * cell + 1, cell - 2, cell - 2);
    }
  });
  const dot = (x: number, y: number, v: number) => {
    if (x < 0 || y < 0 || x >= p.width || y >= p.height) return;
    set(nest(p, points.map((line, i) => (i === y ? line.map((old, k) => (k === x ? v : old)) : line))));
  };
  const draw = (e: React.PointerEvent<HTMLCanvasElement>) => {
    if (e.buttons !== 1) return;
    const box = e.currentTarget.getBoundingClientRect();
    dot(Math.floor(((e.clientX - box.left) / box.width) * p.width), Math.floor(((e.clientY - box.top) / box.height) * p.height), ink);
  };
  const key = (e: React.KeyboardEvent) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (move) setAt({ x: Math.min(p.width - 1, Math.max(0, at.x + move[0]!)), y: Math.min(p.height - 1, Math.max(0, at.y + move[1]!)) });
    else if (e.key === ' ') dot(at.x, at.y, points[at.y]![at.x] ? 0 : ink);
    else return;
    e.preventDefault();
  };
  return (
    <div>
      <Text size="sm" fw={500}>{label}</Text>
      <Text size="xs" className="quiet" mb={6}>{t('pixels.what', { w: p.width, h: p.height })}</Text>
      <canvas ref={canvas} className="pixels" width={cell * p.width} height={cell * p.height} tabIndex={0} role="application" aria-label={t('pixels.label', { name: label, x: at.x + 1, y: at.y + 1, v: points[at.y]![at.x]! })} onPointerDown={draw} onPointerMove={draw} onKeyDown={key} />
      <Group gap="sm" mt={6}>
        <Text size="xs" className="quiet" id={`ink-${label}`}>{t('pixels.ink', { v: ink })}</Text>
        <Slider w={110} size="sm" min={1} max={16} step={1} value={ink} onChange={setInk} label={null} thumbProps={{ 'aria-label': t('pixels.ink', { v: ink }) }} />
        <Button size="compact-xs" variant="default" onClick={() => set(blank(p))}>{t('pixels.clear')}</Button>
      </Group>
    </div>
  );
}
