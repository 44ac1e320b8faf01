import { Alert, Anchor, Stack, Table, Text } from '@mantine/core';
import { useFleetBinaries, useFleetNode } from '../../api/queries';
import { rows, type FleetNode as NodeView } from '../../api/types';
import { Twin } from '../../parts/copy';
import { ago, bytes, day, lasting, moment, num, seconds, short, some } from '../../parts/format';
import { Card, Facts, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { isProgram, named, why } from './gaps';
import { Inquiries } from './inquiries';
import { Locals } from './locals';
import { monitorOf } from './matrix';
import { Standing, tagWords } from './standing';
import { Tags } from './tags';

/** All the hub knows of one node, as it was reported last. */
export default function FleetNode({ id }: { id: string }) {
  const node = useFleetNode(id);
  const n = node.data;
  return (
    <Page title={n?.name || id} crumbs={[[t('fleet.title'), '/fleet']]}
      marks={n && <Standing of={n} />}
      intro={n && t('fleetNode.intro', { site: n.site, when: ago(n.seen) })}>
      <Loaded query={node}>{(x) => <All n={x} />}</Loaded>
    </Page>
  );
}

function All({ n }: { n: NodeView }) {
  const m = n.facts.host ?? {};
  const programs = rows(useFleetBinaries().data?.items);
  const program = (digest?: string) => programs.find((p) => p.digest === digest)?.version ?? short(digest);
  const skewed = Math.abs(n.clock_skew_s) > 5;
  const left = some(n.certificate_until) ? Math.round((some(n.certificate_until)!.getTime() - Date.now()) / 86400_000) : undefined;
  return (
    <Stack gap="md">
      {n.held && <Alert color="orange" title={t('fleetNode.held')}>{t('fleetNode.heldWhat')}</Alert>}
      {n.why && <Alert color="orange" title={word('standing', n.standing)}>{n.why}</Alert>}
      {m.health && m.health !== 'ready' && <Alert color="orange" title={t('fleetNode.health')}>{rows(m.reasons).join(' ') || m.health}</Alert>}
      {n.witness?.code && <Alert color="red" title={t('witness.oddHere')}>{t('witness.oddHereWhat', { n: num(n.witness.size) })}</Alert>}
      {skewed && <Alert color="orange" title={t('fleetNode.clock')}>{t('fleetNode.clockWhat', { s: seconds(Math.abs(n.clock_skew_s)) })}</Alert>}
      <div className="grid">
        <Card title={t('fleetNode.machine')}>
          <Facts of={[
            [t('fleetNode.cpu'), n.facts.cpu ? `${n.facts.cpu}, ${t('fleetNode.cores', { n: n.facts.cores ?? 0 })}` : `${n.facts.cores ?? '–'} × ${n.facts.arch}`],
            [t('fleetNode.features'), rows(m.features).join(', ')],
            [t('fleetNode.memory'), t('fleetNode.freeOf', { free: bytes(m.memory_free), all: bytes(n.facts.memory) })],
            [t('fleetNode.disk'), m.disk ? `${t('fleetNode.freeOf', { free: bytes(n.facts.disk_free), all: bytes(m.disk) })} ${m.file_system ? `(${m.file_system})` : ''}` : bytes(n.facts.disk_free)],
            [t('fleetNode.load'), m.load != null ? num(m.load, 2) : ''],
            [t('fleetNode.system'), [m.system || n.facts.os, m.kernel, n.facts.arch].filter(Boolean).join(', ')],
            [t('fleetNode.uptime'), m.uptime ? lasting(m.uptime) : ''],
            [t('fleetNode.devices'), rows(m.devices).map((d) => `${d.name} (${d.wish}${d.driver ? `, ${d.driver}` : ''})${d.ready ? '' : `: ${d.lacks}`}`).join('; ') || t('fleetNode.noDevices')],
          ]} />
        </Card>
        <Card title={t('fleetNode.software')}>
          <Facts of={[
            ['edgeward', n.facts.version],
            [t('fleetNode.started'), some(m.started) ? moment(m.started) : ''],
            [t('fleetNode.resident'), m.resident ? bytes(m.resident) : ''],
            [t('fleetNode.engines'), Object.entries(n.facts.engines ?? {}).map(([k, v]) => `${k} ${v}`).join(', ')],
            [t('fleetNode.packs'), rows(m.packs).join(', ')],
            [t('fleetNode.queue'), t('fleetNode.queueOf', { running: m.running ?? 0, waiting: m.waiting ?? 0 })],
            [t('fleetNode.page'), n.facts.url ? <Anchor href={n.facts.url} target="_blank" rel="noreferrer">{n.facts.url}</Anchor> : ''],
          ]} />
        </Card>
        <Card title={t('fleetNode.fleet')}>
          <Facts of={[
            ['ID', <span className="mono" key="id">{n.id}</span>],
            [t('fleet.site'), n.site],
            [t('fleetNode.tags'), <Tags n={n} key="tags" />],
            [t('tags.asks'), tagWords(n.asks_tags)],
            [t('fleetNode.pair'), n.pair ?? ''],
            [t('witness.field'), n.witness ? t('witness.upTo', { n: num(n.witness.size) }) : ''],
            [t('fleetNode.seen'), some(n.seen) ? moment(n.seen) : '–'],
            [t('fleetNode.skew'), t('fleetNode.skewOf', { s: seconds(Math.round(n.clock_skew_s * 10) / 10 || 0) })],
            [t('fleetNode.certificate'), left === undefined ? '–' : `${day(n.certificate_until)} (${t('fleetNode.daysLeft', { n: left })})`],
            [t('fleetNode.document'), t('fleetNode.rev', { has: n.rev_reported, rev: n.rev })],
            [t('fleet.saved'), t('fleet.bytes', { got: bytes(n.traffic.received ?? 0), saved: bytes(n.traffic.saved ?? 0) })],
          ]} />
        </Card>
      </div>
      <Card title={t('fleet.runs')}>
        {rows(n.endpoints).length === 0 ? <Text className="quiet">{t('fleetNode.noEndpoints')}</Text> : (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.runs')}>
            <Table miw={620}>
              <Table.Thead><Table.Tr><Table.Th>{t('endpoints.one')}</Table.Th><Table.Th>{t('fleet.live')}</Table.Th><Table.Th>{t('fleet.phase')}</Table.Th><Table.Th>{t('fleet.since')}</Table.Th><Table.Th>{t('fleetNode.where')}</Table.Th><Table.Th className="num">{t('fleetNode.answered')}</Table.Th><Table.Th>{t('col.why')}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {rows(n.endpoints).map((s) => {
                  const here = rows(m.loaded).filter((l) => l.group === s.group && l.endpoint === s.name);
                  const live = here.find((l) => l.role === 'live') ?? here[0];
                  return (
                    <Table.Tr key={`${s.group}/${s.name}`}>
                      <Table.Td><b>{named(s)}</b><br /><span className="quiet">{isProgram(s) ? '' : s.group}</span></Table.Td>
                      <Table.Td>{isProgram(s) ? <span title={s.live}>{n.facts.version}{s.want !== s.live && ` → ${program(s.want)}`}</span> : live ? <To href={monitorOf(s.group, live.model)}>{`${live.model}/${live.version}`}</To> : <span className="mono">{short(s.live)}</span>}</Table.Td>
                      <Table.Td><State of={s.phase} kind="phase" /></Table.Td>
                      <Table.Td>{ago(s.since)}</Table.Td>
                      <Table.Td>{here.map((l) => <div key={`${l.version}${l.role}`}>{l.role ? `${word('role', l.role)}: ` : ''}{[l.engine, l.device, l.memory ? bytes(l.memory) : ''].filter(Boolean).join(', ')}{l.error ? ` ${l.error}` : ''}</div>)}</Table.Td>
                      <Table.Td className="num">{live ? num(live.requests ?? 0) : '–'}</Table.Td>
                      <Table.Td>{why(s)}</Table.Td>
                    </Table.Tr>
                  );
                })}
              </Table.Tbody>
            </Table>
          </div>
        )}
        {m.others ? <Text size="sm" className="quiet" mt="xs">{t('fleetNode.others', { n: m.others })}</Text> : null}
      </Card>
      <Locals n={n} />
      {rows(n.bans).length > 0 && (
        <Alert color="orange" title={t('site.banned')}>
          {rows(n.bans).map((b) => <div key={b.node + b.until}><To href={`/fleet/nodes/${b.node}`}>{b.name}</To>: {t('site.bannedWhy', { at: moment(b.until), why: b.why ?? '' })}</div>)}
        </Alert>
      )}
      <Inquiries n={n} />
      <Twin>{`edgeward fleet node show ${n.id}`}</Twin>
    </Stack>
  );
}
