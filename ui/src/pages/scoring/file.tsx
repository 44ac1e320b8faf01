import { useState } from 'react';
import { Stack, Text } from '@mantine/core';
import { post, upload } from '../../api/client';
import { useAct } from '../../api/queries';
import type { Job, Scoring } from '../../api/types';
import { Drop, Sending } from '../../parts/drop';
import { Card } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

/** Uploads the rows that the next run of a scoring reads. */
export const send = (name: string, file: File, progress: (share: number) => void) => upload<Scoring>(`/scorings/${name}/file`, { filename: file.name }, file, progress);

/** A file that is dropped here is scored at once. */
export function RunFile({ of: s }: { of: Scoring }) {
  const [sent, setSent] = useState<number>();
  const run = useAct(async (file: File) => {
    await send(s.name, file, setSent).finally(() => setSent(undefined));
    return post<Job>(`/scorings/${s.name}/run`);
  }, 'scoring', 'job');
  return (
    <Card title={t('scoring.nextFile')}>
      <Stack gap="sm">
        {s.source.filename && <Text size="sm">{t('scoring.lastFile')} <b>{s.source.filename}</b></Text>}
        <Drop label={t('scoring.dropRun')} accept=".csv,.tsv,.txt,.parquet,.gz" take={(f) => !run.isPending && run.mutate(f)} />
        <Trouble error={run.error} />
        <Sending share={sent} />
      </Stack>
    </Card>
  );
}
