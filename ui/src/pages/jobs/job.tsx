import { useEffect, useRef, useState } from 'react';
import { Progress, Stack, Switch, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { get, post, type Refused } from '../../api/client';
import { ended, useAct, useJob } from '../../api/queries';
import { rows, type Job as J, type List, type LogLine } from '../../api/types';
import { Code } from '../../parts/copy';
import { clock, moment, percent, took } from '../../parts/format';
import { JobError } from '../../parts/jobprogress';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Facts, Page, State, To } from '../../parts/page';
import { Loaded, Trouble } from '../../parts/trouble';
import { t, word } from '../../text';

/** One job: how far it is, what it says, how it ended. */
export default function Job({ id }: { id: string }) {
  const q = useJob(id);
  const cancel = useAct(() => post<J>(`/jobs/${id}/cancel`), 'job');
  return (
    <Loaded query={q} page={t('jobs.one')} height={300}>
      {(j) => (
        <Page
          title={j.title}
          crumbs={[[t('jobs.title'), '/jobs']]}
          marks={<><State of={j.state} /><DemoMark on={j.demo} /></>}
          actions={!ended(j.state) && <MayButton verb="cancel" on="job" variant="default" onClick={() => cancel.mutate(undefined as never)} loading={cancel.isPending}>{t('jobs.cancel')}</MayButton>}
        >
          <Stack gap="md">
            <Trouble error={cancel.error} />
            <JobError of={j} />
            <Card label={t('jobs.progress')}>
              {!ended(j.state) && (
                <>
                  <Progress value={j.progress.done * 100} animated size="lg" aria-label={t('jobs.progress')} />
                  <Text size="sm" className="quiet" my={8} role="status">{j.progress.stage ? word('stage', j.progress.stage) : t('state.queued')} · {percent(j.progress.done)}</Text>
                </>
              )}
              <Facts
                of={[
                  [t('jobs.kind'), word('job', j.kind)],
                  [t('jobs.result'), <Result key="r" of={j} />],
                  [t('col.created'), `${moment(j.created)}, ${j.by}`],
                  [t('predictions.took'), j.started ? took(j.started, j.ended) : undefined],
                  [t('jobs.attempt'), j.attempt > 1 ? j.attempt : undefined],
                  ['ID', <span key="id" className="mono">{j.id}</span>],
                ]}
              />
            </Card>
            <Log id={id} over={ended(j.state)} />
            <details>
              <summary>{t('jobs.spec')}</summary>
              <pre className="code" tabIndex={0}>{JSON.stringify(j.spec, null, 2)}</pre>
            </details>
            <Code>{`edgeward job log -f ${id}`}</Code>
          </Stack>
        </Page>
      )}
    </Loaded>
  );
}

function Result({ of: j }: { of: J }) {
  const r = j.result ?? {};
  if (typeof r.model === 'string') return <To href={`/models/${r.model}/versions/${String(r.version)}`}>{t('version.title', { model: r.model, v: String(r.version) })}</To>;
  if (typeof r.data_set === 'string') return <To href={`/data/${r.data_set}`}>{r.data_set}, {t('version.short', { v: String(r.version) })}</To>;
  const kept = Object.entries(r);
  if (kept.length === 0) return '–';
  return <>{kept.map(([k, v]) => <div key={k} className="mono">{k}: {typeof v === 'object' ? JSON.stringify(v) : String(v)}</div>)}</>;
}

/** The log as it grows; following it stops when one scrolls up. */
function Log({ id, over }: { id: string; over: boolean }) {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [follow, setFollow] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const last = lines[lines.length - 1]?.n ?? 0;
  const q = useQuery<List<LogLine>, Refused>({
    queryKey: ['job', id, 'log', last],
    queryFn: () => get(`/jobs/${id}/log`, { after: last, limit: 2000 }),
    refetchInterval: over ? false : 1000,
  });
  useEffect(() => {
    const fresh = rows(q.data?.items).filter((l) => l.n > last);
    if (fresh.length) setLines((all) => [...all, ...fresh].slice(-5000));
  }, [q.data, last]);
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follow]);
  return (
    <Card title={t('jobs.log')} actions={<Switch size="xs" label={t('jobs.follow')} checked={follow} onChange={(e) => setFollow(e.currentTarget.checked)} />}>
      <div
        className="log"
        ref={box}
        tabIndex={0}
        role="log"
        aria-label={t('jobs.log')}
        onScroll={(e) => {
          const el = e.currentTarget;
          setFollow(el.scrollTop + el.clientHeight > el.scrollHeight - 30);
        }}
      >
        {lines.length === 0 ? t('jobs.noLog') : lines.map((l) => <div key={l.n}><span className="quiet">{clock(l.time)}</span>  {l.text}</div>)}
      </div>
    </Card>
  );
}
