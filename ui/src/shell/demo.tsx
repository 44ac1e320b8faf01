import { useState } from 'react';
import { Collapse, Progress } from '@mantine/core';
import { useLocation } from 'wouter';
import { remove } from '../api/client';
import { useAct, useDemo } from '../api/queries';
import { rows } from '../api/types';
import { Ask } from '../parts/ask';
import { day, num, seconds } from '../parts/format';
import { MayButton } from '../parts/may';
import { done } from '../parts/trouble';
import { Button, Text } from '@mantine/core';
import { t } from '../text';
import { storyOf } from './story';

/** On every page while demonstration objects exist: what is played, how far it is, and the way to take it all away. */
export function DemoBanner() {
  const { data } = useDemo(true);
  const [open, setOpen] = useState(false);
  const [asking, setAsking] = useState(false);
  const [, navigate] = useLocation();
  const away = useAct(() => remove('/demo'), 'demo', 'health', 'dataset', 'model', 'endpoint', 'job', 'alert', 'candidate');
  if (!data?.present) return null;
  const story = storyOf(data);
  const speed = data.days_per_second && story.playing === 'demo.replay' ? t('demo.speed', { n: num(data.days_per_second) }) : t(story.playing);
  return (
    <aside className="demobar" aria-label={t('demo.title')}>
      <b>{t('demo.title')}</b>
      <span style={{ flex: '1 1 260px' }}>
        {data.running ? speed : t(story.over)}
        {data.day && <> · {t('demo.day', { day: day(data.day) })}</>}
      </span>
      {data.running && <Progress value={data.done * 100} w={110} color="yellow" aria-label={t('demo.progress')} />}
      {rows(data.stages).length > 0 && (
        <Button size="compact-sm" variant="default" onClick={() => setOpen(!open)} aria-expanded={open}>{t('demo.stages')}</Button>
      )}
      <MayButton verb="delete" on="demo" size="compact-sm" variant="default" onClick={() => setAsking(true)}>{t('demo.remove')}</MayButton>
      <div style={{ flexBasis: '100%' }}>
        <Collapse expanded={open}>
          <table className="plain">
            <tbody>
              {rows(data.stages).map((s) => (
                <tr key={s.name}>
                  <td>{s.done ? '✓' : s.name === data.stage ? '▸' : '·'} {s.name}</td>
                  <td className="num">{s.done ? seconds(s.seconds) : ''}</td>
                  <td>{s.note}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Collapse>
        <span style={{ fontSize: '0.82rem' }}>{data.error ? <b>{data.error}</b> : t(story.notice)}</span>
      </div>
      <Ask
        title={t('demo.remove')}
        open={asking}
        close={() => setAsking(false)}
        optional
        danger
        go={t('demo.remove')}
        cli={() => 'edgeward demo remove'}
        act={async () => {
          await away.mutateAsync(undefined as never);
          done(t('demo.removed'));
          navigate('/');
        }}
      >
        <Text>{t('demo.removeWhat')}</Text>
      </Ask>
    </aside>
  );
}
