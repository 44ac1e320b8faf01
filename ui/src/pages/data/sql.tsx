import { useState } from 'react';
import { Stack, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { post, type Refused } from '../../api/client';
import { rows, type DatasetVersion, type Rows } from '../../api/types';
import { Twin } from '../../parts/copy';
import { DataTable } from '../../parts/datatable';
import { num } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { columnsOf } from './rows';

/** One read-only question in SQL. */
export function SQLTab({ name, version }: { name: string; version: DatasetVersion }) {
  const first = rows(version.columns)[0]?.name ?? '*';
  const [query, setQuery] = useState(`SELECT "${first}", count(*) AS n\nFROM data\nGROUP BY ALL\nORDER BY n DESC\nLIMIT 20`);
  const run = useMutation<Rows, Refused, string>({ mutationFn: (q) => post(`/datasets/${name}/versions/${version.number}/sql`, { query: q, limit: 1000 }) });
  return (
    <Stack>
      <Card label="SQL">
        <Stack>
          <Textarea label={t('sql.label')} description={t('sql.what')} value={query} onChange={(e) => setQuery(e.currentTarget.value)} autosize minRows={5} maxRows={20} spellCheck={false} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.85rem' } }} onKeyDown={(e) => e.key === 'Enter' && (e.ctrlKey || e.metaKey) && run.mutate(query)} />
          <div><MayButton verb="create" on="query" onClick={() => run.mutate(query)} loading={run.isPending}>{t('sql.run')}</MayButton></div>
          <Trouble error={run.error} />
          <Twin>{`edgeward data sql ${name}/${version.number} ${JSON.stringify(query.replaceAll('\n', ' '))}`}</Twin>
        </Stack>
      </Card>
      {run.data && (
        <Card title={t('sql.answer')}>
          <DataTable rows={rows(run.data.rows) as unknown[][]} columns={columnsOf(run.data)} label={t('sql.answer')} />
          <Text size="sm" className="quiet" mt={8}>{t('data.rowsOf', { shown: num(rows(run.data.rows).length), total: num(run.data.total) })}{run.data.truncated ? ` · ${t('sql.cut')}` : ''}</Text>
        </Card>
      )}
    </Stack>
  );
}
