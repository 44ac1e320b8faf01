import { useState } from 'react';
import { Button, Group, NumberInput, Progress, Table, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useInquiries } from '../../api/queries';
import { rows, type FleetNode, type Inquiry } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Twin } from '../../parts/copy';
import { ago, bytes, moment } from '../../parts/format';
import { MayButton, useMay } from '../../parts/may';
import { Card, State } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

/** What was asked of a node: log lines and support bundles, how far they are, and until when they are kept. */
export function Inquiries({ n }: { n: FleetNode }) {
  const may = useMay();
  const list = useInquiries(n.id);
  const [asking, setAsking] = useState<'logs' | 'bundle'>();
  const [lines, setLines] = useState(500);
  const ask = useAct((reason: string) => post<Inquiry>(`/fleet/nodes/${n.id}/inquiries`, { what: asking, lines: asking === 'logs' ? lines : undefined, reason }), 'fleet');
  const drop = useAct((id: string) => post(`/fleet/inquiries/${id}/drop`, {}), 'fleet');
  return (
    <Card title={t('inquiry.title')} actions={(
      <Group gap="xs">
        <MayButton verb="export" on="fleet" size="xs" variant="default" onClick={() => setAsking('logs')}>{t('inquiry.logs')}</MayButton>
        <MayButton verb="export" on="fleet" size="xs" variant="default" onClick={() => setAsking('bundle')}>{word('inquiryOf', 'bundle')}</MayButton>
      </Group>
    )}>
      <Text size="sm" className="quiet" mb="xs">{t('inquiry.what')}</Text>
      <Loaded query={list}>
        {(l) => rows(l.items).length === 0 ? <Text className="quiet">{t('inquiry.none')}</Text> : (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('inquiry.title')}>
            <Table miw={560}>
              <Table.Thead><Table.Tr><Table.Th>{t('inquiry.request')}</Table.Th><Table.Th>{t('col.state')}</Table.Th><Table.Th>{t('col.why')}</Table.Th><Table.Th className="num">{t('inquiry.size')}</Table.Th><Table.Th>{t('inquiry.until')}</Table.Th><Table.Th>{t('access.actions')}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {rows(l.items).map((q) => (
                  <Table.Tr key={q.id}>
                    <Table.Td>{word('inquiryOf', q.what)}<br /><span className="quiet">{q.by}, {ago(q.at)}</span></Table.Td>
                    <Table.Td><State of={q.state} kind="inquiry" />{q.got ? <Progress mt={4} value={50} animated aria-label={bytes(q.got)} /> : null}</Table.Td>
                    <Table.Td>{q.reason}{q.why ? <><br /><span className="quiet">{q.why}</span></> : null}</Table.Td>
                    <Table.Td className="num">{q.size ? bytes(q.size) : q.got ? bytes(q.got) : '–'}</Table.Td>
                    <Table.Td>{moment(q.until)}</Table.Td>
                    <Table.Td>
                      <Group gap={4}>
                        {q.state === 'here' && may('export', 'fleet') && <Button component="a" size="compact-xs" variant="default" href={`/api/v1/fleet/inquiries/${q.id}/file`} download={`${n.name}-${q.what}${q.what === 'logs' ? '.txt.gz' : '.tar.gz'}`}>{t('action.save')}</Button>}
                        {q.state !== 'gone' && <MayButton verb="export" on="fleet" size="compact-xs" variant="default" onClick={() => drop.mutate(q.id)}>{t('inquiry.drop')}</MayButton>}
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      <Twin>{`edgeward fleet logs ${n.id} --reason WHY`}</Twin>
      {asking && (
        <Ask title={`${word('inquiryOf', asking)}: ${n.name}`} open close={() => setAsking(undefined)} go={t('inquiry.go')}
          cli={(reason) => asking === 'logs' ? `edgeward fleet logs ${n.id} --lines ${lines} --reason ${JSON.stringify(reason || '…')}` : `edgeward fleet support ${n.id} -o ${n.name}.tar.gz --reason ${JSON.stringify(reason || '…')}`}
          act={(reason) => ask.mutateAsync(reason)}>
          {asking === 'logs' ? <NumberInput label={t('inquiry.lines')} min={1} max={5000} value={lines} onChange={(v) => setLines(Number(v) || 500)} /> : <Text size="sm">{t('inquiry.bundleWhat')}</Text>}
        </Ask>
      )}
    </Card>
  );
}
