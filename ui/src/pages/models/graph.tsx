import { Text } from '@mantine/core';
import { useGet } from '../../api/queries';
import { rows, type GraphView } from '../../api/types';
import { Card, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t } from '../../text';

const wide = 172;
const high = 44;
const gapX = 56;
const gapY = 16;

/** A box of the drawing: an input, a node or an output. */
interface Box { key: string; name: string; what: string; from: string[]; column: number; row: number }

/** Boxes by column: inputs, then nodes by level, then outputs. */
function boxes(g: GraphView): Box[] {
  const levels = Math.max(0, ...rows(g.nodes).map((n) => n.level + 1));
  const filled: number[] = [];
  const at = (column: number) => (filled[column] = (filled[column] ?? 0) + 1) - 1;
  const put = (key: string, name: string, what: string, from: string[], column: number): Box => ({ key, name, what, from, column, row: at(column) });
  return [
    ...rows(g.inputs).map((s) => put(s.name, s.name, t(s.image ? 'graph.pictures' : 'graph.input'), [], 0)),
    ...rows(g.nodes).map((n) => put(`${n.name}.`, n.name, n.model || n.step || '', rows(n.takes).map((x) => source(x.from)), n.level + 1)),
    ...rows(g.outputs).map((o) => put(`> ${o.name}`, o.name, t('graph.output'), [source(o.from)], levels + 1)),
  ];
}

/** The key of the box that a reference comes from. */
const source = (ref: string) => (ref.includes('.') ? ref.slice(0, ref.indexOf('.') + 1) : ref);

const short = (s: string) => (s.length > 22 ? `${s.slice(0, 21)}…` : s);

/** The inference graph of a version: a drawing, and the same in words. */
export function Graph({ name, n }: { name: string; n: number }) {
  const q = useGet<GraphView>('graph', `/models/${name}/versions/${n}/graph`);
  return (
    <Card title={t('graph.title')}>
      <Loaded query={q}>
        {(g) => {
          const all = boxes(g);
          const by = new Map(all.map((b) => [b.key, b]));
          const x = (b: Box) => b.column * (wide + gapX) + 1;
          const y = (b: Box) => b.row * (high + gapY) + 1;
          const width = Math.max(...all.map(x)) + wide + 1;
          const height = Math.max(...all.map(y)) + high + 1;
          return (
            <>
              <div className="scroll" tabIndex={0} role="group" aria-label={t('graph.title')}>
                <svg width={width} height={height} role="img" aria-label={t('graph.drawing', { nodes: rows(g.nodes).length })} style={{ display: 'block' }}>
                  {all.flatMap((b) => [...new Set(b.from)].map((key) => {
                    const a = by.get(key);
                    if (!a) return null;
                    const [x1, y1, x2, y2] = [x(a) + wide, y(a) + high / 2, x(b), y(b) + high / 2];
                    const bend = Math.max(gapX / 2, (x2 - x1) / 3);
                    return <path key={`${key} ${b.key}`} d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} fill="none" stroke="var(--edge-bar)" strokeWidth={1.5} />;
                  }))}
                  {all.map((b) => (
                    <g key={b.key}>
                      <rect x={x(b)} y={y(b)} width={wide} height={high} rx={6} fill="var(--mantine-color-body)" stroke={b.what.includes('/') ? 'var(--edge-forecast)' : 'var(--edge-bar)'} strokeWidth={b.what.includes('/') ? 2 : 1} />
                      <text x={x(b) + 10} y={y(b) + 18} fontSize={13} fontWeight={600} fill="currentColor">{short(b.name)}</text>
                      <text x={x(b) + 10} y={y(b) + 35} fontSize={12} fill="currentColor">{short(b.what)}</text>
                    </g>
                  ))}
                </svg>
              </div>
              <details style={{ marginTop: 10 }}>
                <summary>{t('graph.words')}</summary>
                <ol>
                  {rows(g.nodes).map((node) => (
                    <li key={node.name}>
                      <b>{node.name}</b>: {node.model ? <To href={`/models/${node.model.replace('/', '/versions/')}`}>{node.model}</To> : <>{node.step} {node.with ? <span className="mono quiet">{JSON.stringify(node.with)}</span> : null}</>}
                      <div className="quiet">{rows(node.takes).map((s) => `${s.name} ← ${s.from}`).join(', ')}</div>
                    </li>
                  ))}
                </ol>
                {rows(g.inputs).filter((s) => s.image).map((s) => <Text key={s.name} size="sm">{s.name}: {t('graph.image')} <span lang="en">{s.image}</span></Text>)}
                <Text size="sm">{rows(g.outputs).map((o) => `${o.name} ← ${o.from}`).join(', ')}</Text>
              </details>
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}
