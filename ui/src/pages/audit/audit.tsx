import { useMemo, useState } from 'react';
import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { get, save, type Refused } from '../../api/client';
import { rows, type AuditResult, type Event, type List } from '../../api/types';
import { Twin } from '../../parts/copy';
import { DataTable, type Columns } from '../../parts/datatable';
import { moment, num, short } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Page, To } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t, word } from '../../text';

const pageOf: Record<string, (name: string) => string> = {
  dataset: (n) => `/data/${n}`,
  model: (n) => `/models/${n}`,
  endpoint: (n) => `/endpoints/${n}`,
  job: (n) => `/jobs/${n}`,
};

/** Who did what, when and why. */
export default function Audit() {
  const [f, setF] = useState({ action: '', principal: '', from: '', to: '' });
  const query = { action: f.action || undefined, principal: f.principal || undefined, from: f.from ? `${f.from}T00:00:00Z` : undefined, to: f.to ? `${f.to}T23:59:59Z` : undefined };
  const q = useInfiniteQuery<List<Event>, Refused>({
    queryKey: ['event', query],
    queryFn: ({ pageParam }) => get('/audit', { ...query, limit: 200, cursor: pageParam as string }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
  });
  const all = useMemo(() => q.data?.pages.flatMap((p) => rows(p.items)) ?? [], [q.data]);
  const columns = useMemo<Columns<Event>>(
    () => [
      { id: 'seq', header: '#', accessorFn: (e) => e.seq, meta: { num: true } },
      { id: 'time', header: t('col.when'), accessorFn: (e) => e.time, cell: (c) => <span style={{ whiteSpace: 'nowrap' }}>{moment(c.getValue() as string)}</span> },
      { id: 'who', header: t('audit.who'), accessorFn: (e) => e.principal },
      { id: 'what', header: t('audit.what'), accessorFn: (e) => e.action, cell: (c) => <>{word('action', c.getValue() as string)} <DemoMark on={c.row.original.demo} /></> },
      {
        id: 'object',
        header: t('audit.object'),
        accessorFn: (e) => e.object.name ?? e.object.id ?? '',
        cell: (c) => {
          const o = c.row.original.object;
          const to = o.kind === 'job' ? o.id : o.name;
          const page = pageOf[o.kind];
          return page && to ? <To href={page(to)}>{o.name || o.id}</To> : `${o.kind} ${o.name ?? o.id ?? ''}`;
        },
      },
      {
        id: 'why',
        header: t('col.why'),
        accessorFn: (e) => e.reason ?? '',
        cell: (c) => (
          <>
            {c.getValue() as string}
            <span className="quiet" style={{ fontSize: '0.85em' }}>{Object.entries(c.row.original.detail ?? {}).map(([k, v]) => ` ${k} ${v}`).join(' ·')}</span>
          </>
        ),
      },
    ],
    [],
  );
  const verify = useMutation<AuditResult, Refused, void>({ mutationFn: () => get('/audit/verify') });
  const exported = useMutation<void, Refused, void>({ mutationFn: () => save('/audit/export', 'edgeward-audit.ndjson') });
  const text = (key: keyof typeof f, label: string, type = 'text') => <TextInput size="xs" type={type} label={label} value={f[key]} onChange={(e) => { const v = e.currentTarget.value; setF((x) => ({ ...x, [key]: v })); }} />;
  return (
    <Page
      title={t('audit.title')}
      intro={t('audit.intro')}
      actions={
        <>
          <Button variant="default" onClick={() => verify.mutate()} loading={verify.isPending}>{t('audit.verify')}</Button>
          <MayButton verb="export" on="event" variant="default" onClick={() => exported.mutate()} loading={exported.isPending}>{t('audit.export')}</MayButton>
        </>
      }
    >
      <Stack gap="md">
        {verify.data && (
          <Alert color={!verify.data.ok ? 'red' : rows(verify.data.witnessed?.against).length > 0 ? 'orange' : 'green'} role="status" title={verify.data.ok ? t('audit.sound', { n: num(verify.data.head.size) }) : t('audit.broken', { n: num(verify.data.bad) })}>
            {verify.data.what} <span className="mono">{short(verify.data.head.root)}</span>
            {!!verify.data.witnessed?.servers && <Text size="sm">{t('audit.witnessed', { n: num(verify.data.witnessed.servers), up: num(verify.data.witnessed.up_to) })}</Text>}
            {rows(verify.data.witnessed?.against).length > 0 && <Text size="sm" fw={700}>{t('audit.against', { who: rows(verify.data.witnessed?.against).join(', ') })}</Text>}
          </Alert>
        )}
        <Trouble error={verify.error ?? exported.error ?? q.error} />
        <Card label={t('audit.title')}>
          <Group gap="sm" mb="md" align="flex-end">
            {text('action', t('audit.what'))}
            {text('principal', t('audit.who'))}
            {text('from', t('audit.from'), 'date')}
            {text('to', t('audit.to'), 'date')}
          </Group>
          {q.data && all.length === 0 ? <Text className="quiet">{t('audit.nothing')}</Text> : <DataTable rows={all} columns={columns} label={t('audit.title')} height={620} end={() => q.hasNextPage && !q.isFetching && void q.fetchNextPage()} />}
        </Card>
        <Twin>{'edgeward audit verify\nedgeward audit export -o audit.ndjson'}</Twin>
      </Stack>
    </Page>
  );
}
