import { useState } from 'react';
import { Group, Stack, Text } from '@mantine/core';
import { useLocation } from 'wouter';
import { post, remove, seen } from '../../api/client';
import { ended, useAct, useScoring } from '../../api/queries';
import { rows, type Job, type Scoring as S } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Code } from '../../parts/copy';
import { moment } from '../../parts/format';
import { JobProgress } from '../../parts/jobprogress';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Facts, Page, State, To } from '../../parts/page';
import { Loaded, Trouble } from '../../parts/trouble';
import { t, word } from '../../text';
import { Deliveries } from './deliveries';
import { RunFile } from './file';
import { Runs } from './runs';
import { Reschedule } from './reschedule';
import { spoken } from './when';

/** One scoring: when it runs, its runs, and where the results went. */
export default function Scoring({ name }: { name: string }) {
  const q = useScoring(name);
  const [asked, setAsked] = useState<'when' | 'remove'>();
  const [, navigate] = useLocation();
  const run = useAct(() => post<Job>(`/scorings/${name}/run`), 'scoring', 'job');
  const stop = useAct(() => post<Job>(`/scorings/${name}/cancel`), 'scoring', 'job');
  const pause = useAct((paused: boolean) => post<S>(`/scorings/${name}/schedule`, { paused }), 'scoring');
  const gone = useAct(async () => {
    await remove(`/scorings/${name}`);
    navigate('/scoring'); // before anything here is read again
  }, 'scoring');
  const close = () => setAsked(undefined);
  return (
    <Loaded query={q} height={300} page={name}>
      {(s) => {
        const going = !!s.run && !ended(s.run.state);
        const messages = s.source.kind === 'mqtt';
        const empty = s.source.kind === 'file' && !s.source.filename;
        return (
          <Page
            title={s.name}
            crumbs={[[t('scoring.title'), '/scoring']]}
            marks={<>{s.paused && <State of="paused" />}<DemoMark on={s.demo} /></>}
            actions={
              <Group gap={8}>
                {!messages && <MayButton verb="update" on="scoring" variant="default" onClick={() => setAsked('when')}>{t('scoring.schedule')}</MayButton>}
                {(messages || s.schedule) && <MayButton verb="update" on="scoring" variant="default" onClick={() => pause.mutate(!s.paused)} loading={pause.isPending}>{s.paused ? t('scoring.resume') : t('scoring.pause')}</MayButton>}
                {!messages && going && <MayButton verb="cancel" on="scoring" variant="default" onClick={() => stop.mutate(undefined as never)} loading={stop.isPending}>{t('jobs.cancel')}</MayButton>}
                {!messages && !going && <MayButton verb="create" on="scoring" onClick={() => run.mutate(undefined as never)} loading={run.isPending} why={empty ? t('scoring.noFile') : undefined}>{t('scoring.run')}</MayButton>}
              </Group>
            }
          >
            <Stack gap="md">
              <Trouble error={run.error ?? stop.error ?? pause.error} />
              {going && <Card label={t('jobs.progress')}><JobProgress key={s.run!.id} id={s.run!.id} /></Card>}
              <Card label={t('scoring.what')}>
                <Facts
                  of={[
                    [t('scoring.endpoint'), <To key="e" href={`/endpoints/${s.endpoint}`}>{s.endpoint}</To>],
                    [t('scoring.by'), s.version ? t('version.short', { v: s.version }) : t('scoring.routed')],
                    [t('scoring.source'), <Source key="s" of={s} />],
                    [t('scoring.columns'), Object.entries(s.columns ?? {}).map(([f, c]) => `${f} ← ${c}`).join(', ') || undefined],
                    [t('scoring.time'), s.time],
                    [t('scoring.series'), s.series],
                    [t('scoring.target'), s.target],
                    [t('scoring.schedule'), messages ? undefined : spoken(s.schedule, s.zone) || t('when.hand')],
                    [t('scoring.next'), s.next && !s.paused ? moment(s.next) : undefined],
                    [t('scoring.sinks'), messages ? undefined : rows(s.sinks).map((k) => [word('sink', k.kind), k.name].filter(Boolean).join(' ')).join(', ') || t('scoring.onlyHere')],
                    [t('col.created'), `${moment(s.created)}, ${s.by}`],
                  ]}
                />
              </Card>
              {s.source.kind === 'file' && !going && <RunFile of={s} />}
              {messages ? <Text className="quiet">{t(s.paused ? 'scoring.messagesPaused' : 'scoring.messagesGo')}</Text> : <Runs of={s} />}
              {rows(s.sinks).length > 0 && <Deliveries name={s.name} />}
              <Code>{messages ? `edgeward endpoint snippet ${s.endpoint} --lang mqtt` : `edgeward score run ${s.name}${s.source.kind === 'file' ? ' --file FILE.csv' : ''}`}</Code>
              <Group><MayButton verb="delete" on="scoring" variant="default" onClick={() => setAsked('remove')}>{t('scoring.remove')}</MayButton></Group>
            </Stack>
            {asked === 'when' && <Reschedule of={s} match={seen(`/scorings/${name}`)} close={close} />}
            <Ask
              title={t('scoring.remove')}
              open={asked === 'remove'}
              close={close}
              optional
              danger
              go={t('action.remove')}
              cli={() => `edgeward score remove ${name}`}
              act={() => gone.mutateAsync(undefined as never)}
            >
              <Text>{t('scoring.removeWhat', { name })}</Text>
            </Ask>
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
