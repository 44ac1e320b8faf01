import { useState } from 'react';
import { NumberInput, Select, TextInput } from '@mantine/core';
import { patch, seen } from '../../api/client';
import { useAct } from '../../api/queries';
import type { Endpoint, EndpointChange, EndpointView, Limit } from '../../api/types';
import { Ask } from '../../parts/ask';
import { num } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, Facts } from '../../parts/page';
import { done } from '../../parts/trouble';
import { t, word } from '../../text';

const words = (l: Limit | undefined) => (!l?.per_second ? t('limits.none') : t(l.burst ? 'limits.burst' : 'limits.rate', { rate: num(l.per_second, 2), burst: l.burst ?? 0 }));

/** What an endpoint takes and keeps, and the dialog that changes it. */
export function Limits({ of: e }: { of: EndpointView }) {
  const [open, setOpen] = useState(false);
  const x = e.endpoint;
  return (
    <Card title={t('limits.title')} actions={<MayButton verb="update" on="endpoint" size="xs" variant="default" onClick={() => setOpen(true)}>{t('limits.change')}</MayButton>}>
      <Facts
        of={[
          [t('limits.all'), words(x.rate)],
          [t('limits.each'), words(x.principal_rate)],
          [t('limits.inFlight'), num(x.max_in_flight || 256)],
          [t('limits.versions'), x.versions && x.versions !== 'spec' ? x.versions : t('limits.spec')],
          [t('deploy.record'), word('record', x.record || 'none')],
        ]}
      />
      {open && <Change of={x} match={seen(`/endpoints/${x.name}`)} close={() => setOpen(false)} />}
    </Card>
  );
}

function Change({ of: x, match, close }: { of: Endpoint; match: string; close: () => void }) {
  const [rate, setRate] = useState<Limit>({ per_second: x.rate?.per_second ?? 0, burst: x.rate?.burst ?? 0 });
  const [each, setEach] = useState<Limit>({ per_second: x.principal_rate?.per_second ?? 0, burst: x.principal_rate?.burst ?? 0 });
  const [versions, setVersions] = useState(x.versions || 'spec');
  const [record, setRecord] = useState<string>(x.record || 'none');
  const write = useAct((r: EndpointChange) => patch<EndpointView>(`/endpoints/${x.name}`, r, match), 'endpoint');
  const same = (a: Limit, b: Limit | undefined) => a.per_second === (b?.per_second ?? 0) && (a.burst ?? 0) === (b?.burst ?? 0);
  const q: Omit<EndpointChange, 'reason'> = {
    rate: same(rate, x.rate) ? undefined : rate,
    principal_rate: same(each, x.principal_rate) ? undefined : each,
    versions: versions === (x.versions || 'spec') ? undefined : versions,
    record: record === (x.record || 'none') ? undefined : record,
  };
  const flags = [
    q.rate && `--rate ${rate.per_second}${rate.burst ? ` --burst ${rate.burst}` : ''}`,
    q.principal_rate && `--caller-rate ${each.per_second}${each.burst ? ` --caller-burst ${each.burst}` : ''}`,
    q.versions && `--versions ${versions}`,
    q.record && `--record ${record}`,
  ].filter(Boolean);
  const pair = (label: string, v: Limit, set: (l: Limit) => void) => (
    <div className="grid" style={{ gridTemplateColumns: 'repeat(auto-fit, minmax(min(100%, 150px), 1fr))', gap: 12 }}>
      <NumberInput label={label} description={t('limits.perSecond')} min={0} value={v.per_second} onChange={(n) => set({ ...v, per_second: Number(n) || 0, burst: Number(n) ? v.burst : 0 })} />
      <NumberInput label={t('limits.atOnce')} description={t('limits.atOnceWhat')} min={0} allowDecimal={false} disabled={!v.per_second} value={v.burst ?? 0} onChange={(n) => set({ ...v, burst: Number(n) || 0 })} />
    </div>
  );
  return (
    <Ask
      title={t('limits.title')}
      open
      close={close}
      ready={flags.length > 0}
      cli={(reason) => `edgeward endpoint set ${x.name} ${flags.join(' ')} --reason ${JSON.stringify(reason || '…')}`}
      act={async (reason) => {
        await write.mutateAsync({ ...q, reason });
        done(t('change.written'));
      }}
    >
      {pair(t('limits.all'), rate, setRate)}
      {pair(t('limits.each'), each, setEach)}
      <TextInput label={t('limits.versions')} description={t('limits.versionsWhat')} value={versions} onChange={(ev) => setVersions(ev.currentTarget.value)} />
      <Select label={t('deploy.record')} description={t('deploy.recordWhat')} data={['none', 'features', 'full'].map((v) => ({ value: v, label: word('record', v) }))} value={record} onChange={(v) => setRecord(v ?? 'none')} allowDeselect={false} />
    </Ask>
  );
}
