import { useState } from 'react';
import { Button, PasswordInput, Stack, Tabs } from '@mantine/core';
import { post } from '../../api/client';
import { useAct } from '../../api/queries';
import { useMay } from '../../parts/may';
import { Card, Page } from '../../parts/page';
import { done, Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { Groups } from './groups';
import { Tokens } from './tokens';
import { Users } from './users';

/** Who may do what: people, groups, tokens, and one's own password. */
export default function Access() {
  const may = useMay();
  return (
    <Page title={t('access.title')} intro={t('access.intro')}>
      <Tabs defaultValue={may('list', 'user') ? 'users' : 'tokens'} keepMounted={false}>
        <Tabs.List mb="md">
          {may('list', 'user') && <Tabs.Tab value="users">{t('access.users')}</Tabs.Tab>}
          {may('list', 'group') && <Tabs.Tab value="groups">{t('access.groups')}</Tabs.Tab>}
          {may('list', 'token') && <Tabs.Tab value="tokens">{t('access.tokens')}</Tabs.Tab>}
          <Tabs.Tab value="me">{t('account.password')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="users"><Users /></Tabs.Panel>
        <Tabs.Panel value="groups"><Groups /></Tabs.Panel>
        <Tabs.Panel value="tokens"><Tokens /></Tabs.Panel>
        <Tabs.Panel value="me"><Password /></Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Password() {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const change = useAct(() => post('/me/password', { old, new: fresh }));
  return (
    <Card title={t('account.password')}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          change.mutate(undefined as never, { onSuccess: () => { setOld(''); setFresh(''); done(t('access.changed')); } });
        }}
      >
        <Stack maw={360}>
          <PasswordInput label={t('access.old')} autoComplete="current-password" value={old} onChange={(e) => setOld(e.currentTarget.value)} required visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
          <PasswordInput label={t('access.new')} description={t('setup.passwordRule')} autoComplete="new-password" value={fresh} onChange={(e) => setFresh(e.currentTarget.value)} required visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
          <Trouble error={change.error} />
          <Button type="submit" loading={change.isPending}>{t('action.save')}</Button>
        </Stack>
      </form>
    </Card>
  );
}
