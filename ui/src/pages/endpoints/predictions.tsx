import { useMemo, useState } from 'react';
import { Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { get, type Refused } from '../../api/client';
import { rows, type EndpointView, type List, type PredictionLine } from '../../api/types';
import { DataTable, type Columns } from '../../parts/datatable';
import { millis, moment, num, sig, step } from '../../parts/format';
import { Card, State, To } from '../../parts/page';
import { seriesName } from '../../parts/series';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

/** What was said, newest first. */
export function Predictions({ of: e }: { of: EndpointView }) {
  const [role, setRole] = useState<string | null>(null);
  const [key, setKey] = useState('');
  const q = useInfiniteQuery<List<PredictionLine>, Refused>({
    queryKey: ['prediction', e.endpoint.name, role, key],
    queryFn: ({ pageParam }) => get(`/endpoints/${e.endpoint.name}/predictions`, { limit: 200, cursor: pageParam as string, role: role ?? undefined, key: key || undefined }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
  });
  const all = useMemo(() => q.data?.pages.flatMap((p) => rows(p.items)) ?? [], [q.data]);
  const columns = useMemo<Columns<PredictionLine>>(
    () => [
      { id: 'target', header: t('predictions.for'), accessorFn: (p) => p.target ?? p.event_time, cell: (c) => <To href={`/predictions/${c.row.original.id}`}>{step(c.getValue() as string)}</To> },
      { id: 'key', header: t('gaps.series'), accessorFn: (p) => seriesName(p.key ?? '', p.demo) },
      { id: 'said', header: t('predictions.said'), accessorFn: (p) => rows(p.values)[0], cell: (c) => (c.row.original.error ? <span style={{ color: 'var(--edge-bad)' }}>{c.row.original.error}</span> : sig(c.getValue() as number)), meta: { num: true } },
      { id: 'truth', header: t('predictions.truth'), accessorFn: (p) => p.truth ?? undefined, cell: (c) => c.row.original.label || (c.getValue() === undefined ? '–' : num(c.getValue() as number, 3)), meta: { num: true } },
      { id: 'version', header: t('col.version'), accessorFn: (p) => p.version, cell: (c) => <>{c.row.original.version} <State of={c.row.original.role} kind="role" /></> },
      { id: 'ms', header: t('predictions.took'), accessorFn: (p) => p.latency_us, cell: (c) => millis((c.getValue() as number) / 1000), meta: { num: true } },
      { id: 'at', header: t('predictions.at'), accessorFn: (p) => p.received_at, cell: (c) => moment(c.getValue() as string) },
      { id: 'wrong', header: t('predictions.flags'), accessorFn: (p) => p.wrong ?? 0, cell: (c) => ((c.getValue() as number) ? t('predictions.wrong', { n: c.getValue() as number }) : '') },
    ],
    [],
  );
  return (
    <Card label={t('endpoints.predictions')}>
      <Stack gap="sm">
        <Group gap="sm">
          <Select label={t('col.role')} size="xs" data={['live', 'canary', 'shadow', 'direct'].map((value) => ({ value, label: t(`role.${value as 'live'}`) }))} value={role} onChange={setRole} clearable clearButtonProps={{ 'aria-label': t('action.all') }} placeholder={t('action.all')} />
          <TextInput label={t('gaps.series')} size="xs" value={key} onChange={(ev) => setKey(ev.currentTarget.value)} placeholder={t('action.all')} />
        </Group>
        <Trouble error={q.error} />
        {q.data && all.length === 0 ? <Text className="quiet">{t('predictions.none')}</Text> : <DataTable rows={all} columns={columns} label={t('endpoints.predictions')} end={() => q.hasNextPage && !q.isFetching && void q.fetchNextPage()} />}
      </Stack>
    </Card>
  );
}
