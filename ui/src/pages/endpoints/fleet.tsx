import { useState } from 'react';
import { Code, Group, Select, Table, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useMembership, useModel } from '../../api/queries';
import { rows, type EndpointView, type Membership } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Twin } from '../../parts/copy';
import { ago, moment, short, some } from '../../parts/format';
import { MayButton, useWho } from '../../parts/may';
import { Card, State } from '../../parts/page';
import { refusal, t } from '../../text';

type Item = NonNullable<Membership['endpoints']>[number];
type Offer = NonNullable<Membership['offers']>[number];

/** What the fleet says of an endpoint on one of its nodes, and what this server may do by itself meanwhile. */
export function FleetOf({ of: e }: { of: EndpointView }) {
  const { group } = useWho();
  const member = useMembership();
  const item = rows(member.data?.endpoints).find((s) => s.name === e.endpoint.name && s.group === group);
  return member.data?.fleet && item ? <Managed e={e} m={member.data} s={item} /> : null;
}

function Managed({ e, m, s }: { e: EndpointView; m: Membership; s: Item }) {
  const [what, setWhat] = useState<'promote' | 'return'>();
  const [version, setVersion] = useState<string | null>(null);
  const name = e.endpoint.name;
  const model = useModel(e.endpoint.model);
  const own = s.local ? rows(m.promotions).find((p) => p.promotion.seq === s.local)?.promotion : undefined;
  const from = some(m.may_from);
  const may = m.autonomy?.mode === 'local-promote';
  const early = from && from.getTime() > Date.now() ? t('own.from', { when: moment(from) }) : undefined;
  const live = rows(e.spec.targets).find((x) => x.role === 'live')?.version;
  const offers = rows(m.offers).flatMap((o) => (o.promotion?.endpoint === name && o.promotion.target.split('/')[2] === s.group ? [{ ...o, promotion: o.promotion }] : []));
  const [take, setTake] = useState<Offer>();
  const promote = useAct((reason: string) => post('/fleet/membership/promotions', { endpoint: name, version: Number(version), reason }), 'fleet', 'endpoint');
  const taking = useAct((reason: string) => post('/fleet/membership/promotions/take', { endpoint: name, from: take?.node, reason }), 'fleet', 'endpoint');
  const back = useAct((reason: string) => post('/fleet/membership/promotions/return', { endpoint: name, reason }), 'fleet', 'endpoint');
  return (
    <Card title={t('own.title', { fleet: m.name ?? '' })}
      actions={
        <Group gap="xs">
          {may && <MayButton verb="promote" on="endpoint" size="xs" variant="default" why={early} onClick={() => setWhat('promote')}>{t('own.promote')}</MayButton>}
          {own && <MayButton verb="promote" on="endpoint" size="xs" variant="default" onClick={() => setWhat('return')}>{t('fleetNode.return')}</MayButton>}
        </Group>
      }>
      <Text>
        <State of={s.phase} kind="phase" /> {own?.taken ? t('own.taken', { version: own.version, by: own.by, from: own.taken.name || own.taken.node }) : own ? t('own.stands', { version: own.version, by: own.by }) : s.want === s.live ? t('own.same') : t('own.moving', { want: short(s.want) })}
      </Text>
      {own?.reason && <Text size="sm" className="quiet">{own.reason}</Text>}
      {s.reason && <Text size="sm" className="quiet">{s.reason}</Text>}
      <Text size="sm" className="quiet">{may ? early ?? t('own.may') : t('own.mayNot')}</Text>
      <Twin>{own ? `edgeward fleet local return ${name} --reason …` : may ? `edgeward fleet local promote ${e.endpoint.model}/VERSION --endpoint ${name} --reason …` : 'edgeward fleet membership'}</Twin>
      {offers.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={t('own.offers')}>
          <Text size="sm" mt="sm">{t('own.offers')}</Text>
          <Table miw={560}>
            <Table.Thead><Table.Tr><Table.Th>{t('own.server')}</Table.Th><Table.Th>{t('col.version')}</Table.Th><Table.Th>{t('own.manifest')}</Table.Th><Table.Th>{t('col.by')}</Table.Th><Table.Th>{t('fleet.since')}</Table.Th><Table.Th>{t('col.why')}</Table.Th><Table.Th>{t('access.actions')}</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {offers.map((o) => (
                <Table.Tr key={`${o.node} ${o.promotion.seq}`}>
                  <Table.Td><b>{o.name || o.node}</b></Table.Td>
                  <Table.Td>{t('version.short', { v: o.promotion.version })}</Table.Td>
                  <Table.Td><Code>{short(`sha256:${o.promotion.target.split('/')[4]}`)}</Code></Table.Td>
                  <Table.Td>{o.promotion.by}</Table.Td>
                  <Table.Td>{ago(o.promotion.at)}</Table.Td>
                  <Table.Td>{o.promotion.reason}</Table.Td>
                  <Table.Td><MayButton verb="promote" on="endpoint" size="xs" variant="default" why={o.code ? refusal(o.code)?.what ?? o.why : undefined} onClick={() => setTake(o)}>{t('own.take')}</MayButton></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      <Ask title={t('own.take')} open={!!take} close={() => setTake(undefined)}
        cli={(reason) => `edgeward fleet local take ${name} --from ${take?.name || take?.node} --reason ${JSON.stringify(reason || '…')}`} act={(reason) => taking.mutateAsync(reason)}>
        <Text size="sm">{t('own.takeWhat', { from: take?.name || take?.node || '' })}</Text>
      </Ask>
      <Ask title={t('own.promote')} open={what === 'promote'} close={() => setWhat(undefined)} ready={!!version}
        cli={(reason) => `edgeward fleet local promote ${e.endpoint.model}/${version ?? 'VERSION'} --endpoint ${name} --reason ${JSON.stringify(reason || '…')}`} act={(reason) => promote.mutateAsync(reason)}>
        <Text size="sm">{t('own.promoteWhat')}</Text>
        <Select label={t('col.version')} required searchable value={version} onChange={setVersion}
          data={rows(model.data?.versions).filter((v) => v.number !== live).map((v) => ({ value: String(v.number), label: t('version.short', { v: v.number }) }))} />
      </Ask>
      <Ask title={t('fleetNode.return')} open={what === 'return'} close={() => setWhat(undefined)}
        cli={(reason) => `edgeward fleet local return ${name} --reason ${JSON.stringify(reason || '…')}`} act={(reason) => back.mutateAsync(reason)}>
        <Text size="sm">{t('own.returnWhat')}</Text>
      </Ask>
    </Card>
  );
}
