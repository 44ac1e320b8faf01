import { useState, type ReactNode } from 'react';
import { Button, Group, Modal, Stack, Textarea } from '@mantine/core';
import { t } from '../text';
import { Twin } from './copy';
import { Trouble } from './trouble';

/** A dialog for what needs a reason. act gets it; the dialog closes when act is done and shows its trouble otherwise. */
export function Ask({ title, open, close, act, children, cli, go, danger, optional, label, ready = true }: {
  title: string; open: boolean; close: () => void; act: (reason: string) => Promise<unknown>; children?: ReactNode;
  cli?: (reason: string) => string; go?: string; danger?: boolean; optional?: boolean; label?: string; ready?: boolean;
}) {
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const leave = () => {
    setError(undefined);
    close();
  };
  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await act(reason.trim());
      setReason('');
      close();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={open} onClose={leave} title={title} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form onSubmit={(e) => { e.preventDefault(); void submit(); }}>
        <Stack gap="md">
          {children}
          <Textarea
            label={label ?? t('ask.reason')}
            description={label ? undefined : t('ask.why')}
            value={reason}
            onChange={(e) => setReason(e.currentTarget.value)}
            autosize
            minRows={2}
            maxLength={2000}
            required={!optional}
            data-autofocus
          />
          {cli && <Twin>{cli(reason.trim())}</Twin>}
          <Trouble error={error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={leave}>{t('action.cancel')}</Button>
            <Button type="submit" loading={busy} color={danger ? 'red' : undefined} disabled={(!optional && !reason.trim()) || !ready}>{go ?? t('action.confirm')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
