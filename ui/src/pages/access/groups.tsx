import { useState } from 'react';
import { MultiSelect, Select, Stack, Table, Text, TextInput } from '@mantine/core';
import { post, put, remove } from '../../api/client';
import { useAct, useGet } from '../../api/queries';
import { rows, type Group as G, type List, type User } from '../../api/types';
import { Ask } from '../../parts/ask';
import { isName } from '../../parts/drop';
import { ago } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { roleChoices } from './users';

/** Groups own everything; who is in one shares it. */
export function Groups() {
  const q = useGet<List<G>>('group', '/groups', { limit: 500 });
  const users = useGet<List<User>>('user', '/users', { limit: 500 }, { retry: false });
  const [adding, setAdding] = useState(false);
  const [name, setName] = useState('');
  const [title, setTitle] = useState('');
  const [of, setOf] = useState<G>();
  const make = useAct((reason: string) => post('/groups', { name, title: title || undefined, reason: reason || undefined }), 'group', 'me');
  const members = (g: G) => rows(users.data?.items).flatMap((u) => rows(u.members).filter((m) => m.group === g.id).map((m) => `${u.name} (${rows(m.roles).map((r) => word('grouprole', r)).join(', ')})`));
  return (
    <Card title={t('access.groups')} actions={<MayButton verb="create" on="group" size="xs" onClick={() => setAdding(true)}>{t('access.addGroup')}</MayButton>}>
      <Text size="sm" className="quiet" mb="sm">{t('access.groupsWhat')}</Text>
      <Loaded query={q}>
        {(list) => (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('access.groups')}>
            <Table miw={520}>
              <Table.Thead>
                <Table.Tr><Table.Th>{t('col.name')}</Table.Th><Table.Th>{t('access.members')}</Table.Th><Table.Th>{t('col.created')}</Table.Th><Table.Th>{t('access.actions')}</Table.Th></Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows(list.items).map((g) => (
                  <Table.Tr key={g.id}>
                    <Table.Td><b>{g.name}</b> <span className="quiet">{g.title !== g.name ? g.title : ''}</span> <DemoMark on={g.demo} /></Table.Td>
                    <Table.Td>{members(g).join(', ') || '–'}</Table.Td>
                    <Table.Td>{ago(g.created)}</Table.Td>
                    <Table.Td><MayButton verb="update" on="group" size="compact-xs" variant="default" onClick={() => setOf(g)}>{t('access.setMember')}</MayButton></Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      <Ask title={t('access.addGroup')} open={adding} close={() => setAdding(false)} optional ready={isName(name)} go={t('action.create')} cli={() => `edgeward group create ${name || 'NAME'}${title ? ` --title ${JSON.stringify(title)}` : ''}`} act={(reason) => make.mutateAsync(reason)}>
        <TextInput label={t('col.name')} description={t('name.rule')} value={name} onChange={(e) => setName(e.currentTarget.value)} required error={name && !isName(name) ? t('name.bad') : undefined} />
        <TextInput label={t('deploy.label')} value={title} onChange={(e) => setTitle(e.currentTarget.value)} />
      </Ask>
      {of && <Member group={of} users={rows(users.data?.items)} close={() => setOf(undefined)} />}
    </Card>
  );
}

function Member({ group, users, close }: { group: G; users: User[]; close: () => void }) {
  const [user, setUser] = useState<string | null>(null);
  const [roles, setRoles] = useState<string[]>([]);
  const set = useAct((reason: string) => (roles.length ? put(`/groups/${group.name}/members/${user!}`, { roles, reason }) : remove(`/groups/${group.name}/members/${user!}`)), 'user', 'group', 'me');
  const choose = (name: string | null) => {
    setUser(name);
    setRoles(rows(rows(users.find((u) => u.name === name)?.members).find((m) => m.group === group.id)?.roles));
  };
  return (
    <Ask title={`${t('access.setMember')}: ${group.name}`} open close={close} optional ready={!!user} cli={(reason) => `edgeward group member ${group.name} ${user ?? 'USER'}${roles.length ? roles.map((r) => ` --role ${r}`).join('') : ' --remove'}${reason ? ` --reason ${JSON.stringify(reason)}` : ''}`} act={(reason) => set.mutateAsync(reason)}>
      <Stack gap="sm">
        <Select label={t('access.person')} data={users.map((u) => u.name)} value={user} onChange={choose} searchable required />
        <MultiSelect label={t('access.roles')} description={t('access.noRoles')} data={roleChoices()} value={roles} onChange={setRoles} />
      </Stack>
    </Ask>
  );
}
