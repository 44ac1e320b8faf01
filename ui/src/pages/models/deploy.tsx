import { useState } from 'react';
import { Checkbox, SegmentedControl, Select, Text, TextInput } from '@mantine/core';
import { useLocation } from 'wouter';
import { post, Refused } from '../../api/client';
import { useAct } from '../../api/queries';
import type { EndpointRequest, EndpointView, Spec, Version } from '../../api/types';
import { Ask } from '../../parts/ask';
import { isName } from '../../parts/drop';
import { done } from '../../parts/trouble';
import { t } from '../../text';

/** Makes a version answer: behind an endpoint that is there, or a new one. */
export function Deploy({ v, endpoints, open, close }: { v: Version; endpoints: string[]; open: boolean; close: () => void }) {
  const [kind, setKind] = useState<'old' | 'new'>();
  const [old, setOld] = useState<string | null>(null);
  const [name, setName] = useState(v.model);
  const [title, setTitle] = useState('');
  const [record, setRecord] = useState<string | null>('none');
  const [description, setDescription] = useState('');
  const [notFinite, setNotFinite] = useState(false);
  const [, navigate] = useLocation();
  const make = useAct((r: EndpointRequest) => post<EndpointView>('/endpoints', r), 'endpoint', 'model');
  const promote = useAct((x: { name: string; reason: string }) => post<Spec>(`/endpoints/${x.name}/promote`, { version: v.number, reason: x.reason }), 'endpoint', 'model', 'forecast', 'drift');
  const fresh = (kind ?? (endpoints.length ? 'old' : 'new')) === 'new';
  const target = fresh ? name : (old ?? endpoints[0] ?? '');
  return (
    <Ask
      title={t('deploy.title')}
      open={open}
      close={close}
      go={t('deploy.go')}
      ready={isName(target)}
      cli={(reason) => `${fresh ? `edgeward endpoint create ${target} --model ${v.model}${title ? ` --title ${JSON.stringify(title)}` : ''}${description ? ` --description ${JSON.stringify(description)}` : ''}${record && record !== 'none' ? ` --record ${record}` : ''}${notFinite ? ' --not-finite' : ''}\n` : ''}edgeward deploy promote ${target} ${v.number} --reason ${JSON.stringify(reason || '…')}`}
      act={async (reason) => {
        if (fresh)
          await make.mutateAsync({ name, model: v.model, title: title || undefined, description: description || undefined, not_finite: notFinite || undefined, record: record ?? undefined }).catch((e: unknown) => {
            // Made by an earlier try whose promotion failed: go on with it.
            if (!(e instanceof Refused) || e.problem.code !== 'endpoint.exists') throw e;
          });
        await promote.mutateAsync({ name: target, reason });
        done(t('deploy.done', { v: v.number, name: target }));
        navigate(`/endpoints/${target}`);
      }}
    >
      <Text size="sm">{t('deploy.what', { v: v.number })}</Text>
      {endpoints.length > 0 && <SegmentedControl fullWidth aria-label={t('deploy.where')} value={fresh ? 'new' : 'old'} onChange={(k) => setKind(k as 'old' | 'new')} data={[{ value: 'old', label: t('deploy.old') }, { value: 'new', label: t('deploy.new') }]} />}
      {fresh ? (
        <>
          <TextInput label={t('deploy.name')} description={t('deploy.nameWhat')} value={name} onChange={(e) => setName(e.currentTarget.value)} error={isName(name) ? undefined : t('name.bad')} required />
          <TextInput label={t('deploy.label')} description={t('deploy.labelWhat')} value={title} onChange={(e) => setTitle(e.currentTarget.value)} maxLength={200} />
          <Select label={t('deploy.record')} description={t('deploy.recordWhat')} data={['none', 'features', 'full'].map((value) => ({ value, label: t(`record.${value as 'none'}`) }))} value={record} onChange={setRecord} allowDeselect={false} />
          <details>
            <summary>{t('scoring.more')}</summary>
            <TextInput mt={8} label={t('limits.description')} description={t('limits.descriptionWhat')} value={description} onChange={(e) => setDescription(e.currentTarget.value)} maxLength={2000} />
            <Checkbox mt={10} label={t('deploy.notFinite')} description={t('deploy.notFiniteWhat')} checked={notFinite} onChange={(e) => setNotFinite(e.currentTarget.checked)} />
          </details>
        </>
      ) : (
        <Select label={t('endpoints.one')} data={endpoints} value={old ?? endpoints[0] ?? null} onChange={setOld} allowDeselect={false} required />
      )}
    </Ask>
  );
}
