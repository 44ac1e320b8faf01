import { useState } from 'react';
import { Autocomplete, Checkbox, NumberInput, Select, TextInput } from '@mantine/core';
import { patch } from '../../api/client';
import { useAct, useGet } from '../../api/queries';
import { rows, type Endpoint, type EndpointChange, type EndpointView, type Limit, type List, type RuntimeView } from '../../api/types';
import { useMay } from '../../parts/may';
import { Ask } from '../../parts/ask';
import { done } from '../../parts/trouble';
import { t, word } from '../../text';

type Draft = Required<Omit<EndpointChange, 'reason' | 'rate' | 'principal_rate'>> & { rate: Required<Limit>; principal_rate: Required<Limit> };

const limit = (l: Limit | undefined) => ({ per_second: l?.per_second ?? 0, burst: l?.burst ?? 0 });

/** Every setting of an endpoint as it is, the defaults spelled out. */
const asIs = (x: Endpoint): Draft => ({
  title: x.title ?? '',
  description: x.description ?? '',
  rate: limit(x.rate),
  principal_rate: limit(x.principal_rate),
  max_in_flight: x.max_in_flight ?? 0,
  max_batch: x.max_batch ?? 0,
  versions: x.versions || 'spec',
  record: x.record || 'none',
  record_rate: x.record_rate ?? 0,
  cache: x.cache ?? 0,
  shadow_wait: !!x.shadow_wait,
  worker: x.worker || 'shared',
  pinned: !!x.pinned,
  idle_unload_s: x.idle_unload_s ?? 0,
  device: x.device || 'auto',
  device_required: !!x.device_required,
});

const devices = ['auto', 'cpu', 'onnxruntime-cpu', 'openvino-cpu', 'cuda', 'cuda:1', 'openvino-gpu', 'openvino-npu'];

/** What a model can be told to run on: what every server knows, and the runtime packs of this one. */
const wishes = (packs: RuntimeView[]) => [...devices, ...packs.flatMap((p) => rows(p.devices).map((x) => `${x.toLowerCase()}@${p.name}@${p.version}`))];

const rated = (flag: string, burst: string, l: Required<Limit>) => `--${flag} ${l.per_second}${l.burst ? ` --${burst} ${l.burst}` : ''}`;

/** How the command line names each. */
const flags: { [K in keyof Draft]: (d: Draft) => string } = {
  title: (d) => `--title ${JSON.stringify(d.title)}`,
  description: (d) => `--description ${JSON.stringify(d.description)}`,
  rate: (d) => rated('rate', 'burst', d.rate),
  principal_rate: (d) => rated('caller-rate', 'caller-burst', d.principal_rate),
  max_in_flight: (d) => `--max-in-flight ${d.max_in_flight}`,
  max_batch: (d) => `--max-batch ${d.max_batch}`,
  versions: (d) => `--versions ${d.versions}`,
  record: (d) => `--record ${d.record}`,
  record_rate: (d) => `--record-rate ${d.record_rate}`,
  cache: (d) => `--cache ${d.cache}`,
  shadow_wait: (d) => `--shadow-wait${d.shadow_wait ? '' : '=false'}`,
  worker: (d) => `--worker ${d.worker}`,
  pinned: (d) => `--pinned${d.pinned ? '' : '=false'}`,
  idle_unload_s: (d) => `--idle-unload ${d.idle_unload_s}s`,
  device: (d) => `--device ${d.device}`,
  device_required: (d) => `--device-required${d.device_required ? '' : '=false'}`,
};

/** The dialog that changes an endpoint's words, limits and policies. What is left as it is is not sent. */
export function Change({ of: x, match, close }: { of: Endpoint; match: string; close: () => void }) {
  const [d, setDraft] = useState(() => asIs(x));
  const packs = useGet<List<RuntimeView>>('runtime', '/runtimes', {}, { enabled: useMay()('list', 'runtime') });
  const set = (part: Partial<Draft>) => setDraft((all) => ({ ...all, ...part }));
  const write = useAct((r: EndpointChange) => patch<EndpointView>(`/endpoints/${x.name}`, r, match), 'endpoint');
  const was = asIs(x);
  const changed = (Object.keys(flags) as (keyof Draft)[]).filter((k) => JSON.stringify(d[k]) !== JSON.stringify(was[k]));
  const pair = (label: string, l: Required<Limit>, put: (l: Required<Limit>) => void) => (
    <div className="fields two">
      <NumberInput label={label} description={t('limits.perSecond')} min={0} value={l.per_second} onChange={(n) => put({ per_second: Number(n) || 0, burst: Number(n) ? l.burst : 0 })} />
      <NumberInput label={t('limits.atOnce')} description={t('limits.atOnceWhat')} min={0} allowDecimal={false} disabled={!l.per_second} value={l.burst} onChange={(n) => put({ ...l, burst: Number(n) || 0 })} />
    </div>
  );
  const count = (k: 'max_in_flight' | 'max_batch' | 'record_rate' | 'cache', label: string, what: string, max: number) => (
    <NumberInput label={label} description={what} min={0} max={max} allowDecimal={false} value={d[k]} onChange={(n) => set({ [k]: Number(n) || 0 })} />
  );
  return (
    <Ask
      title={t('limits.title')}
      open
      close={close}
      ready={changed.length > 0}
      cli={(reason) => `edgeward endpoint set ${x.name} ${changed.map((k) => flags[k](d)).join(' ')} --reason ${JSON.stringify(reason || '…')}`}
      act={async (reason) => {
        await write.mutateAsync({ ...Object.fromEntries(changed.map((k) => [k, d[k]])), reason });
        done(t('change.written'));
      }}
    >
      {pair(t('limits.all'), d.rate, (rate) => set({ rate }))}
      {pair(t('limits.each'), d.principal_rate, (principal_rate) => set({ principal_rate }))}
      <div className="fields two">
        {count('max_in_flight', t('limits.inFlight'), t('limits.inFlightWhat'), 65_536)}
        {count('max_batch', t('limits.batch'), t('limits.batchWhat'), 64)}
      </div>
      <TextInput label={t('limits.versions')} description={t('limits.versionsWhat')} value={d.versions} onChange={(e) => set({ versions: e.currentTarget.value })} />
      <div className="fields two">
        <Select label={t('deploy.record')} description={t('deploy.recordWhat')} data={['none', 'features', 'full'].map((v) => ({ value: v, label: word('record', v) }))} value={d.record} onChange={(v) => set({ record: v ?? 'none' })} allowDeselect={false} />
        {count('record_rate', t('limits.recordRate'), t('limits.recordRateWhat'), 1_000_000)}
      </div>
      <details>
        <summary>{t('limits.more')}</summary>
        <div style={{ display: 'grid', gap: 14, marginTop: 10 }}>
          {count('cache', t('limits.cache'), t('limits.cacheWhat'), 1_000_000)}
          <Select label={t('limits.worker')} description={t('limits.workerWhat')} data={[{ value: 'shared', label: t('limits.workerShared') }, { value: 'own', label: t('limits.workerOwn') }]} value={d.worker} onChange={(v) => set({ worker: v ?? 'shared' })} allowDeselect={false} />
          <Autocomplete label={t('limits.device')} description={t('limits.deviceWhat')} data={wishes(rows(packs.data?.items))} value={d.device} onChange={(device) => set({ device, ...(device === 'auto' ? { device_required: false } : {}) })} />
          <Checkbox label={t('limits.mustDevice')} checked={d.device_required} disabled={d.device === 'auto'} onChange={(e) => set({ device_required: e.currentTarget.checked })} />
          <NumberInput label={t('limits.idle')} description={t('limits.idleWhat')} min={0} max={525_600} value={d.idle_unload_s / 60} onChange={(n) => set({ idle_unload_s: Math.round((Number(n) || 0) * 60) })} />
          <Checkbox label={t('limits.pinned')} description={t('limits.pinnedWhat')} checked={d.pinned} onChange={(e) => set({ pinned: e.currentTarget.checked })} />
          <Checkbox label={t('limits.shadowWaits')} description={t('limits.shadowWhat')} checked={d.shadow_wait} onChange={(e) => set({ shadow_wait: e.currentTarget.checked })} />
          <TextInput label={t('deploy.label')} description={t('deploy.labelWhat')} value={d.title} onChange={(e) => set({ title: e.currentTarget.value })} maxLength={200} />
          <TextInput label={t('limits.description')} description={t('limits.descriptionWhat')} value={d.description} onChange={(e) => set({ description: e.currentTarget.value })} maxLength={2000} />
        </div>
      </details>
    </Ask>
  );
}
