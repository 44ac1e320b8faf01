import { useState } from 'react';
import { Alert, MultiSelect, NumberInput, Stack, Table, Text, TextInput } from '@mantine/core';
import { post, remove } from '../../api/client';
import { useAct, useGet } from '../../api/queries';
import { rows, type List, type Token } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Code } from '../../parts/copy';
import { ago, day, some } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { roleChoices } from './users';

/** API tokens of the current group; a secret is shown once. */
export function Tokens() {
  const q = useGet<List<Token>>('token', '/tokens', { limit: 500 });
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<Token>();
  const [going, setGoing] = useState<Token>();
  const [n, setN] = useState({ name: '', roles: ['service'], days: 365 });
  const make = useAct((reason: string) => post<Token>('/tokens', { ...n, reason: reason || undefined }), 'token');
  const end = useAct(() => remove(`/tokens/${going!.id}`), 'token');
  return (
    <Card title={t('access.tokens')} actions={<MayButton verb="create" on="token" size="xs" onClick={() => setAdding(true)}>{t('access.addToken')}</MayButton>}>
      <Stack>
        <Text size="sm" className="quiet">{t('access.tokensWhat')}</Text>
        {made?.secret && (
          <Alert color="yellow" title={t('access.once', { name: made.name })} role="status">
            <Code label={t('access.secret')}>{made.secret}</Code>
          </Alert>
        )}
        <Loaded query={q}>
          {(list) =>
            rows(list.items).length === 0 ? (
              <Text className="quiet">{t('access.noToken')}</Text>
            ) : (
              <div className="scroll" tabIndex={0} role="group" aria-label={t('access.tokens')}>
                <Table miw={560}>
                  <Table.Thead>
                    <Table.Tr><Table.Th>{t('col.name')}</Table.Th><Table.Th>{t('access.roles')}</Table.Th><Table.Th>{t('access.expires')}</Table.Th><Table.Th>{t('access.used')}</Table.Th><Table.Th>{t('access.actions')}</Table.Th></Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {rows(list.items).map((k) => (
                      <Table.Tr key={k.id}>
                        <Table.Td><b>{k.name}</b></Table.Td>
                        <Table.Td>{rows(k.roles).map((r) => word('grouprole', r)).join(', ')}</Table.Td>
                        <Table.Td>{some(k.expires) ? day(k.expires) : t('access.never')}</Table.Td>
                        <Table.Td>{some(k.last_used) ? ago(k.last_used) : t('access.never')}</Table.Td>
                        <Table.Td><MayButton verb="delete" on="token" size="compact-xs" variant="default" onClick={() => setGoing(k)}>{t('action.remove')}</MayButton></Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
            )
          }
        </Loaded>
      </Stack>
      <Ask title={t('access.addToken')} open={adding} close={() => setAdding(false)} optional ready={n.name !== '' && n.roles.length > 0} go={t('action.create')} cli={() => `edgeward token create ${n.name || 'NAME'}${n.roles.map((r) => ` --role ${r}`).join('')} --days ${n.days}`} act={async (reason) => setMade(await make.mutateAsync(reason))}>
        <TextInput label={t('col.name')} description={t('access.tokenName')} value={n.name} onChange={(e) => setN({ ...n, name: e.currentTarget.value })} required />
        <MultiSelect label={t('access.roles')} data={roleChoices()} value={n.roles} onChange={(roles) => setN({ ...n, roles })} />
        <NumberInput label={t('access.days')} description={t('access.daysWhat')} min={0} max={3650} value={n.days} onChange={(d) => setN({ ...n, days: Number(d) })} />
      </Ask>
      {going && (
        <Ask title={`${t('action.remove')}: ${going.name}`} open close={() => setGoing(undefined)} optional danger go={t('action.remove')} cli={() => `edgeward token delete ${going.id}`} act={() => end.mutateAsync(undefined as never)}>
          <Text size="sm">{t('access.removeToken')}</Text>
        </Ask>
      )}
    </Card>
  );
}
