import { useState } from 'react';
import { Checkbox, Group, NumberInput, SegmentedControl, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { useLocation } from 'wouter';
import { post, Refused } from '../../api/client';
import { useAct, useDatasets, useDatasetVersions, useEndpoints, useGet } from '../../api/queries';
import { rows, type EndpointView, type Field, type Job, type Places, type Scoring, type ScoringRequest } from '../../api/types';
import { Twin } from '../../parts/copy';
import { columnsOf, Drop, isName, Sending } from '../../parts/drop';
import { bytes } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t, word } from '../../text';
import { send } from './file';
import { command } from './twin';
import { sound, timing, When, written } from './when';

type Kind = 'data_set' | 'file' | 'mqtt';

/** Whether columns give a field: the one of its name, or of a tensor NAME_0, NAME_1, … */
const given = (f: Field, columns: string[]) => columns.includes(f.name) || (f.kind === 'tensor' && columns.includes(`${f.name}_0`));

/** Says what is to be scored, when, and where the results go. */
export function Make({ endpoint: begun }: { endpoint?: string }) {
  const endpoints = useEndpoints();
  const sets = useDatasets();
  const places = useGet<Places>('scoring', '/scoring-places', {}, { staleTime: 60_000 });
  const [endpoint, setEndpoint] = useState<string | null>(begun ?? null);
  const [kind, setKind] = useState<Kind>('data_set');
  const [set, setSet] = useState<string | null>(null);
  const [version, setVersion] = useState('0');
  const [file, setFile] = useState<File>();
  const [header, setHeader] = useState<string[]>([]);
  const [topic, setTopic] = useState('');
  const [own, setOwn] = useState<string>(); // a name of one's own; until then the one we make up
  const [renamed, setRenamed] = useState<Record<string, string>>({});
  const [roles, setRoles] = useState<{ time?: string; series?: string; target?: string }>({});
  const [history, setHistory] = useState(false);
  const [by, setBy] = useState('0');
  const [format, setFormat] = useState('csv');
  const [maxFailed, setMaxFailed] = useState(1000);
  const [to, setTo] = useState<string[]>([]);
  const [into, setInto] = useState('');
  const [when, setWhen] = useState(() => timing());
  const [now, setNow] = useState(true);
  const [sent, setSent] = useState<number>();
  const [, navigate] = useLocation();

  const view = useGet<EndpointView>('endpoint', `/endpoints/${endpoint}`, {}, { enabled: !!endpoint });
  const versions = useDatasetVersions(set ?? '', !!set);
  const chosen = rows(versions.data?.items).find((v) => v.number === Number(version)) ?? rows(sets.data?.items).find((d) => d.name === set)?.latest;
  const forecast = view.data?.endpoint.kind === 'forecast';
  const columns = kind === 'data_set' ? rows(chosen?.columns).map((c) => c.name) : kind === 'file' && file ? header : [];
  const lacking = forecast || columns.length === 0 ? [] : rows(view.data?.fields).filter((f) => !given(f, columns));
  const name = own ?? `${endpoint ?? ''}-${kind === 'data_set' ? (set ?? 'rows') : kind}`.slice(0, 63).replace(/^-|-+$/g, '');
  const later = kind !== 'mqtt';
  const timed = kind === 'data_set';
  const ask: ScoringRequest = {
    name,
    endpoint: endpoint ?? '',
    version: Number(by) || undefined,
    source: { kind, data_set: timed ? (set ?? '') : undefined, version: (timed && Number(version)) || undefined, topic: kind === 'mqtt' ? topic.trim() || undefined : undefined },
    ...(later && {
      ...(forecast ? { history: history || undefined } : { columns: Object.keys(renamed).length ? renamed : undefined, ...roles }),
      format: format === 'csv' ? undefined : format,
      max_failed: maxFailed === 1000 ? undefined : maxFailed,
      sinks: [...(into ? [{ kind: 'data_set', name: into }] : []), ...to.map((s) => ({ kind: s.split(':')[0]!, name: s.split(':')[1] }))],
    }),
    ...(timed && Object.fromEntries(Object.entries(written(when)).filter(([, v]) => v))),
  };
  const run = kind === 'file' || (timed && now);
  const why =
    (!endpoint && t('scoring.needEndpoint')) || (timed && !set && t('scoring.needSet')) || (kind === 'file' && !file && t('scoring.needFile')) ||
    (lacking.some((f) => !renamed[f.name]) && t('scoring.needColumns')) || (!isName(name) && t('name.bad')) || (into && !isName(into) && t('name.bad')) || (timed && !sound(when) && t('when.bad')) || undefined;
  const make = useAct(async () => {
    await post<Scoring>('/scorings', ask).catch((e: unknown) => {
      // Made by an earlier try whose upload or run failed: go on with it.
      if (!(e instanceof Refused && e.problem.code === 'scoring.exists' && make.error && run)) throw e;
    });
    if (file && kind === 'file') await send(name, file, setSent).finally(() => setSent(undefined));
    if (run) await post<Job>(`/scorings/${name}/run`);
    navigate(`/scoring/${name}`);
  }, 'scoring', 'job');
  const pick = (label: 'time' | 'series' | 'target', of: string[]) => (
    <Select label={t(`scoring.${label}`)} description={t(`scoring.${label}What`)} data={of} value={roles[label] ?? null} onChange={(v) => setRoles((r) => ({ ...r, [label]: v ?? undefined }))} placeholder={t('scoring.no')} clearable clearButtonProps={{ 'aria-label': t('action.remove') }} searchable />
  );
  const dated = kind === 'data_set' ? rows(chosen?.columns).filter((c) => c.type === 'date' || c.type === 'timestamp').map((c) => c.name) : columns;
  const other = () => { setRenamed({}); setRoles({}); };
  return (
    <Card title={t('scoring.new')}>
      <form onSubmit={(e) => { e.preventDefault(); if (!why) make.mutate(undefined as never); }}>
        <Stack gap="md">
          <div className="fields">
            <Select label={t('scoring.endpoint')} description={t('scoring.endpointWhat')} data={rows(endpoints.data?.items).map((e) => e.endpoint.name)} value={endpoint} onChange={(v) => { setEndpoint(v); setBy('0'); other(); }} searchable allowDeselect={false} required />
            <TextInput label={t('col.name')} description={t('name.rule')} value={name} onChange={(e) => setOwn(e.currentTarget.value)} error={own !== undefined && !isName(name) ? t('name.bad') : undefined} maxLength={63} required />
          </div>
          <Title order={3}>{t('scoring.source')}</Title>
          <SegmentedControl fullWidth aria-label={t('scoring.source')} value={kind} onChange={(k) => { setKind(k as Kind); other(); }} data={(['data_set', 'file', 'mqtt'] as const).map((value) => ({ value, label: word('source', value), disabled: value === 'file' && forecast }))} />
          <Text size="sm" className="quiet">{t(`scoring.${kind}What`)}</Text>
          {timed && (
            <div className="fields">
              <Select label={t('scoring.set')} data={rows(sets.data?.items).map((d) => d.name)} value={set} onChange={(v) => { setSet(v); setVersion('0'); other(); }} searchable allowDeselect={false} required />
              <Select label={t('col.version')} data={[{ value: '0', label: t('scoring.newest') }, ...rows(versions.data?.items).map((v) => ({ value: String(v.number), label: t('version.short', { v: v.number }) }))]} value={version} onChange={(v) => { setVersion(v ?? '0'); other(); }} allowDeselect={false} disabled={!set} />
            </div>
          )}
          {kind === 'file' && <Drop label={t('scoring.drop')} accept=".csv,.tsv,.txt,.parquet,.gz" take={(f) => { setFile(f); other(); void columnsOf(f).then(setHeader, () => setHeader([])); }} />}
          {kind === 'file' && file && <Text size="sm"><b>{file.name}</b> <span className="quiet">{bytes(file.size)}</span></Text>}
          {kind === 'mqtt' && <TextInput label={t('scoring.topic')} description={t('scoring.topicWhat')} placeholder={`edgeward/v1/…/predict/${endpoint ?? ''}`} value={topic} onChange={(e) => setTopic(e.currentTarget.value)} maxLength={200} />}
          {lacking.length > 0 && (
            <div role="group" aria-label={t('scoring.columns')}>
              <Text size="sm" mb={8}>{t('scoring.columnsWhat', { n: lacking.length })}</Text>
              <div className="fields">
                {lacking.map((f) => <Select key={f.name} label={t('scoring.columnFor', { field: f.name })} data={columns} value={renamed[f.name] ?? null} onChange={(c) => setRenamed(({ [f.name]: _, ...rest }) => (c ? { ...rest, [f.name]: c } : rest))} searchable required />)}
              </div>
            </div>
          )}
          {later && columns.length > 0 && !forecast && <div className="fields">{pick('time', dated)}{pick('series', columns)}{pick('target', dated)}</div>}
          {timed && forecast && <Checkbox label={t('scoring.history')} description={t('scoring.historyWhat')} checked={history} onChange={(e) => setHistory(e.currentTarget.checked)} />}
          {timed && (
            <>
              <Title order={3}>{t('scoring.schedule')}</Title>
              <When of={when} set={(w) => { setWhen(w); if (w.kind !== when.kind) setNow(w.kind === 'hand'); }} />
              <Checkbox label={t('scoring.now')} checked={now} onChange={(e) => setNow(e.currentTarget.checked)} />
            </>
          )}
          {later && (
            <>
              <Title order={3}>{t('scoring.sinks')}</Title>
              <Text size="sm" className="quiet">{t('scoring.sinksWhat')}</Text>
              <Checkbox.Group label={t('scoring.sendTo')} value={to} onChange={setTo}>
                <Group mt={6}>
                  <Checkbox value="mqtt" label={word('sink', 'mqtt')} disabled={format !== 'csv'} />
                  {(['drop', 'webhook'] as const).flatMap((k) => rows(places.data?.[`${k}s`]).map((n) => <Checkbox key={k + n} value={`${k}:${n}`} label={`${word('sink', k)} ${n}`} />))}
                </Group>
              </Checkbox.Group>
              <div className="fields">
                <TextInput label={t('scoring.into')} description={t('scoring.intoWhat')} value={into} onChange={(e) => setInto(e.currentTarget.value)} error={into && !isName(into) ? t('name.bad') : into && into === set && timed ? t('scoring.intoItself') : undefined} maxLength={63} />
                <Select label={t('scoring.format')} data={[{ value: 'csv', label: 'CSV' }, { value: 'parquet', label: 'Parquet' }]} value={format} onChange={(v) => { setFormat(v ?? 'csv'); if (v !== 'csv') setTo((all) => all.filter((s) => s !== 'mqtt')); }} allowDeselect={false} />
              </div>
            </>
          )}
          <details>
            <summary>{t('scoring.more')}</summary>
            <div className="fields" style={{ marginTop: 10 }}>
              <Select label={t('scoring.by')} description={t('scoring.byWhat')} data={[{ value: '0', label: t('scoring.routed') }, ...rows(view.data?.spec.targets).map((x) => ({ value: String(x.version), label: t('version.short', { v: x.version }) }))]} value={by} onChange={(v) => setBy(v ?? '0')} allowDeselect={false} />
              {later && <NumberInput label={t('scoring.maxFailed')} description={t('scoring.maxFailedWhat')} min={1} max={1_000_000} allowDecimal={false} value={maxFailed} onChange={(n) => setMaxFailed(Number(n) || 1000)} />}
            </div>
          </details>
          <Trouble error={make.error} />
          <Sending share={sent} />
          <Group><MayButton verb="create" on="scoring" onClick={() => make.mutate(undefined as never)} loading={make.isPending} why={why}>{run ? t('scoring.makeRun') : t('scoring.make')}</MayButton></Group>
          <Twin>{command(ask, run ? (kind === 'file' ? (file?.name ?? 'FILE.csv') : true) : false)}</Twin>
        </Stack>
      </form>
    </Card>
  );
}
