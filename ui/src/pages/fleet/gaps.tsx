import { Table, Text } from '@mantine/core';
import { useFleetGaps } from '../../api/queries';
import { rows, type FleetGap } from '../../api/types';
import { Twin } from '../../parts/copy';
import { ago, moment, short, some } from '../../parts/format';
import { Card, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t } from '../../text';

/** Why something is not as it is wanted: a window in the reader's time, all else in the node's words. */
export const why = (s: { reason?: string; opens?: string }) => {
  const opens = some(s.opens);
  return opens ? t('fleet.opens', { at: moment(opens) }) : s.reason ?? '';
};

/** A version as people write it: model and number, or a program and its version. */
export const version = (v: FleetGap['wanted']) => (v?.label ? `${v.model} ${v.label}` : v?.version ? `${v.model}/${v.version}` : short(v?.manifest));

/** What stands for an endpoint: its name, or the program of a platform. */
export const named = (k: { group: string; name: string }) => (isProgram(k) ? `edgeward ${k.name}` : k.name);

export const isProgram = (k: { group: string }) => k.group === '~';

/** What is wanted of nodes and not so: per node and endpoint, since when and why. */
export function Gaps() {
  const query = useFleetGaps();
  return (
    <Card title={t('fleet.gaps')}>
      <Loaded query={query}>
        {(l) => rows(l.items).length === 0 ? <Text className="quiet">{t('fleet.noGaps')}</Text> : (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.gaps')}>
            <Table miw={620}>
              <Table.Thead><Table.Tr><Table.Th>{t('fleet.node')}</Table.Th><Table.Th>{t('endpoints.one')}</Table.Th><Table.Th>{t('fleet.wanted')}</Table.Th><Table.Th>{t('fleet.observed')}</Table.Th><Table.Th>{t('fleet.phase')}</Table.Th><Table.Th>{t('fleet.since')}</Table.Th><Table.Th>{t('col.why')}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {rows(l.items).map((g) => (
                  <Table.Tr key={`${g.node} ${g.endpoint.group}/${g.endpoint.name}`}>
                    <Table.Td><To href={`/fleet/nodes/${g.node}`}><b>{g.name || g.node}</b></To><br /><span className="quiet">{g.site}{g.online ? '' : ` · ${t('fleet.offline')}`}</span></Table.Td>
                    <Table.Td>{named(g.endpoint)}<br /><span className="quiet">{isProgram(g.endpoint) ? '' : g.endpoint.group}</span></Table.Td>
                    <Table.Td>{version(g.wanted)}</Table.Td>
                    <Table.Td>{version(g.observed)}</Table.Td>
                    <Table.Td>{g.phase && <State of={g.phase} kind="phase" />}</Table.Td>
                    <Table.Td>{ago(g.since)}</Table.Td>
                    <Table.Td>{why({ reason: g.why, opens: g.opens })}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      <Twin>edgeward fleet status</Twin>
    </Card>
  );
}
