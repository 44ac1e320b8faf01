import { useState } from 'react';
import { Anchor, Button, Checkbox, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { post } from '../../api/client';
import type { Me, Membership } from '../../api/types';
import { Code } from '../../parts/copy';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { Door } from './door';
import { hubOf, JoinCode } from './joincode';

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
  const [joins, setJoins] = useState(false);
  const [code, setCode] = useState('');
  const [byFile, setByFile] = useState(false);
  const [made, setMade] = useState(false); // the administrator is there; joining is what is left
  const given = location.hash.length > 1;
  if (open === false && !made)
    return (
      <Door title={t('setup.title')}>
        <Stack>
          <Text>{t('setup.over')}</Text>
          <Anchor href="/login">{t('setup.signIn')}</Anchor>
        </Stack>
      </Door>
    );
  const differ = again !== '' && again !== password ? t('setup.differ') : undefined;
  const enter = async (to: string) => {
    await client.resetQueries();
    navigate(to, { replace: true });
  };
  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      if (!made) {
        await post<Me>('/setup', { secret: secret.trim(), user, password });
        history.replaceState(null, '', '/setup'); // the secret leaves the address bar
        setMade(true);
      }
      if (joins) await post<Membership>('/fleet/membership', { code: code.trim(), by_file: byFile });
      await enter(joins ? '/fleet' : '/');
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
          <Text className="quiet">{made ? t('setup.made') : given ? t('setup.intro') : t('setup.noSecret')}</Text>
          {!made && <>
          {!given && <Code>edgeward up</Code>}
          {!given && <TextInput label={t('setup.secret')} value={secret} onChange={(e) => setSecret(e.currentTarget.value)} autoComplete="off" required />}
          <TextInput label={t('setup.user')} description={t('name.rule')} autoComplete="username" value={user} onChange={(e) => setUser(e.currentTarget.value)} required />
          <PasswordInput label={t('setup.password')} description={t('setup.passwordRule')} autoComplete="new-password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} required autoFocus visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
          <PasswordInput label={t('setup.again')} autoComplete="new-password" value={again} onChange={(e) => setAgain(e.currentTarget.value)} error={differ} required visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
          <Checkbox label={t('setup.joins')} checked={joins} onChange={(e) => setJoins(e.currentTarget.checked)} />
          </>}
          {joins && <JoinCode code={code} set={setCode} />}
          {joins && <Checkbox label={t('fleet.byFile')} description={t('fleet.byFileHow')} checked={byFile} onChange={(e) => setByFile(e.currentTarget.checked)} />}
          <Trouble error={error} />
          <Group grow>
            <Button type="submit" loading={busy} disabled={!!differ || (joins && !hubOf(code))}>{made ? t('fleet.join') : joins ? t('setup.goJoin') : t('setup.go')}</Button>
            {made && <Button variant="default" onClick={() => void enter('/')}>{t('setup.alone')}</Button>}
          </Group>
        </Stack>
      </form>
    </Door>
  );
}
