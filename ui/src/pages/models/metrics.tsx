import { Table, Text } from '@mantine/core';
import type { Manifest } from '../../api/types';
import { percent, sig } from '../../parts/format';
import { Card } from '../../parts/page';
import { seriesName } from '../../parts/series';
import { t, word } from '../../text';

const order = ['mae', 'auc', 'accuracy', 'rmse', 'log_loss'];
const shown = [...order, 'bias', 'coverage'];

/** The metric one names a version by. */
export function mainMetric(m: Manifest): [string, number] | undefined {
  const name = order.find((k) => m.metrics?.[k] !== undefined);
  return name ? [name, m.metrics![name]!] : undefined;
}

interface Row { who: string; values: Record<string, number> }

interface Sorted { all: Row[]; groups: Record<string, Row[]>; control: Record<string, number>; importance: [string, number][] }

/** Sorts the keys of a manifest's metrics ("mae", "control.mae", "group.G.mae", "baseline.N.mae", "baseline.N.group.G.mae", "importance.F") into tables. */
function sorted(metrics: Record<string, number>): Sorted {
  const all: Record<string, Record<string, number>> = {};
  const groups: Record<string, Record<string, Record<string, number>>> = {};
  const control: Record<string, number> = {};
  const importance: [string, number][] = [];
  const put = (to: Record<string, Record<string, number>>, who: string, k: string, v: number) => ((to[who] ??= {})[k] = v);
  for (const [key, v] of Object.entries(metrics)) {
    const m = /^(?:baseline\.([^.]+)\.)?(?:group\.(.+)\.)?([^.]+)$/.exec(key);
    if (m?.[2]) put((groups[m[2]] ??= {}), m[1] ?? '', m[3]!, v);
    else if (m) put(all, m[1] ?? '', m[3]!, v);
    else if (key.startsWith('importance.')) importance.push([key.slice(11), v]);
    else if (key.startsWith('control.')) control[key.slice(8)] = v;
  }
  const list = (x: Record<string, Record<string, number>>): Row[] => Object.entries(x).map(([who, values]) => ({ who, values })).sort((a, b) => a.who.localeCompare(b.who));
  return { all: list(all), groups: Object.fromEntries(Object.entries(groups).map(([g, x]) => [g, list(x)])), control, importance: importance.sort((a, b) => b[1] - a[1]) };
}

/** How good a version is, and against what. */
export function Metrics({ of: m, demo }: { of: Manifest; demo?: boolean }) {
  if (!m.metrics || Object.keys(m.metrics).length === 0) return null;
  const { all, groups, control, importance } = sorted(m.metrics);
  const main = all.find((r) => r.who === '');
  const beaten = all.filter((r) => r.who && main && r.values.mae !== undefined && main.values.mae !== undefined);
  const worse = beaten.filter((r) => r.values.mae! <= main!.values.mae!);
  return (
    <Card title={t('metrics.title')}>
      {beaten.length > 0 && (
        <Text mb={8} fw={600} style={{ color: worse.length ? 'var(--edge-warn)' : 'var(--edge-good)' }}>
          {worse.length ? t('metrics.worse', { names: worse.map((r) => word('baseline', r.who)).join(', ') }) : t('metrics.better')}
        </Text>
      )}
      <MetricTable of={all} />
      {Object.keys(control).length > 0 && <Text size="sm" className="quiet" mt={8}>{t('metrics.control')}: {Object.entries(control).filter(([k]) => shown.includes(k)).map(([k, v]) => `${word('metric', k)} ${sig(v)}`).join(', ')}</Text>}
      {Object.keys(groups).length > 0 && (
        <details open={Object.keys(groups).length <= 3} style={{ marginTop: 10 }}>
          <summary>{t('metrics.byGroup')}</summary>
          {Object.entries(groups).map(([g, r]) => (
            <div key={g} style={{ marginTop: 10 }}>
              <Text fw={600} size="sm">{seriesName(g, demo)}</Text>
              <MetricTable of={r} label={seriesName(g, demo)} />
            </div>
          ))}
        </details>
      )}
      {importance.length > 0 && (
        <details style={{ marginTop: 10 }}>
          <summary>{t('metrics.importance')}</summary>
          <table className="plain">
            <tbody>
              {importance.map(([f, gain]) => (
                <tr key={f}>
                  <th scope="row">{f}</th>
                  <td style={{ width: '55%' }} aria-hidden><div style={{ height: 10, borderRadius: 3, background: 'var(--edge-bar)', width: `${Math.max(1, (100 * gain) / importance[0]![1])}%` }} /></td>
                  <td className="num">{percent(gain, 1)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </Card>
  );
}

function MetricTable({ of, label }: { of: Row[]; label?: string }) {
  const names = [...new Set(of.flatMap((r) => Object.keys(r.values)))].filter((n) => shown.includes(n)).sort((a, b) => (order.indexOf(a) + 99) % 99 - ((order.indexOf(b) + 99) % 99));
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={`${t('metrics.title')} ${label ?? ''}`}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('metrics.who')}</Table.Th>
            {names.map((n) => <Table.Th key={n} className="num">{word('metric', n)}</Table.Th>)}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {of.map((r) => (
            <Table.Tr key={r.who} fw={r.who ? undefined : 650}>
              <Table.Td>{r.who ? word('baseline', r.who) : t('metrics.this')}</Table.Td>
              {names.map((n) => <Table.Td key={n} className="num">{r.values[n] === undefined ? '' : sig(r.values[n])}</Table.Td>)}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
