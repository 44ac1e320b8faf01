import { useState } from 'react';
import { Button, Group, Select, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { post, type Refused } from '../../api/client';
import { useDataset, useVersion } from '../../api/queries';
import { rows, type EndpointView, type Features } from '../../api/types';
import { some } from '../../parts/format';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

/** What a forecast speaks of, beside its fields. */
export type About = { group?: string; target?: string; event_time?: string };

/** Fills the form with what the data a version was trained on knows before a step, as serving would compute it. */
export function Fill({ of: e, fill }: { of: EndpointView; fill: (values: Record<string, unknown>, about: About) => void }) {
  const version = useVersion(e.endpoint.model, e.status.live || 0);
  const lineage = version.data?.manifest.lineage;
  if (!lineage?.data_set) return null;
  return <Form e={e} data={lineage.data_set} fill={fill} />;
}

function Form({ e, data, fill }: { e: EndpointView; data: string; fill: (values: Record<string, unknown>, about: About) => void }) {
  const set = useDataset(data);
  const [day, setDay] = useState('');
  const [group, setGroup] = useState<string | null>(null);
  const fields = rows(e.fields);
  const groups = fields.filter((f) => f.kind === 'category').flatMap((f) => rows(f.choices));
  const get = useMutation<Features, Refused, void>({
    mutationFn: () => post(`/datasets/${data}/versions/${set.data?.latest?.number ?? 0}/features`, { endpoint: e.endpoint.name, from: `${day}T00:00:00Z`, to: `${day}T00:00:00Z` }),
    onSuccess: (a) => {
      const row = rows(a.rows).find((r) => !group || r.group === group) ?? rows(a.rows)[0];
      if (!row) return;
      // A category travels as its number among the choices.
      const value = (name: string, v: number | null | undefined) => {
        const f = fields.find((x) => x.name === name);
        return v != null && f?.kind === 'category' ? (rows(f.choices)[v] ?? null) : (v ?? null);
      };
      fill(Object.fromEntries(rows(a.names).map((n, i) => [n, value(n, rows(row.values)[i])])), { group: row.group, target: row.target, event_time: some(row.origin)?.toISOString() });
    },
  });
  return (
    <div>
      <Group align="flex-end" gap="sm">
        <TextInput type="date" label={t('try.day')} value={day} onChange={(ev) => setDay(ev.currentTarget.value)} />
        {groups.length > 0 && <Select label={t('gaps.series')} data={[...new Set(groups)]} value={group} onChange={setGroup} searchable clearable clearButtonProps={{ 'aria-label': t('try.leave') }} />}
        <Button variant="default" onClick={() => get.mutate()} loading={get.isPending} disabled={!day}>{t('try.fill')}</Button>
      </Group>
      {get.data && rows(get.data.rows).length === 0 && <span className="quiet">{t('try.noRow')}</span>}
      <Trouble error={get.error} />
    </div>
  );
}
