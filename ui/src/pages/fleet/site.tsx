import { Alert, Badge, Table, Text } from '@mantine/core';
import { useSite } from '../../api/queries';
import { rows, type FleetSite } from '../../api/types';
import { Twin } from '../../parts/copy';
import { ago, moment, some } from '../../parts/format';
import { Card, State } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t } from '../../text';

/** The other servers of this node's site, as this server sees them. */
export function Site() {
  const query = useSite();
  return <Loaded query={query}>{(s) => <Gossip of={s} />}</Loaded>;
}

function Gossip({ of }: { of: FleetSite }) {
  const members = rows(of.members);
  return (
    <Card title={t('site.title', { site: of.site ?? '' })}>
      {!of.on && <Text className="quiet">{t('site.off')}</Text>}
      {of.on && of.problem && <Alert color="yellow" title={t('site.waits')}>{of.problem}</Alert>}
      {of.held_back && <Alert color="orange" title={t('site.heldBack')}>{t('site.heldBackWhat')}</Alert>}
      {of.on && !of.problem && members.length === 0 && <Text className="quiet">{t('site.alone')}</Text>}
      {members.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={t('site.title', { site: of.site ?? '' })}>
          <Table miw={640}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('col.name')}</Table.Th><Table.Th>{t('col.state')}</Table.Th><Table.Th>{t('site.address')}</Table.Th><Table.Th className="num">{t('site.revision')}</Table.Th><Table.Th>{t('site.seen')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {members.map((m) => (
                <Table.Tr key={m.node}>
                  <Table.Td><b>{m.name || m.node}</b><br /><span className="quiet">{m.version}</span></Table.Td>
                  <Table.Td><State of={m.state} kind="memberState" />{m.state === 'alive' && !m.hub && <><br /><span className="quiet">{t('site.noHub')}</span></>}<br /><span className="quiet">{m.reason}</span>
                    {some(m.banned_until) && <><br /><Badge color="orange">{t('site.banned')}</Badge><br /><span className="quiet">{t('site.bannedWhy', { at: moment(m.banned_until), why: m.banned_why ?? '' })}</span></>}</Table.Td>
                  <Table.Td className="mono">{m.address}</Table.Td>
                  <Table.Td className="num">{m.rev || ''}</Table.Td>
                  <Table.Td>{some(m.seen) ? ago(m.seen) : ''}{m.rtt_ms ? <><br /><span className="quiet">{m.rtt_ms} ms</span></> : ''}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      <Twin>edgeward fleet site</Twin>
    </Card>
  );
}
