import { useEffect, useRef } from 'react';
import { Alert, Group, Progress, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { ended, useJob } from '../api/queries';
import type { Job } from '../api/types';
import { t, word } from '../text';
import { percent } from './format';
import { State, To } from './page';
import { Exact, told } from './trouble';

/** How far a job is; done is called once when it has succeeded. */
export function JobProgress({ id, done }: { id: string; done?: (job: Job) => void }) {
  const { data: job } = useJob(id);
  const client = useQueryClient();
  const told = useRef(false);
  useEffect(() => {
    if (!job || !ended(job.state) || told.current) return;
    told.current = true;
    for (const noun of ['dataset', 'model', 'endpoint', 'overview']) void client.invalidateQueries({ queryKey: [noun] });
    if (job.state === 'succeeded') done?.(job);
  }, [job, done, client]);
  if (!job) return null;
  return (
    <Stack gap={6} role="status" aria-live="polite">
      <Group justify="space-between" gap="xs">
        <To href={`/jobs/${job.id}`}>{job.title}</To>
        <State of={job.state} />
      </Group>
      {!ended(job.state) && <Progress value={job.progress.done * 100} animated aria-label={t('jobs.progress')} />}
      {!ended(job.state) && <Text size="sm" className="quiet">{job.progress.stage ? word('stage', job.progress.stage) : t('state.queued')} · {percent(job.progress.done)}</Text>}
      {job.error && <JobError of={job} />}
    </Stack>
  );
}

/** Why a job failed and what to do about it. */
export function JobError({ of }: { of: Job }) {
  if (!of.error) return null;
  const words = told({ ...of.error, detail: of.error.message });
  return (
    <Alert color="red" title={words.what} role="alert">
      {words.hint && <Text size="sm">{words.hint}</Text>}
      {words.exact && <Exact>{words.exact}</Exact>}
      {of.error.code && <span className="mono quiet">{of.error.code}</span>}
    </Alert>
  );
}
