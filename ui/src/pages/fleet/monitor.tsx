import { useState } from 'react';
import { Badge, Group, Select, Stack, Table, Text, Title } from '@mantine/core';
import { useFleetMonitor } from '../../api/queries';
import { rows, type FleetMonitorRow, type FleetMoved, type FleetNodeWork } from '../../api/types';
import { Twin } from '../../parts/copy';
import { Empty } from '../../parts/empty';
import { day, millis, num, percent, sig } from '../../parts/format';
import { Card, Page, Stats, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

/** Drift and performance of a model, added up over all nodes of the fleet, with a small picture of each. */
export default function FleetMonitor({ group, model }: { group: string; model: string }) {
  const [days, setDays] = useState('7');
  const query = useFleetMonitor(group, model, Number(days));
  return (
    <Page title={t('fleetMonitor.title', { model })} crumbs={[[t('fleet.title'), '/fleet']]} intro={t('fleetMonitor.intro')}
      actions={<Select aria-label={t('fleetMonitor.days')} w={160} data={['1', '7', '14', '35'].map((d) => ({ value: d, label: t('fleetMonitor.lastDays', { n: Number(d) }) }))} value={days} onChange={(v) => setDays(v ?? '7')} allowDeselect={false} />}>
      <Stack gap="md">
        <Loaded query={query}>
          {(m) => rows(m.items).length === 0
            ? <Empty title={t('fleetMonitor.none')} cli={`edgeward fleet monitor ${model}`}>{t('fleetMonitor.noneWhat')}</Empty>
            : rows(m.items).map((v) => <Version key={v.endpoint + v.manifest} v={v} names={m.nodes} />)}
        </Loaded>
        <Twin>{`edgeward fleet monitor ${model} --days ${days}`}</Twin>
      </Stack>
    </Page>
  );
}

/** How right the answers were, in the words of the task. */
const quality = (w: { accuracy?: number; mae?: number; truths: number }) =>
  w.accuracy != null ? t('fleetMonitor.right', { share: percent(w.accuracy, 1), n: num(w.truths) }) : w.mae != null ? t('fleetMonitor.mae', { mae: sig(w.mae), n: num(w.truths) }) : t('fleetMonitor.noTruth', { n: num(w.truths) });

function Version({ v, names }: { v: FleetMonitorRow; names: Record<string, string> }) {
  const moved = rows(v.all.drift);
  return (
    <Card title={`${v.endpoint}: ${v.model}/${v.version}`}>
      <Stats of={[
        [t('fleetMonitor.requests'), num(v.all.requests)],
        [t('fleetMonitor.errors'), v.all.requests ? percent(v.all.errors / v.all.requests, 2) : '–'],
        ['p50', v.all.p50_us ? millis(v.all.p50_us / 1000) : '–'],
        ['p99', v.all.p99_us ? millis(v.all.p99_us / 1000) : '–'],
        [t('fleet.nodes'), num(rows(v.nodes).length)],
      ]} />
      <Text mt="sm">{quality(v.all)} {word('driftReference', v.reference)}</Text>
      {rows(v.all.answers).length > 0 && <Answers cells={rows(v.all.answers)} base={rows(v.base)} names={rows(v.classes)} />}
      {moved.length > 0 && <Movements list={moved} />}
      <Title order={3} mt="md" mb="xs">{t('fleetMonitor.each')}</Title>
      <div className="grid">{rows(v.nodes).map((n) => <Node key={n.node} n={n} name={names[n.node] ?? n.node} classes={rows(v.classes)} of={rows(v.nodes).length} />)}</div>
    </Card>
  );
}

/** Where answers fell, beside the reference. */
function Answers({ cells, base, names, small }: { cells: number[]; base?: number[]; names: string[]; small?: boolean }) {
  const total = Math.max(1, cells.reduce((a, b) => a + b, 0));
  const of = Math.max(1, (base ?? []).reduce((a, b) => a + b, 0));
  const share = cells.map((n) => n / total);
  const was = (base ?? []).map((n) => n / of);
  const top = Math.max(...share, ...was, 1e-9);
  const height = small ? 44 : 90;
  return (
    <figure style={{ margin: '10px 0 0' }}>
      <svg viewBox={`0 0 ${cells.length * 10} 100`} width="100%" height={height} preserveAspectRatio="none" role="img"
        aria-label={t('fleetMonitor.answers', { what: cells.map((n, i) => `${names[i] ?? i + 1}: ${percent(n / total, 1)}`).slice(0, 12).join(', ') })}>
        {share.map((s, i) => (
          <g key={i}>
            <rect x={i * 10 + 1} width={8} y={100 - (s / top) * 98} height={(s / top) * 98} fill="var(--edge-bar)" />
            {was[i] ? <rect x={i * 10 + 0.5} width={9} y={Math.max(0, 99 - (was[i]! / top) * 98)} height={2} fill="var(--mantine-color-text)" /> : null}
          </g>
        ))}
      </svg>
      {!small && base && base.length > 0 && <figcaption className="quiet" style={{ fontSize: '0.82rem' }}>{t('fleetMonitor.base')}</figcaption>}
    </figure>
  );
}

function Movements({ list }: { list: FleetMoved[] }) {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={t('fleetMonitor.moved')}>
      <Table miw={420} mt="sm">
        <Table.Thead><Table.Tr><Table.Th>{t('col.name')}</Table.Th><Table.Th className="num">PSI</Table.Th><Table.Th className="num">KS</Table.Th><Table.Th className="num">JS</Table.Th><Table.Th>{t('fleetMonitor.moved')}</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {list.slice(0, 12).map((m) => (
            <Table.Tr key={m.name}>
              <Table.Td>{m.name === 'answer' ? t('fleetMonitor.answer') : m.name}</Table.Td>
              <Table.Td className="num">{sig(m.psi)}</Table.Td>
              <Table.Td className="num">{m.ks ? sig(m.ks) : '–'}</Table.Td>
              <Table.Td className="num">{sig(m.js_distance)}</Table.Td>
              <Table.Td><Badge color={m.moved ? 'red' : 'green'}>{m.moved ? t('engines.yes') : t('engines.no')}</Badge></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** One node in small: its days, its answers, and whether they are like the others'. */
function Node({ n, name, classes, of }: { n: FleetNodeWork; name: string; classes: string[]; of: number }) {
  const days = rows(n.days);
  const top = Math.max(1, ...days.map((d) => d.requests));
  return (
    <div role="group" aria-label={name} style={{ minWidth: 0 }}>
      <Group gap="xs" justify="space-between"><To href={`/fleet/nodes/${n.node}`}><b>{name}</b></To>{n.unlike && of > 2 && n.unlike.moved && <Badge color="orange">{t('fleetMonitor.unlike', { js: sig(n.unlike.js_distance) })}</Badge>}</Group>
      <Text size="sm" className="quiet">{t('fleetMonitor.line', { n: num(n.requests), errors: num(n.errors), p99: n.p99_us ? millis(n.p99_us / 1000) : '–' })} {quality(n)}</Text>
      {rows(n.answers).length > 0 && <Answers cells={rows(n.answers)} names={classes} small />}
      <svg viewBox={`0 0 ${Math.max(7, days.length) * 10} 40`} width="100%" height="36" preserveAspectRatio="none" role="img" aria-label={t('fleetMonitor.perDay', { what: days.map((d) => `${day(d.day)}: ${num(d.requests)}`).join(', ') })}>
        {days.map((d, i) => <rect key={d.day} x={i * 10 + 1} width={8} y={40 - (d.requests / top) * 38} height={(d.requests / top) * 38} fill="var(--mantine-color-dimmed)" />)}
      </svg>
    </div>
  );
}
