import { useState } from 'react';
import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useLocation } from 'wouter';
import { upload } from '../../api/client';
import type { Job } from '../../api/types';
import { Twin } from '../../parts/copy';
import { columnsOf, Drop, isName, nameFrom, Sending } from '../../parts/drop';
import { bytes } from '../../parts/format';
import { JobProgress } from '../../parts/jobprogress';
import { Card } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

const types = ['float', 'integer', 'text', 'boolean', 'date', 'timestamp'];

/** A file becomes a data set, or the next version of one. */
export function Import({ into }: { into?: string }) {
  const [file, setFile] = useState<File>();
  const [name, setName] = useState(into ?? '');
  const [message, setMessage] = useState('');
  const [columns, setColumns] = useState<string[]>([]);
  const [declared, setDeclared] = useState<Record<string, string>>({});
  const [sent, setSent] = useState<number>();
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState<unknown>();
  const [, navigate] = useLocation();

  const take = (f: File) => {
    setFile(f);
    setError(undefined);
    setJob(undefined);
    setDeclared({});
    if (!into) setName(nameFrom(f.name));
    void columnsOf(f).then((all) => setColumns(all.slice(0, 200)), () => setColumns([]));
  };
  const pairs = Object.entries(declared).map(([c, ty]) => `${c}:${ty}`).join(',');
  const send = async () => {
    if (!file) return;
    setError(undefined);
    setSent(0);
    try {
      setJob(await upload<Job>(`/datasets/${name}/versions`, { filename: file.name, message, types: pairs }, file, setSent));
    } catch (e) {
      setError(e);
    } finally {
      setSent(undefined);
    }
  };
  return (
    <Card title={into ? t('data.next') : t('begin.import')}>
      <Stack gap="md">
        <Drop label={t('data.drop')} accept=".csv,.tsv,.txt,.parquet,.gz" take={take} />
        {file && (
          <>
            <Text size="sm"><b>{file.name}</b> <span className="quiet">{bytes(file.size)}</span></Text>
            <Group align="flex-start" grow preventGrowOverflow={false} gap="md">
              {!into && <TextInput label={t('data.name')} description={t('name.rule')} value={name} onChange={(e) => setName(e.currentTarget.value)} error={name && !isName(name) ? t('name.bad') : undefined} required miw={220} />}
              <TextInput label={t('data.message')} description={t('data.messageWhat')} value={message} onChange={(e) => setMessage(e.currentTarget.value)} maxLength={1000} miw={220} />
            </Group>
            {columns.length > 0 && (
              <details>
                <summary>{t('data.types')}</summary>
                <Text size="sm" className="quiet" my={6}>{t('data.typesWhat')}</Text>
                <div className="grid" style={{ gridTemplateColumns: 'repeat(auto-fill, minmax(190px, 1fr))', gap: 10 }}>
                  {columns.map((c) => (
                    <Select key={c} size="xs" label={c} data={types} value={declared[c] ?? null} placeholder={t('data.auto')} clearable clearButtonProps={{ 'aria-label': t('data.auto') }} onChange={(v) => setDeclared(({ [c]: _, ...rest }) => (v ? { ...rest, [c]: v } : rest))} />
                  ))}
                </div>
              </details>
            )}
            <Trouble error={error} />
            <Sending share={sent} />
            {job ? (
              <JobProgress id={job.id} done={(j) => navigate(`/data/${(j.result?.data_set as string | undefined) ?? name}`)} />
            ) : (
              <Group justify="flex-start"><Button onClick={() => void send()} loading={sent !== undefined} disabled={!isName(name)}>{t('data.go')}</Button></Group>
            )}
            <Twin>{`edgeward data import ${file.name} ${name || 'NAME'}${Object.entries(declared).map(([c, ty]) => ` --type ${c}:${ty}`).join('')}${message ? ` --message ${JSON.stringify(message)}` : ''}`}</Twin>
          </>
        )}
      </Stack>
    </Card>
  );
}
