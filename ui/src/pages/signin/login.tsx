import { useState } from 'react';
import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { post } from '../../api/client';
import type { Me } from '../../api/types';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { Door } from './door';

/** Sign-in with name and password; pasting and password managers work. */
export function Login({ then }: { then: string }) {
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await post<Me>('/session', { user, password });
      await client.resetQueries();
      navigate(then, { replace: true });
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Door title={t('login.title')}>
      <form onSubmit={(e) => { e.preventDefault(); void submit(); }}>
        <Stack>
          <TextInput label={t('login.user')} name="username" autoComplete="username" value={user} onChange={(e) => setUser(e.currentTarget.value)} required autoFocus />
          <PasswordInput label={t('login.password')} name="password" autoComplete="current-password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} required visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
          <Trouble error={error} />
          <Button type="submit" loading={busy}>{t('login.go')}</Button>
          <Text size="sm" className="quiet">{t('login.lost')}</Text>
        </Stack>
      </form>
    </Door>
  );
}
