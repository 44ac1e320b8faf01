import { useState } from 'react';
import { Badge, Group, Stack, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useDrift, useEndpoint } from '../../api/queries';
import { rows, type DriftView, type Job } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Chart } from '../../parts/chart';
import { num, sig, some, step } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Page, State, Stats, To } from '../../parts/page';
import { done, Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { Evidence } from './evidence';
import { Loop } from './loop';
import { PolicyCard } from './policy';

/** The monitor of one endpoint: what the detector says, how it came to it, and what the loop does about it. */
export default function Drift({ name }: { name: string }) {
  const q = useDrift(name);
  const endpoint = useEndpoint(name);
  const [asking, setAsking] = useState(false);
  const retrain = useAct((reason: string) => post<Job>(`/endpoints/${name}/retrain`, { reason }), 'drift', 'job');
  return (
    <Page
      title={t('drift.of', { name: endpoint.data?.endpoint.title || name })}
      crumbs={[[t('drift.title'), '/drift'], [name, `/endpoints/${name}`]]}
      marks={<><State of={q.data?.verdict?.verdict} kind="drift" /><DemoMark on={endpoint.data?.endpoint.demo} />{q.data?.busy && <Badge color="blue">{t('drift.busy')}</Badge>}</>}
      actions={q.data && <MayButton verb="create" on="version" onClick={() => setAsking(true)} why={q.data.unit === 'answer' ? t('drift.imported') : undefined}>{t('drift.retrain')}</MayButton>}
    >
      <Loaded query={q} height={400}>
        {(v) => (
          <Stack gap="md">
            <AlertCard of={v} />
            <Course of={v} />
            <Loop of={v} />
            <Evidence of={v} demo={endpoint.data?.endpoint.demo} />
            <PolicyCard of={v} />
          </Stack>
        )}
      </Loaded>
      <Ask
        title={t('drift.retrain')}
        open={asking}
        close={() => setAsking(false)}
        cli={(reason) => `edgeward retrain ${name} --reason ${JSON.stringify(reason || '…')}`}
        act={async (reason) => {
          await retrain.mutateAsync(reason);
          done(t('drift.queued'));
        }}
      >
        <Text size="sm">{t('drift.retrainWhat')}</Text>
      </Ask>
    </Page>
  );
}

function AlertCard({ of: v }: { of: DriftView }) {
  const a = v.alert;
  const [word_, setWord] = useState<'ack' | 'resolve'>();
  const say = useAct((reason: string) => post(`/alerts/${v.endpoint}/${word_!}`, { reason }), 'alert', 'drift');
  if (!a || !['firing', 'pending'].includes(a.state)) return null;
  return (
    <Card
      title={t('alerts.one')}
      actions={
        <Group gap="xs">
          <MayButton verb="update" on="alert" size="xs" variant="default" onClick={() => setWord('ack')} why={a.ack ? t('alerts.seenBy', { by: a.ack.by }) : undefined}>{t('alerts.ack')}</MayButton>
          <MayButton verb="update" on="alert" size="xs" variant="default" onClick={() => setWord('resolve')}>{t('alerts.resolve')}</MayButton>
        </Group>
      }
    >
      <Group gap="sm"><State of={a.state} /><span>{word('why', a.code)} · {t('alerts.since', { day: step(a.fired_at) })}</span></Group>
      {a.ack && <Text size="sm" mt={6} className="quiet">{t('alerts.seenBy', { by: a.ack.by })}: {a.ack.reason}</Text>}
      {word_ && (
        <Ask key={word_} title={t(`alerts.${word_}`)} open close={() => setWord(undefined)} cli={(reason) => `edgeward alert ${word_} ${v.endpoint} --reason ${JSON.stringify(reason || '…')}`} act={(reason) => say.mutateAsync(reason)}>
          <Text size="sm">{t(`alerts.${word_}What`)}</Text>
        </Ask>
      )}
    </Card>
  );
}

/** The statistic day by day, against its threshold. */
function Course({ of: v }: { of: DriftView }) {
  const course = rows(v.course);
  const threshold = v.verdict?.threshold;
  const alarm = some(v.alarm_at);
  const unit = (v.unit || 'step') as 'day';
  const control = rows(v.controls).find((c) => c.version === v.version) ?? rows(v.controls).at(-1);
  return (
    <Card title={t(`drift.course.${unit}`)}>
      <Text className="quiet" size="sm" mb="sm">
        {t(v.unit === 'answer' ? 'drift.whatJudged' : 'drift.what', { years: num(v.settings.years_per_false_alarm || 4, 1) })}{' '}
        {v.verdict && !v.verdict.promise && t('drift.noPromise', { x: sig(v.verdict.autocorrelation) })}
      </Text>
      <Stats
        of={[
          [t('drift.watching'), v.version ? <To href={`/endpoints/${v.endpoint}`}>{t('version.short', { v: v.version })}</To> : '–'],
          [t('drift.statistic'), v.verdict ? `${sig(v.verdict.statistic)} / ${sig(threshold)}` : '–'],
          [t(`drift.before.${unit}`), num(v.quiet_days)],
          [t('drift.alarmDay'), alarm ? step(v.alarm_at) : t('profile.none')],
          [t('drift.control'), control ? t('drift.controlSaid', { n: control.alarms, steps: t(`drift.steps.${unit}`, { n: control.days }) }) : '–'],
        ]}
      />
      {course.length > 1 ? (
        <div style={{ marginTop: 14 }}>
          <Chart
            label={t(`drift.course.${unit}`)}
            times={course.map((p) => p.at)}
            lines={[
              { label: t('drift.statistic'), values: course.map((p) => Math.max(p.m, 0.01)), colour: '--edge-forecast' },
              ...(threshold ? [{ label: t('drift.threshold'), values: course.map(() => threshold), colour: '--edge-bad', dash: true }] : []),
            ]}
            marks={rows(v.loop.transitions).filter((x) => x.code === 'drift.alarm' || x.code === 'candidate.promoted').map((x) => (x.code === 'drift.alarm' ? { at: x.at, label: t('drift.alarm') } : { at: x.at, label: t('state.promoted'), good: true }))}
            show={sig}
            when={step}
            log
          />
        </div>
      ) : (
        <Text className="quiet" mt="sm">{t(v.unit === 'answer' ? 'drift.noJudged' : 'drift.noCourse')}</Text>
      )}
    </Card>
  );
}
