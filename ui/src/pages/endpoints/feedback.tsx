import { useState } from 'react';
import { Alert, Group, NumberInput, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import { post } from '../../api/client';
import { useAct } from '../../api/queries';
import type { FeedbackAnswer } from '../../api/types';
import { Twin } from '../../parts/copy';
import { MayButton, useWho } from '../../parts/may';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

/** What turned out to be true of one prediction, or that it looks wrong. What is true is one of classes, where the model tells classes apart. */
export function FeedbackForm({ prediction, classes = [] }: { prediction: string; classes?: string[] }) {
  const me = useWho();
  const [kind, setKind] = useState('truth');
  const [value, setValue] = useState<number | string>('');
  const [note, setNote] = useState('');
  const say = useAct(() => post<FeedbackAnswer>('/feedback', { items: [{ prediction_id: prediction, source: me.principal, kind, ...(kind === 'wrong' || value === '' ? {} : classes.length ? { label: String(value) } : { value: Number(value) }), note: note || undefined }] }), 'prediction', 'forecast', 'endpoint');
  const ready = kind === 'wrong' ? note.trim() !== '' : value !== '';
  return (
    <Stack gap="sm">
      <SegmentedControl aria-label={t('feedback.title')} value={kind} onChange={setKind} data={['truth', 'wrong', 'correction'].map((k) => ({ value: k, label: t(`feedback.${k as 'truth'}`) }))} />
      <Group align="flex-end" gap="sm">
        {kind !== 'wrong' && (classes.length ? <Select label={t('feedback.class')} data={classes} value={value === '' ? null : String(value)} onChange={(v) => setValue(v ?? '')} searchable={classes.length > 10} w={170} /> : <NumberInput label={t('feedback.value')} value={value} onChange={setValue} hideControls w={130} />)}
        <TextInput label={t('feedback.note')} value={note} onChange={(e) => setNote(e.currentTarget.value)} style={{ flex: 1, minWidth: 160 }} maxLength={1000} required={kind === 'wrong'} />
        <MayButton verb="feedback" on="endpoint" variant="default" onClick={() => say.mutate(undefined as never)} loading={say.isPending} why={ready ? undefined : t('feedback.fill')}>{t('action.send')}</MayButton>
      </Group>
      {say.data && (say.data.missing ? <Alert color="orange">{t('feedback.missing')}</Alert> : <Alert color="green" role="status">{say.data.known ? t('feedback.known') : t('feedback.thanks')}</Alert>)}
      <Trouble error={say.error} />
      <Twin>{`edgeward feedback ${prediction} ${kind === 'wrong' ? '--wrong' : `${kind === 'correction' ? '--correction ' : ''}${classes.length ? '--label' : '--truth'} ${value === '' ? 'VALUE' : classes.length ? JSON.stringify(value) : value}`}${note ? ` --note ${JSON.stringify(note)}` : ''}`}</Twin>
    </Stack>
  );
}
