import { Button, Progress, Table, Text } from '@mantine/core';
import { useScoringRuns } from '../../api/queries';
import { rows, type Job, type RowError, type Scoring } from '../../api/types';
import { moment, num, percent, took } from '../../parts/format';
import { JobError } from '../../parts/jobprogress';
import { Card, State, To } from '../../parts/page';
import { Loaded, told } from '../../parts/trouble';
import { t, word } from '../../text';

const kept = 10; // newest runs whose files are there

const count = (j: Job, what: 'rows' | 'failed') => (typeof j.result?.[what] === 'number' ? num(j.result[what]) : '');

/** What became of each run: how far, how many rows, the file. */
export function Runs({ of: s }: { of: Scoring }) {
  const q = useScoringRuns(s.name);
  return (
    <Card title={t('scoring.runs')}>
      <Loaded query={q}>
        {(list) => {
          const all = rows(list.items);
          if (all.length === 0) return <p className="quiet">{t(s.source.kind === 'file' && !s.source.filename ? 'scoring.noFile' : 'scoring.noRun')}</p>;
          const failed = rows((all.find((j) => j.state === 'succeeded')?.result as { errors?: RowError[] } | undefined)?.errors);
          return (
            <>
              {all[0]!.state === 'failed' && <JobError of={all[0]!} />}
              <div className="scroll" tabIndex={0} role="group" aria-label={t('scoring.runs')}>
                <Table miw={640}>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t('jobs.started')}</Table.Th>
                      <Table.Th>{t('col.state')}</Table.Th>
                      <Table.Th className="num">{t('scoring.rows')}</Table.Th>
                      <Table.Th className="num">{t('scoring.failed')}</Table.Th>
                      <Table.Th className="num">{t('predictions.took')}</Table.Th>
                      <Table.Th>{t('scoring.file')}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {all.map((j, i) => (
                      <Table.Tr key={j.id}>
                        <Table.Td>
                          <To href={`/jobs/${j.id}`}>{moment(j.created)}</To>
                          {j.state === 'running' && <Progress value={j.progress.done * 100} mt={4} aria-label={t('jobs.progress')} />}
                        </Table.Td>
                        <Table.Td><State of={j.state} />{j.state === 'running' && <div className="quiet">{[word('stage', j.progress.stage), percent(j.progress.done)].filter(Boolean).join(' · ')}</div>}</Table.Td>
                        <Table.Td className="num">{count(j, 'rows')}</Table.Td>
                        <Table.Td className="num">{count(j, 'failed')}</Table.Td>
                        <Table.Td className="num">{j.started ? took(j.started, j.ended) : ''}</Table.Td>
                        <Table.Td>{j.state === 'succeeded' && i < kept && <Button size="compact-sm" variant="default" component="a" href={`/api/v1/scorings/${s.name}/result?run=${j.id}`} download>{t('scoring.download')}</Button>}</Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
              {failed.length > 0 && <Failed of={failed} />}
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

/** Why rows of the newest finished run have no answer. */
function Failed({ of }: { of: RowError[] }) {
  return (
    <details style={{ marginTop: 12 }}>
      <summary>{t('scoring.failedRows', { n: of.length })}</summary>
      <Table mt={8}>
        <Table.Thead><Table.Tr><Table.Th className="num">{t('scoring.row')}</Table.Th><Table.Th>{t('scoring.cause')}</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {of.map((e) => {
            const words = told({ code: e.code, detail: e.message, hint: e.hint });
            return (
              <Table.Tr key={e.row}>
                <Table.Td className="num">{num(e.row)}</Table.Td>
                <Table.Td>{words.what}{words.exact && <Text size="sm" className="quiet" lang="en">{words.exact}</Text>}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </details>
  );
}
