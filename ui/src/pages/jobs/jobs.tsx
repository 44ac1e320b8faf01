import { Button, Group, Progress, Table } from '@mantine/core';
import { Link } from 'wouter';
import { ended, useJobs } from '../../api/queries';
import { rows } from '../../api/types';
import { Empty } from '../../parts/empty';
import { ago, took } from '../../parts/format';
import { Card, DemoMark, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

/** Long work, newest first. */
export default function Jobs() {
  const q = useJobs();
  return (
    <Page title={t('jobs.title')} intro={t('jobs.intro')}>
      <Loaded query={q}>
        {(list) =>
          rows(list.items).length === 0 ? (
            <Empty title={t('jobs.none')} action={<Button component={Link} href="/data">{t('begin.import')}</Button>} cli="edgeward job list">{t('jobs.emptyWhat')}</Empty>
          ) : (
            <Card label={t('jobs.title')}>
              <div className="scroll" tabIndex={0} role="group" aria-label={t('jobs.title')}>
                <Table miw={600}>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t('jobs.one')}</Table.Th>
                      <Table.Th>{t('col.state')}</Table.Th>
                      <Table.Th>{t('jobs.started')}</Table.Th>
                      <Table.Th className="num">{t('predictions.took')}</Table.Th>
                      <Table.Th>{t('col.by')}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {rows(list.items).map((j) => (
                      <Table.Tr key={j.id}>
                        <Table.Td>
                          <Group gap={8}><To href={`/jobs/${j.id}`}>{j.title}</To><DemoMark on={j.demo} /></Group>
                          {j.state === 'running' && <Progress value={j.progress.done * 100} mt={4} aria-label={`${t('jobs.progress')}: ${j.title}`} />}
                        </Table.Td>
                        <Table.Td><State of={j.state} />{!ended(j.state) && j.progress.stage && <div className="quiet" style={{ fontSize: '0.82rem' }}>{word('stage', j.progress.stage)}</div>}</Table.Td>
                        <Table.Td>{ago(j.started ?? j.created)}</Table.Td>
                        <Table.Td className="num">{took(j.started, j.ended)}</Table.Td>
                        <Table.Td>{j.by}</Table.Td>
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
