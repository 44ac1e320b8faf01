import { Table } from '@mantine/core';
import { useScorings } from '../../api/queries';
import { rows } from '../../api/types';
import { Empty } from '../../parts/empty';
import { ago, moment } from '../../parts/format';
import { Card, DemoMark, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

/** What is scored without a caller. */
export default function Scorings() {
  const q = useScorings();
  return (
    <Page title={t('scoring.title')} intro={t('scoring.intro')}>
      <Loaded query={q}>
        {(list) =>
          rows(list.items).length === 0 ? (
            <Empty title={t('scoring.none')} cli="edgeward score create nightly --endpoint NAME --data NAME">{t('scoring.emptyWhat')}</Empty>
          ) : (
            <Card label={t('scoring.title')}>
              <div className="scroll" tabIndex={0} role="group" aria-label={t('scoring.title')}>
                <Table miw={640}>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t('scoring.one')}</Table.Th>
                      <Table.Th>{t('scoring.endpoint')}</Table.Th>
                      <Table.Th>{t('scoring.source')}</Table.Th>
                      <Table.Th>{t('scoring.next')}</Table.Th>
                      <Table.Th>{t('scoring.last')}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {rows(list.items).map((s) => (
                      <Table.Tr key={s.name}>
                        <Table.Td><To href={`/scoring/${s.name}`}>{s.name}</To> <DemoMark on={s.demo} /></Table.Td>
                        <Table.Td>{s.endpoint}</Table.Td>
                        <Table.Td>{word('source', s.source.kind)}</Table.Td>
                        <Table.Td>{s.paused ? t('scoring.paused') : s.next ? moment(s.next) : '–'}</Table.Td>
                        <Table.Td>{s.run ? <><State of={s.run.state} /> {ago(s.run.created)}</> : '–'}</Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
            </Card>
          )
        }
      </Loaded>
    </Page>
  );
}
