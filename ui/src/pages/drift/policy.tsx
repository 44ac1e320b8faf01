import { useState } from 'react';
import { NumberInput, Switch, Text } from '@mantine/core';
import { put, seen } from '../../api/client';
import { useAct } from '../../api/queries';
import type { DriftView, Policy } from '../../api/types';
import { Ask } from '../../parts/ask';
import { num, percent } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, Facts } from '../../parts/page';
import { done } from '../../parts/trouble';
import { t, type Key } from '../../text';

const numbers: { key: keyof Policy; label: Key; share?: boolean; flag: string; min: number }[] = [
  { key: 'cool_down_days', label: 'policy.cool', flag: 'cool-down-days', min: 0 },
  { key: 'evaluation_days', label: 'policy.evaluation', flag: 'evaluation-days', min: 90 },
  { key: 'training_days', label: 'policy.training', flag: 'training-days', min: 0 },
  { key: 'shadow_answers', label: 'policy.shadow', flag: 'shadow-answers', min: 0 },
  { key: 'canary_share', label: 'policy.canary', share: true, flag: 'canary-share', min: 1 },
  { key: 'canary_answers', label: 'policy.canaryAnswers', flag: 'canary-answers', min: 0 },
  { key: 'max_attempts', label: 'policy.attempts', flag: 'max-attempts', min: 0 },
];

/** How the endpoint is watched and retrained. */
export function PolicyCard({ of: v }: { of: DriftView }) {
  const [open, setOpen] = useState(false);
  const p = v.loop.policy;
  return (
    <Card title={t('policy.title')} actions={<MayButton verb="update" on="loop" size="xs" variant="default" onClick={() => setOpen(true)}>{t('policy.change')}</MayButton>}>
      <Facts
        of={[
          [t('policy.years'), num(v.settings.years_per_false_alarm || 4, 1)],
          ...numbers.map(({ key, label, share }): [string, string] => [t(label), key === 'training_days' && !p[key] ? t('policy.all') : key === 'max_attempts' && !p[key] ? t('policy.noLimit') : share ? percent(p[key] as number) : num(p[key] as number)]),
          [t('policy.approval'), p.unattended ? t('policy.unattended', { by: p.principal }) : t('policy.person')],
        ]}
      />
      {open && <Form v={v} close={() => setOpen(false)} />}
    </Card>
  );
}

function Form({ v, close }: { v: DriftView; close: () => void }) {
  const [p, setP] = useState<Policy>(v.loop.policy);
  const [tag] = useState(() => seen(`/endpoints/${v.endpoint}/drift`)); // as the form was filled in from it
  const [years, setYears] = useState<number>(v.settings.years_per_false_alarm || 4);
  const save = useAct((reason: string) => put(`/endpoints/${v.endpoint}/policy`, { policy: p, years_per_false_alarm: years, reason }, tag), 'drift');
  const flags = numbers.filter(({ key }) => p[key] !== v.loop.policy[key]).map(({ key, flag }) => ` --${flag} ${String(p[key])}`);
  return (
    <Ask
      title={t('policy.title')}
      open
      close={close}
      cli={(reason) => `edgeward endpoint policy ${v.endpoint}${flags.join('')} --reason ${JSON.stringify(reason || '…')}`}
      act={async (reason) => {
        await save.mutateAsync(reason);
        done(t('policy.saved'));
      }}
    >
      <NumberInput label={t('policy.years')} min={0.5} max={1000} value={years} onChange={(x) => setYears(Number(x))} />
      {numbers.map(({ key, label, share, min }) => (
        <NumberInput key={key} label={t(label)} min={min} suffix={share ? ' %' : undefined} value={share ? Math.round((p[key] as number) * 100) : (p[key] as number)} onChange={(x) => setP({ ...p, [key]: share ? Number(x) / 100 : Number(x) })} />
      ))}
      <Switch label={t('policy.needPerson')} checked={!p.unattended} onChange={(e) => setP({ ...p, unattended: !e.currentTarget.checked })} disabled={!p.unattended && !p.principal} />
      {!p.unattended && !p.principal && <Text size="sm" className="quiet">{t('policy.noPrincipal')}</Text>}
    </Ask>
  );
}
