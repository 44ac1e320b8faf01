import { Button, Progress } from '@mantine/core';
import { Link } from 'wouter';
import { ended, useJobs } from '../../api/queries';
import { ago, took } from '../../parts/format';
import { Listing } from '../../parts/listing';
import { State } from '../../parts/page';
import { t, word } from '../../text';

/** Long work, newest first. */
export default function Jobs() {
  return (
    <Listing
      title={t('jobs.title')}
      intro={t('jobs.intro')}
      query={useJobs()}
      head={t('jobs.one')}
      line={(j) => ({
        name: j.title,
        to: `/jobs/${j.id}`,
        demo: j.demo,
        description: j.state === 'running' && <Progress value={j.progress.done * 100} mt={4} aria-label={`${t('jobs.progress')}: ${j.title}`} />,
      })}
      empty={{ title: t('jobs.none'), what: t('jobs.emptyWhat'), cli: 'edgeward job list', action: <Button component={Link} href="/data">{t('begin.import')}</Button> }}
      columns={[
        { label: t('col.state'), cell: (j) => <><State of={j.state} />{!ended(j.state) && j.progress.stage && <div className="quiet" style={{ fontSize: '0.82rem' }}>{word('stage', j.progress.stage)}</div>}</> },
        { label: t('jobs.started'), cell: (j) => ago(j.started ?? j.created) },
        { label: t('predictions.took'), num: true, cell: (j) => took(j.started, j.ended) },
        { label: t('col.by'), cell: (j) => j.by },
      ]}
    />
  );
}
