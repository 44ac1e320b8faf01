import { useState } from 'react';
import { Badge, Checkbox, Group, MultiSelect, PasswordInput, Select, Stack, Table, TextInput } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useGet } from '../../api/queries';
import { rows, type Group as G, type List, type User } from '../../api/types';
import { Ask } from '../../parts/ask';
import { isName } from '../../parts/drop';
import { ago } from '../../parts/format';
import { MayButton, useWho } from '../../parts/may';
import { Card } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

export const groupRoles = ['owner', 'scientist', 'operator', 'reviewer', 'service'];
export const roleChoices = () => groupRoles.map((value) => ({ value, label: word('grouprole', value) }));

/** The people of this server. */
export function Users() {
  const me = useWho();
  const q = useGet<List<User>>('user', '/users', { limit: 500 });
  const groups = useGet<List<G>>('group', '/groups', { limit: 500 });
  const [adding, setAdding] = useState(false);
  const [changing, setChanging] = useState<{ user: User; what: 'disable' | 'enable' | 'password' }>();
  const [password, setPassword] = useState('');
  const name = (id: string) => rows(groups.data?.items).find((g) => g.id === id)?.name ?? id;
  const act = useAct((reason: string) => post(`/users/${changing!.user.name}/${changing!.what}`, { reason, password: changing!.what === 'password' ? password : undefined }), 'user');
  return (
    <Card title={t('access.users')} actions={<MayButton verb="create" on="user" size="xs" onClick={() => setAdding(true)}>{t('access.addUser')}</MayButton>}>
      <Loaded query={q}>
        {(list) => (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('access.users')}>
            <Table miw={640}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('col.name')}</Table.Th>
                  <Table.Th>{t('access.roles')}</Table.Th>
                  <Table.Th>{t('col.created')}</Table.Th>
                  <Table.Th>{t('access.actions')}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows(list.items).map((u) => (
                  <Table.Tr key={u.id}>
                    <Table.Td><b>{u.name}</b> <span className="quiet">{u.display !== u.name ? u.display : ''}</span> {u.disabled && <Badge color="orange">{t('access.disabled')}</Badge>}</Table.Td>
                    <Table.Td>
                      <Group gap={4}>
                        {u.admin && <Badge color="grape">{t('account.admin')}</Badge>}
                        {rows(u.members).map((m) => <Badge key={m.group} color="gray">{name(m.group)}: {rows(m.roles).map((r) => word('grouprole', r)).join(', ')}</Badge>)}
                      </Group>
                    </Table.Td>
                    <Table.Td>{ago(u.created)}</Table.Td>
                    <Table.Td>
                      <Group gap={6} wrap="nowrap">
                        <MayButton verb="update" on="user" size="compact-xs" variant="default" why={u.name === me.name ? t('access.self') : undefined} onClick={() => setChanging({ user: u, what: u.disabled ? 'enable' : 'disable' })}>{u.disabled ? t('access.enable') : t('access.disable')}</MayButton>
                        <MayButton verb="update" on="user" size="compact-xs" variant="default" onClick={() => setChanging({ user: u, what: 'password' })}>{t('access.setPassword')}</MayButton>
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      {adding && <Add groups={rows(groups.data?.items)} close={() => setAdding(false)} />}
      {changing && (
        <Ask
          title={`${changing.what === 'password' ? t('access.setPassword') : t(`access.${changing.what}`)}: ${changing.user.name}`}
          open
          close={() => setChanging(undefined)}
          danger={changing.what === 'disable'}
          ready={changing.what !== 'password' || password.length > 0}
          cli={(reason) => `edgeward user ${changing.what} ${changing.user.name}${changing.what === 'password' ? ' --password-file -' : ''} --reason ${JSON.stringify(reason || '…')}`}
          act={async (reason) => {
            await act.mutateAsync(reason);
            setPassword('');
          }}
        >
          {changing.what === 'password' && <PasswordInput label={t('access.new')} description={t('setup.passwordRule')} value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="new-password" required visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />}
        </Ask>
      )}
    </Card>
  );
}

function Add({ groups, close }: { groups: G[]; close: () => void }) {
  const [u, setU] = useState({ name: '', display: '', password: '', admin: false, group: groups[0]?.name ?? '', roles: ['operator'] });
  const set = (part: Partial<typeof u>) => setU((x) => ({ ...x, ...part }));
  const make = useAct((reason: string) => post('/users', { ...u, display: u.display || undefined, reason: reason || undefined, ...(u.group ? {} : { group: undefined, roles: undefined }) }), 'user', 'group');
  return (
    <Ask title={t('access.addUser')} open close={close} optional ready={isName(u.name) && u.password !== ''} go={t('action.create')} cli={() => `edgeward user create ${u.name || 'NAME'}${u.group ? ` --member ${u.group}${u.roles.map((r) => ` --role ${r}`).join('')}` : ''} --password-file -`} act={(reason) => make.mutateAsync(reason)}>
      <Stack gap="sm">
        <TextInput label={t('col.name')} description={t('name.rule')} value={u.name} onChange={(e) => set({ name: e.currentTarget.value })} error={u.name && !isName(u.name) ? t('name.bad') : undefined} required autoComplete="off" />
        <TextInput label={t('access.display')} value={u.display} onChange={(e) => set({ display: e.currentTarget.value })} autoComplete="off" />
        <PasswordInput label={t('login.password')} description={t('setup.passwordRule')} value={u.password} onChange={(e) => set({ password: e.currentTarget.value })} required autoComplete="new-password" visibilityToggleButtonProps={{ 'aria-label': t('login.show') }} />
        <Select label={t('account.group')} data={groups.map((g) => g.name)} value={u.group || null} onChange={(v) => set({ group: v ?? '' })} clearable clearButtonProps={{ 'aria-label': t('action.remove') }} />
        {u.group && <MultiSelect label={t('access.roles')} data={roleChoices()} value={u.roles} onChange={(roles) => set({ roles })} />}
        <Checkbox label={t('access.makeAdmin')} description={t('access.adminWhat')} checked={u.admin} onChange={(e) => set({ admin: e.currentTarget.checked })} />
      </Stack>
    </Ask>
  );
}
