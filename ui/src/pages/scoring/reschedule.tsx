import { useState } from 'react';
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct } from '../../api/queries';
import type { Scoring } from '../../api/types';
import { Twin } from '../../parts/copy';
import { done, Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { sound, timing, When, written } from './when';

/** The dialog that changes when a scoring runs. */
export function Reschedule({ of: s, match, close }: { of: Scoring; match: string; close: () => void }) {
  const [when, setWhen] = useState(() => timing(s.schedule, s.zone));
  const { schedule, zone } = written(when);
  const same = schedule === (s.schedule ?? '') && zone === (s.zone ?? '');
  const write = useAct(() => post<Scoring>(`/scorings/${s.name}/schedule`, { schedule, zone: zone || undefined }, match), 'scoring');
  const submit = () =>
    write.mutate(undefined as never, {
      onSuccess: () => {
        done(t('change.written'));
        close();
      },
    });
  return (
    <Modal opened onClose={close} title={t('scoring.schedule')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form onSubmit={(e) => { e.preventDefault(); if (sound(when) && !same) submit(); }}>
        <Stack gap="md">
          <When of={when} set={setWhen} />
          <Text size="sm" className="quiet">{t('when.missed')}</Text>
          <Twin>{`edgeward score schedule ${s.name} ${schedule ? `"${schedule}"${zone ? ` --zone ${zone}` : ''}` : '--off'}`}</Twin>
          <Trouble error={write.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
            <Button type="submit" loading={write.isPending} disabled={same || !sound(when)}>{t('action.save')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
