import { useState } from 'react';
import { Alert, Button, Group, Select, Stack, Text } from '@mantine/core';
import { Link } from 'wouter';
import { post } from '../../api/client';
import { useAct, useCandidates } from '../../api/queries';
import { rows, type Candidate } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Empty } from '../../parts/empty';
import { ago, day, num, sig, some, step } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { DemoMark, Facts, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { T, t, word } from '../../text';

/** Every attempt to replace a live version, with its verdict; losers stay visible. */
export default function Candidates() {
  const [endpoint, setEndpoint] = useState<string | null>(null);
  const q = useCandidates();
  return (
    <Page title={t('candidates.title')} intro={t('candidates.intro')}>
      <Loaded query={q}>
        {(list) => {
          const all = rows(list.items);
          const endpoints = [...new Set(all.map((c) => c.endpoint))];
          const shown = all.filter((c) => !endpoint || c.endpoint === endpoint);
          if (all.length === 0)
            return (
              <Empty title={t('candidates.empty')} action={<Button component={Link} href="/drift">{t('drift.title')}</Button>} cli={'edgeward retrain ENDPOINT --reason "…"'}>
                {t('candidates.emptyWhat')}
              </Empty>
            );
          return (
            <Stack gap="md">
              {endpoints.length > 1 && <Select label={t('endpoints.one')} size="xs" maw={280} data={endpoints} value={endpoint} onChange={setEndpoint} clearable clearButtonProps={{ 'aria-label': t('action.all') }} placeholder={t('action.all')} />}
              {shown.map((c) => <One key={c.id} of={c} />)}
            </Stack>
          );
        }}
      </Loaded>
    </Page>
  );
}

function One({ of: c }: { of: Candidate }) {
  const [word_, setWord] = useState<'approve' | 'reject'>();
  const decide = useAct((reason: string) => post<Candidate>(`/candidates/${c.id}/${word_!}`, { reason }), 'candidate', 'drift', 'endpoint', 'model');
  const judged = c.days > 0;
  return (
    <section className="card" aria-label={`${c.endpoint}, ${t('version.short', { v: c.version })}`}>
      <Group justify="space-between" mb={8}>
        <Group gap="sm">
          <h2 style={{ margin: 0, fontSize: '1.05rem' }}>{c.version ? <To href={`/models/${c.model}/versions/${c.version}`}>{t('version.title', { model: c.model, v: c.version })}</To> : c.model}</h2>
          <State of={c.verdict} kind="verdict" />
          {c.phase && <State of={c.phase} kind="phase" />}
          <DemoMark on={c.demo} />
        </Group>
        <span className="quiet">{ago(c.created)}</span>
      </Group>
      {judged ? (
        <>
          <Text mb={4}>
            <T k={c.verdict === 'won' ? 'verdict.wonSaid' : 'verdict.lostSaid'} challenger={<b>{sig(c.challenger_mae)}</b>} champion={<b>{sig(c.champion_mae)}</b>} v={c.champion} days={num(c.days)} from={day(c.eval_from)} to={day(c.eval_to)} />
          </Text>
          <Interval of={c} />
        </>
      ) : (
        <Text className="quiet" mb={8}>{t('verdict.waiting')}</Text>
      )}
      <div style={{ marginTop: 10, fontSize: '0.9rem' }}>
        <Facts
          of={[
            [t('lineage.trained'), some(c.train_from) ? `${day(c.train_from)} – ${day(c.train_to)}` : t('verdict.allTo', { day: day(c.train_to) })],
            [t('verdict.judged'), `${day(c.eval_from)} – ${day(c.eval_to)}${judged ? `, ${t('verdict.days', { n: c.days })}` : ''}`],
            [t('col.why'), c.why ? word('why', c.why) : undefined],
            [t('verdict.promoted'), c.promoted ? `${step(c.promoted)}, ${c.by ?? ''}${c.reason ? `: ${c.reason}` : ''}` : undefined],
            [t('endpoints.one'), <To href={`/drift/${c.endpoint}`}>{c.endpoint}</To>],
            [t('lineage.job'), c.job ? <To href={`/jobs/${c.job}`}>{c.job}</To> : undefined],
          ]}
        />
      </div>
      {c.phase === 'approval' && (
        <Alert color="yellow" mt="md" title={t('verdict.waits')}>
          <Group gap="xs">
            <MayButton verb="approve" on="candidate" onClick={() => setWord('approve')}>{t('verdict.approve')}</MayButton>
            <MayButton verb="approve" on="candidate" variant="default" onClick={() => setWord('reject')}>{t('verdict.reject')}</MayButton>
          </Group>
        </Alert>
      )}
      {word_ && (
        <Ask key={word_} title={t(`verdict.${word_}`)} open close={() => setWord(undefined)} danger={word_ === 'reject'} cli={(reason) => `edgeward candidate ${word_} ${c.id} --reason ${JSON.stringify(reason || '…')}`} act={(reason) => decide.mutateAsync(reason)}>
          <Text size="sm">{t(`verdict.${word_}What`)}</Text>
        </Ask>
      )}
    </section>
  );
}

/** The interval of champion minus challenger: wholly right of zero means better beyond doubt. */
function Interval({ of: c }: { of: Candidate }) {
  const reach = Math.max(Math.abs(c.low), Math.abs(c.high), 0.1) * 1.25;
  const x = (v: number) => 150 + (v / reach) * 140;
  const colour = c.low > 0 ? 'var(--edge-good)' : c.high < 0 ? 'var(--edge-bad)' : 'var(--edge-warn)';
  return (
    <figure style={{ margin: 0, maxWidth: 460 }}>
      <svg viewBox="0 0 300 46" width="100%" role="img" aria-label={t('verdict.interval', { low: sig(c.low), high: sig(c.high) })}>
        <line x1="150" x2="150" y1="4" y2="30" stroke="var(--mantine-color-dimmed)" strokeDasharray="3 3" />
        <line x1="10" x2="290" y1="17" y2="17" stroke="var(--edge-line)" />
        <line x1={x(c.low)} x2={x(c.high)} y1="17" y2="17" stroke={colour} strokeWidth="7" strokeLinecap="round" />
        <circle cx={x((c.low + c.high) / 2)} cy="17" r="4.5" fill="var(--edge-card)" stroke={colour} strokeWidth="2.5" />
        <g fontSize="9.5" fill="var(--mantine-color-dimmed)">
          <text x="150" y="42" textAnchor="middle">0</text>
          <text x="10" y="42">{t('verdict.worse')}</text>
          <text x="290" y="42" textAnchor="end">{t('verdict.better')}</text>
        </g>
      </svg>
      <figcaption className="quiet" style={{ fontSize: '0.85rem' }}>{t('verdict.interval', { low: sig(c.low), high: sig(c.high) })}</figcaption>
    </figure>
  );
}
