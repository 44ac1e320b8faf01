import { useState } from 'react';
import { Badge, Button, Group, NativeSelect, Table, Text } from '@mantine/core';
import { useFleetEvents } from '../../api/queries';
import { rows, type FleetNode, type Queue } from '../../api/types';
import { Twin } from '../../parts/copy';
import { ago, moment, num } from '../../parts/format';
import { Card } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

const few = 10; // what is shown before more is asked for
const classes = ['audit', 'alert', 'drift', 'performance'] as const;

/** What happened on the nodes, each once, whichever way it came. */
export function Events({ nodes }: { nodes: FleetNode[] }) {
  const [node, setNode] = useState('');
  const [kind, setKind] = useState('');
  const [most, setMost] = useState(few);
  const events = useFleetEvents(node, kind, most);
  const name = (id: string) => nodes.find((n) => n.id === id)?.name || id;
  return (
    <Card title={t('fleet.events')}>
      <Group gap="sm" mb="sm">
        <NativeSelect size="xs" aria-label={t('fleet.node')} value={node} onChange={(e) => { setNode(e.currentTarget.value); setMost(few); }} data={[{ value: '', label: t('fleet.allNodes') }, ...nodes.map((n) => ({ value: n.id, label: n.name || n.id }))]} />
        <NativeSelect size="xs" aria-label={t('fleet.kind')} value={kind} onChange={(e) => { setKind(e.currentTarget.value); setMost(few); }} data={[{ value: '', label: t('fleet.allClasses') }, ...classes.map((c) => ({ value: c, label: word('eventClass', c) }))]} />
      </Group>
      <Loaded query={events}>
        {(l) => (
          <>
            {l.tally && <Text size="sm" className="quiet" mb="sm">{t('fleet.tally', { https: num(l.tally.ways?.https ?? 0), usb: num(l.tally.ways?.usb ?? 0), mqtt: num(l.tally.ways?.mqtt ?? 0), line: num(l.tally.audit_seq ?? 0) })}{l.tally.breaks ? ` ${t('fleet.breaks', { n: l.tally.breaks })}` : ''}</Text>}
            {rows(l.items).length === 0 ? <Text className="quiet">{t('fleet.noEvents')}</Text> : (
              <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.events')}>
                <Table miw={700}>
                  <Table.Thead><Table.Tr><Table.Th>{t('fleet.when')}</Table.Th><Table.Th>{t('fleet.node')}</Table.Th><Table.Th>{t('fleet.what')}</Table.Th><Table.Th>{t('col.by')}</Table.Th><Table.Th>{t('fleet.ways')}</Table.Th></Table.Tr></Table.Thead>
                  <Table.Tbody>
                    {rows(l.items).map((k) => (
                      <Table.Tr key={k.n}>
                        <Table.Td>{moment(k.event.at)}</Table.Td>
                        <Table.Td style={{ whiteSpace: 'nowrap' }}>{name(k.node)}</Table.Td>
                        <Table.Td><Badge variant="light" color={k.event.class === 'alert' ? 'orange' : 'gray'}>{word('eventClass', k.event.class ?? '')}</Badge> <span className="mono">{k.event.what}</span> {k.event.object}<br /><span className="quiet">{k.event.reason}</span></Table.Td>
                        <Table.Td>{k.event.by?.startsWith('fleet:') ? <span title={k.event.by}>{t('fleet.aRollout')}</span> : k.event.by}</Table.Td>
                        <Table.Td>{rows(k.ways).join(', ')}{!k.proved && <Badge ml={4} color="yellow">{t('fleet.unproved')}</Badge>}</Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
            )}
            {l.next && most < 1000 && <Button mt="sm" size="xs" variant="default" loading={events.isPlaceholderData} onClick={() => setMost(Math.min(1000, most * 5))}>{t('fleet.moreEvents')}</Button>}
          </>
        )}
      </Loaded>
      <Twin>{`edgeward fleet events${node ? ` --node ${node}` : ''}${kind ? ` --class ${kind}` : ''}`}</Twin>
    </Card>
  );
}

/** What waits for the hub, and what was dropped for want of room; nothing where nothing does. */
export function Waits({ queue }: { queue?: Queue | null }) {
  const list = classes.map((c) => ({ c, w: queue?.[c] })).filter(({ w }) => w && (w.events || w.dropped));
  if (list.length === 0) return null;
  return (
    <Text size="sm" className="quiet">
      {list.map(({ c, w }) => `${word('eventClass', c)}: ${w?.events ? t('fleet.waiting', { n: w.events, since: ago(w.oldest) }) : ''}${w?.dropped ? ` ${t('fleet.dropped', { n: w.dropped })}` : ''}`).join(' · ')}
    </Text>
  );
}
