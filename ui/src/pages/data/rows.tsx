import { useMemo } from 'react';
import { Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { get, type Refused } from '../../api/client';
import { rows, type DatasetVersion, type Rows } from '../../api/types';
import { DataTable, type Columns } from '../../parts/datatable';
import { num } from '../../parts/format';
import { Card } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

const pageSize = 200;

/** One value of a table: null is shown as missing, not as empty. */
export const cell = (v: unknown) =>
  v === null || v === undefined ? <span className="quiet">{t('data.missing')}</span> : typeof v === 'number' ? num(v, 6) : typeof v === 'object' ? JSON.stringify(v) : String(v);

export const columnsOf = (r: Rows | undefined): Columns<unknown[]> =>
  rows(r?.columns).map((name, i) => ({ id: String(i), header: name, accessorFn: (row: unknown[]) => row[i], cell: (c) => cell(c.getValue()), meta: { num: ['float', 'integer', 'DOUBLE', 'BIGINT'].includes(rows(r?.types)[i] ?? '') } }));

/** The rows as they are, fetched as one scrolls. */
export function RowsTab({ name, version }: { name: string; version: DatasetVersion }) {
  const q = useInfiniteQuery<Rows, Refused>({
    queryKey: ['dataset', name, version.number, 'rows'],
    queryFn: ({ pageParam }) => get<Rows>(`/datasets/${name}/versions/${version.number}/rows`, { offset: pageParam as number, limit: pageSize }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => (pages.length * pageSize < last.total ? pages.length * pageSize : undefined),
    staleTime: Infinity,
  });
  const all = useMemo(() => (q.data?.pages.flatMap((p) => rows(p.rows)) ?? []) as unknown[][], [q.data]);
  const columns = useMemo(() => columnsOf(q.data?.pages[0]), [q.data]);
  if (q.error) return <Trouble error={q.error} />;
  return (
    <Card label={t('col.rows')}>
      <DataTable rows={all} columns={columns} label={t('col.rows')} end={() => q.hasNextPage && !q.isFetching && void q.fetchNextPage()} />
      <Text size="sm" className="quiet" mt={8} role="status">{t('data.rowsOf', { shown: num(all.length), total: num(q.data?.pages[0]?.total) })}</Text>
    </Card>
  );
}
