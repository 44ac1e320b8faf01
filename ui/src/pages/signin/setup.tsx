import { useState } from 'react';
import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { post } from '../../api/client';
import type { Me } from '../../api/types';
import { Code } from '../../parts/copy';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { Door } from './door';

/** The first administrator. The secret is the fragment of the printed link, which no server log ever sees. */
export function Setup({ open }: { open?: boolean }) {
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const [secret, setSecret] = useState(() => decodeURIComponent(location.hash.slice(1)));
  const [user, setUser] = useState('admin');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const given = location.hash.length > 1;
  if (open === false)
    return (
      <Door title={t('setup.title')}>
        <Stack>
          <Text>{t('setup.over')}</Text>
          <Anchor href="/login">{t('setup.signIn')}</Anchor>
        </Stack>
      </Door>
    );
  const differ = again !== '' && again !== password ? t('setup.differ') : undefined;
  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await post<Me>('/setup', { secret: secret.trim(), user, password });
      history.replaceState(null, '', '/'); // the secret leaves the address bar
      await client.resetQueries();
      navigate('/', { replace: true });
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Door title={t('setup.title')}>
      <form onSubmit={(e) => { e.preventDefault(); void submit(); }}>
        <Stack>
          <Text className="quiet">{given ? t('setup.intro') : t('setup.noSecret')}</Text>
          {!given && <Code>edgeward up</Code>}
          {!given && <TextInput label={t('setup.secret')} value={secret} onChange={(e) => setSecret(e.currentTarget.value)} autoComplete="off" required />}
          <TextInput label={t('setup.user')} description={t('name.rule')} autoComplete="username" value={user} onChange={(e) => setUser(e.currentTarget.value)} required />
          <PasswordInput label={t('setup.password')} description={t('setup.passwordRule')} autoComplete="new-password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} required autoFocus visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
          <PasswordInput label={t('setup.again')} autoComplete="new-password" value={again} onChange={(e) => setAgain(e.currentTarget.value)} error={differ} required visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
          <Trouble error={error} />
          <Button type="submit" loading={busy} disabled={!!differ}>{t('setup.go')}</Button>
        </Stack>
      </form>
    </Door>
  );
}
