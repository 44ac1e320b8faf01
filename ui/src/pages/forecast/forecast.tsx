import { useState } from 'react';
import { Badge, Button, Group, Stack, Text } from '@mantine/core';
import { Link } from 'wouter';
import { post } from '../../api/client';
import { useEndpoints, useForecast } from '../../api/queries';
import { rows, type FeedbackAnswer, type ForecastView, type GroupForecast } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Chart } from '../../parts/chart';
import { Empty } from '../../parts/empty';
import { ago, moment, num, sig, some, step } from '../../parts/format';
import { MayButton, useWho } from '../../parts/may';
import { Card, DemoMark, Page, To } from '../../parts/page';
import { done, Loaded } from '../../parts/trouble';
import { seriesName } from '../../parts/series';
import { T, t, word } from '../../text';
import { coverageSaid, frequencyOf, lastSeason, rangeSaid, readersNow, whenSaid } from './words';

/** For the ward manager: what is expected next, in plain words, and how far to trust it. */
export default function Forecast() {
  const q = useEndpoints();
  return (
    <Page title={t('forecast.title')} intro={t('forecast.intro')}>
      <Loaded query={q} height={300}>
        {(list) => {
          const forecasts = rows(list.items).filter((e) => e.endpoint.kind === 'forecast').sort((a, b) => a.endpoint.created.localeCompare(b.endpoint.created));
          if (forecasts.length === 0)
            return (
              <Empty title={t('forecast.empty')} action={<Button component={Link} href="/data">{t('begin.import')}</Button>} cli="edgeward up --demo">
                {t('forecast.emptyWhat')}
              </Empty>
            );
          return <Stack gap="xl">{forecasts.map((e) => <OneEndpoint key={e.endpoint.name} name={e.endpoint.name} />)}</Stack>;
        }}
      </Loaded>
    </Page>
  );
}

function OneEndpoint({ name }: { name: string }) {
  const q = useForecast(name);
  return (
    <Loaded query={q} height={300}>
      {(view) => (
        <section aria-labelledby={`f-${name}`}>
          <Group gap="sm" mb="xs">
            <h2 id={`f-${name}`} style={{ margin: 0, fontSize: '1.2rem' }}>{view.title || name}</h2>
            <DemoMark on={view.demo} />
            {view.alert && <Badge color="red" component={Link} href={`/drift/${name}`} style={{ cursor: 'pointer' }}>{t('forecast.alert')}</Badge>}
            {view.phase && view.phase !== 'watching' && <Badge color="blue">{word('phase', view.phase)}</Badge>}
          </Group>
          {rows(view.groups).length === 0 && <Card label={view.title}><Text className="quiet">{t('forecast.none')}</Text></Card>}
          <Stack gap="md">{rows(view.groups).map((g) => <OneGroup key={g.group ?? ''} g={g} view={view} />)}</Stack>
        </section>
      )}
    </Loaded>
  );
}

function OneGroup({ g, view }: { g: GroupForecast; view: ForecastView }) {
  const [wrong, setWrong] = useState(false);
  const me = useWho();
  const recent = rows(g.recent);
  const f = frequencyOf(recent);
  const when = whenSaid(g, f, readersNow(g, !!view.demo));
  const season = lastSeason(g, f);
  const range = rangeSaid(g, f);
  const series = seriesName(g.group ?? '', view.demo);
  const name = series || view.title || view.endpoint;
  return (
    <Card label={`${view.title || view.endpoint}: ${series || t('forecast.one')}`}>
      <Group justify="space-between" align="flex-start" gap="md">
        <div style={{ flex: '1 1 320px' }}>
          {series && <Text fw={600}>{series}{series !== g.group && <span className="quiet mono"> {g.group}</span>}</Text>}
          <p className="say">
            <T k="forecast.expected" when={when} value={<b className="big" style={{ display: 'block' }}>{num(g.forecast)}</b>} unit={<span className="quiet">{view.unit ? `${view.unit} ` : ''}{t('forecast.expectedWord')}</span>} />
          </p>
          <Text size="lg" mt={6}>
            {[range, season].filter(Boolean).join('; ')}
            {range || season ? '.' : ''}
          </Text>
          {g.truth != null && <Text mt={4}>{t('forecast.truth', { value: num(g.truth) })}</Text>}
        </div>
        <div style={{ flex: '0 1 300px' }}>
          <Text size="sm">{coverageSaid(g, f)}</Text>
          {g.mae > 0 && <Text size="sm">{t('forecast.error', { value: sig(g.mae) })}</Text>}
          <Text size="sm" className="quiet" mt={6}>
            <T k="forecast.by" version={<To href={`/endpoints/${view.endpoint}`}>{t('version.short', { v: g.version })}</To>} at={moment(g.said_at)} />{' '}
            {some(g.data_to) && t('forecast.data', { day: step(g.data_to) })}
            {!view.demo && some(g.data_to) && ` (${ago(g.data_to)})`}
          </Text>
          <MayButton verb="feedback" on="endpoint" variant="default" size="xs" mt="sm" onClick={() => setWrong(true)}>{t('forecast.wrong')}</MayButton>
        </div>
      </Group>
      {recent.length > 1 && <div style={{ marginTop: 14 }}><Recent g={g} name={name} /></div>}
      <Ask
        title={t('forecast.wrong')}
        open={wrong}
        close={() => setWrong(false)}
        label={t('forecast.wrongWhat')}
        go={t('action.send')}
        cli={(note) => `edgeward feedback ${g.prediction_id} --wrong --note ${JSON.stringify(note || '…')}`}
        act={async (note) => {
          await post<FeedbackAnswer>('/feedback', { items: [{ prediction_id: g.prediction_id, source: me.principal, kind: 'wrong', note }] });
          done(t('feedback.thanks'));
        }}
      >
        <Text size="sm">{t('forecast.wrongWhy', { when })}</Text>
      </Ask>
    </Card>
  );
}

/** The last steps: what was said against what happened, and what is said of the next. */
function Recent({ g, name }: { g: GroupForecast; name: string }) {
  const points = [...rows(g.recent)];
  if (!points.some((p) => p.target === g.target))
    points.push({ prediction_id: g.prediction_id, target: g.target, version: g.version, role: 'live', forecast: g.forecast, low: g.low, high: g.high, truth: g.truth });
  return (
    <Chart
      label={t('forecast.chart', { name })}
      times={points.map((p) => p.target)}
      lines={[
        { label: t('forecast.line'), values: points.map((p) => p.forecast), colour: '--edge-forecast' },
        { label: t('forecast.truthLine'), values: points.map((p) => p.truth), colour: '--edge-truth', points: true },
      ]}
      band={points.some((p) => p.low != null) ? { label: t('forecast.interval'), low: points.map((p) => p.low), high: points.map((p) => p.high) } : undefined}
      show={(x) => num(x)}
      when={step}
      height={230}
    />
  );
}
