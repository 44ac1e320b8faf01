import { Table, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useDeliveries } from '../../api/queries';
import { rows, type Delivery } from '../../api/types';
import { millis, moment } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, State } from '../../parts/page';
import { Loaded, told, Trouble } from '../../parts/trouble';
import { t, word } from '../../text';

/** The log of where results went: each attempt, the newest first. */
export function Deliveries({ name }: { name: string }) {
  const q = useDeliveries(name);
  const again = useAct((id: string) => post<Delivery>(`/deliveries/${id}/again`), 'scoring');
  return (
    <Card title={t('scoring.deliveries')}>
      <Trouble error={again.error} />
      <Loaded query={q}>
        {(list) =>
          rows(list.items).length === 0 ? <p className="quiet">{t('scoring.noDelivery')}</p> : (
            <div className="scroll" tabIndex={0} role="group" aria-label={t('scoring.deliveries')}>
              <Table miw={640}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('scoring.sink')}</Table.Th>
                    <Table.Th>{t('col.state')}</Table.Th>
                    <Table.Th>{t('scoring.attempts')}</Table.Th>
                    <Table.Th>{t('scoring.next')}</Table.Th>
                    <Table.Th>{t('scoring.act')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows(list.items).map((d) => (
                    <Table.Tr key={d.id}>
                      <Table.Td>{[word('sink', d.sink.kind), d.sink.name].filter(Boolean).join(' ')}</Table.Td>
                      <Table.Td><State of={d.state} /></Table.Td>
                      <Table.Td><Attempts of={d} /></Table.Td>
                      <Table.Td>{d.state === 'waiting' && d.next ? moment(d.next) : ''}</Table.Td>
                      <Table.Td><MayButton size="compact-sm" variant="default" verb="update" on="scoring" onClick={() => again.mutate(d.id)}>{t('scoring.again')}</MayButton></Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          )
        }
      </Loaded>
    </Card>
  );
}

function Attempts({ of: d }: { of: Delivery }) {
  const all = [...rows(d.attempts)].reverse();
  if (all.length === 0) return <>{d.count}</>;
  return (
    <details>
      <summary>{d.count} · {moment(all[0]!.at)}</summary>
      <ol style={{ margin: '6px 0', paddingInlineStart: 18 }}>
        {all.map((a) => {
          const words = told({ code: a.code, detail: a.message, hint: a.hint });
          return (
            <li key={a.at}>
              {moment(a.at)} · {millis(a.took_ms)}{a.status ? ` · HTTP ${a.status}` : ''} · {a.code ? words.what : t('state.delivered')}
              {words.hint && <Text size="sm" className="quiet">{words.hint}</Text>}
              {words.exact && <Text size="sm" className="quiet" lang="en">{words.exact}</Text>}
            </li>
          );
        })}
      </ol>
    </details>
  );
}
