import { Button, Group, Progress, Stack, Table } from '@mantine/core';
import { post } from '../../api/client';
import { ended, useAct, useDeliveries, useScoring, useScoringRuns } from '../../api/queries';
import { rows, type Delivery, type Job, type Scoring as S } from '../../api/types';
import { Code } from '../../parts/copy';
import { ago, moment, took } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Facts, Page, State, To } from '../../parts/page';
import { Loaded, Trouble } from '../../parts/trouble';
import { t, word } from '../../text';

/** One scoring: when it runs, its runs, and where the results went. */
export default function Scoring({ name }: { name: string }) {
  const q = useScoring(name);
  const run = useAct(() => post<Job>(`/scorings/${name}/run`), 'scoring', 'job');
  const stop = useAct(() => post<Job>(`/scorings/${name}/cancel`), 'scoring', 'job');
  const pause = useAct((paused: boolean) => post<S>(`/scorings/${name}/schedule`, { paused }), 'scoring');
  return (
    <Loaded query={q} height={300}>
      {(s) => {
        const going = !!s.run && !ended(s.run.state);
        const messages = s.source.kind === 'mqtt';
        return (
          <Page
            title={s.name}
            crumbs={[[t('scoring.title'), '/scoring']]}
            marks={<>{s.paused && <State of="paused" />}<DemoMark on={s.demo} /></>}
            actions={
              <Group gap={8}>
                {(messages || s.schedule) && <MayButton verb="update" on="scoring" variant="default" onClick={() => pause.mutate(!s.paused)} loading={pause.isPending}>{s.paused ? t('scoring.resume') : t('scoring.pause')}</MayButton>}
                {!messages && going && <MayButton verb="cancel" on="scoring" variant="default" onClick={() => stop.mutate(undefined as never)} loading={stop.isPending}>{t('jobs.cancel')}</MayButton>}
                {!messages && !going && <MayButton verb="create" on="scoring" onClick={() => run.mutate(undefined as never)} loading={run.isPending}>{t('scoring.run')}</MayButton>}
              </Group>
            }
          >
            <Stack gap="md">
              <Trouble error={run.error ?? stop.error ?? pause.error} />
              <Card label={t('scoring.what')}>
                <Facts
                  of={[
                    [t('scoring.endpoint'), <To key="e" href={`/endpoints/${s.endpoint}`}>{s.endpoint}</To>],
                    [t('scoring.source'), <Source key="s" of={s} />],
                    [t('scoring.schedule'), s.schedule ? `${s.schedule}${s.zone ? `, ${s.zone}` : ''}` : undefined],
                    [t('scoring.next'), s.next ? moment(s.next) : undefined],
                    [t('scoring.sinks'), rows(s.sinks).map((k) => [word('sink', k.kind), k.name].filter(Boolean).join(' ')).join(', ') || undefined],
                    [t('col.created'), `${moment(s.created)}, ${s.by}`],
                  ]}
                />
              </Card>
              {!messages && <Runs of={s} />}
              {rows(s.sinks).length > 0 && <Deliveries name={s.name} />}
              <Code>{messages ? `mosquitto_pub -q 1 -t ${s.source.topic ?? ''} -m '{"id": "1", "fields": {}}'` : `edgeward score run ${s.name}`}</Code>
            </Stack>
          </Page>
        );
      }}
    </Loaded>
  );
}

function Source({ of: s }: { of: S }) {
  const { kind, data_set: set, version, topic, filename } = s.source;
  if (set) return <><To href={`/data/${set}`}>{set}</To>, {version ? t('version.short', { v: String(version) }) : t('scoring.newest')}</>;
  return <>{[word('source', kind), topic ?? filename].filter(Boolean).join(': ')}</>;
}

function Runs({ of: s }: { of: S }) {
  const q = useScoringRuns(s.name);
  return (
    <Card title={t('scoring.runs')}>
      <Loaded query={q}>
        {(list) =>
          rows(list.items).length === 0 ? <p className="quiet">{t('scoring.noRun')}</p> : (
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
                  {rows(list.items).map((j, i) => (
                    <Table.Tr key={j.id}>
                      <Table.Td><To href={`/jobs/${j.id}`}>{moment(j.created)}</To>{j.state === 'running' && <Progress value={j.progress.done * 100} mt={4} aria-label={t('jobs.progress')} />}</Table.Td>
                      <Table.Td><State of={j.state} /></Table.Td>
                      <Table.Td className="num">{typeof j.result?.rows === 'number' ? j.result.rows : ''}</Table.Td>
                      <Table.Td className="num">{typeof j.result?.failed === 'number' ? j.result.failed : ''}</Table.Td>
                      <Table.Td className="num">{took(j.started, j.ended)}</Table.Td>
                      <Table.Td>{j.state === 'succeeded' && i < 10 && <Button size="compact-sm" variant="default" component="a" href={`/api/v1/scorings/${s.name}/result?run=${j.id}`} download>{t('scoring.download')}</Button>}</Table.Td>
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

function Deliveries({ name }: { name: string }) {
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
                  {rows(list.items).map((d) => {
                    const last = rows(d.attempts)[rows(d.attempts).length - 1];
                    return (
                      <Table.Tr key={d.id}>
                        <Table.Td>{[word('sink', d.sink.kind), d.sink.name].filter(Boolean).join(' ')}</Table.Td>
                        <Table.Td><State of={d.state} /></Table.Td>
                        <Table.Td>{d.count}{last && <span className="quiet"> · {ago(last.at)}{last.message ? `: ${last.message}` : ''}</span>}</Table.Td>
                        <Table.Td>{d.state === 'waiting' && d.next ? moment(d.next) : ''}</Table.Td>
                        <Table.Td><MayButton size="compact-sm" variant="default" verb="update" on="scoring" onClick={() => again.mutate(d.id)}>{t('scoring.again')}</MayButton></Table.Td>
                      </Table.Tr>
                    );
                  })}
                </Table.Tbody>
              </Table>
            </div>
          )
        }
      </Loaded>
    </Card>
  );
}
