import { useState } from 'react';
import { Badge, Group, Table, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct } from '../../api/queries';
import { rows, type FleetNode } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Twin } from '../../parts/copy';
import { ago, some } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { t, word } from '../../text';

type Promoted = NonNullable<FleetNode['promotions']>[number];

const stateOf = (p: Promoted) => {
  if (p.refused) return 'refused';
  if (some(p.ended)) return 'ended';
  if (p.verdict === 'return') return 'returning';
  if (p.verdict === 'adopt') return p.number ? 'here' : 'bringing';
  return 'stands';
};

const version = (p: Promoted) => `${p.promotion.target.split('/')[3]}/${p.promotion.version}`;

/** What the node put behind endpoints of the fleet by itself, and what a person says to it. */
export function Locals({ n }: { n: FleetNode }) {
  const [choice, setChoice] = useState<{ seq: number; what: 'adopt' | 'return'; endpoint: string }>();
  const act = useAct((reason: string) => post(`/fleet/nodes/${n.id}/promotions/${choice?.seq}/${choice?.what}`, { reason }), 'fleet');
  const list = rows(n.promotions);
  if (list.length === 0) return null;
  return (
    <Card title={t('fleetNode.locals')}>
      <Text size="sm" className="quiet" mb="sm">{t('fleetNode.localsWhat')}</Text>
      <div className="scroll" tabIndex={0} role="group" aria-label={t('fleetNode.locals')}>
        <Table miw={620}>
          <Table.Thead><Table.Tr><Table.Th>{t('endpoints.one')}</Table.Th><Table.Th>{t('col.version')}</Table.Th><Table.Th>{t('col.by')}</Table.Th><Table.Th>{t('fleet.since')}</Table.Th><Table.Th>{t('col.state')}</Table.Th><Table.Th>{t('col.why')}</Table.Th><Table.Th>{t('access.actions')}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {[...list].reverse().map((p) => {
              const state = stateOf(p);
              return (
                <Table.Tr key={p.promotion.seq}>
                  <Table.Td><b>{p.promotion.endpoint}</b></Table.Td>
                  <Table.Td>{version(p)}{p.promotion.taken && <Text size="xs" className="quiet">{t('local.taken', { from: p.promotion.taken.name || p.promotion.taken.node })}</Text>}</Table.Td>
                  <Table.Td>{p.promotion.by}</Table.Td>
                  <Table.Td>{ago(p.promotion.at)}</Table.Td>
                  <Table.Td>{state === 'here' ? t('local.here', { n: p.number ?? 0 }) : <Badge color={state === 'stands' ? 'violet' : state === 'refused' ? 'orange' : 'gray'}>{word('local', state)}</Badge>}</Table.Td>
                  <Table.Td>{p.why || p.promotion.reason}</Table.Td>
                  <Table.Td>
                    {(state === 'stands' || state === 'here' || state === 'bringing') && (
                      <Group gap="xs">
                        {state === 'stands' && <MayButton verb="promote" on="fleet" size="xs" variant="default" onClick={() => setChoice({ seq: p.promotion.seq, what: 'adopt', endpoint: p.promotion.endpoint })}>{t('fleetNode.adopt')}</MayButton>}
                        <MayButton verb="promote" on="fleet" size="xs" variant="default" onClick={() => setChoice({ seq: p.promotion.seq, what: 'return', endpoint: p.promotion.endpoint })}>{t('fleetNode.return')}</MayButton>
                      </Group>
                    )}
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </div>
      <Twin>edgeward fleet local list</Twin>
      <Ask title={choice?.what === 'adopt' ? t('fleetNode.adopt') : t('fleetNode.return')} open={!!choice} close={() => setChoice(undefined)}
        cli={(reason) => `edgeward fleet local ${choice?.what} ${n.id} ${choice?.endpoint} --reason ${JSON.stringify(reason)}`} act={(reason) => act.mutateAsync(reason)} />
    </Card>
  );
}
