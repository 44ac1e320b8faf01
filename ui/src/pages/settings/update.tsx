import { useState } from 'react';
import { Alert, Badge, Group, Table, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useUpdate } from '../../api/queries';
import { rows, type Update } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Twin } from '../../parts/copy';
import { bytes, moment } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

const colours: Record<string, string> = { runs: 'teal', trial: 'orange', staged: 'blue', previous: 'gray', spare: 'gray' };

/** The program this server runs, what lies in its slots, and what came of the last update. */
export function Updates() {
  return <Loaded query={useUpdate()}>{(u) => <Program of={u} />}</Loaded>;
}

function Program({ of: u }: { of: Update }) {
  const [asking, setAsking] = useState<'start' | 'rollback'>();
  const act = useAct(([what, reason]: [string, string]) => post(`/node/update/${what}`, { reason }), 'node');
  const slots = rows(u.slots).filter((s) => s.state !== 'empty');
  const has = (state: string) => slots.some((s) => s.state === state);
  const at = (name: string) => (name === 'installed' ? t('update.installed') : t('update.slot', { name }));
  return (
    <Card title={t('update.title')} actions={u.supervisor ? (
      <Group gap={4}>
        {has('staged') && <MayButton verb="update" on="node" size="xs" onClick={() => setAsking('start')}>{t('update.start')}</MayButton>}
        {has('previous') && <MayButton verb="update" on="node" size="xs" variant="default" onClick={() => setAsking('rollback')}>{t('update.rollback')}</MayButton>}
      </Group>
    ) : undefined}>
      <Text size="sm" className="quiet" mb="sm">{t(u.signed ? 'update.signed' : 'update.what')}</Text>
      {!u.supervisor && <Alert color="orange" mb="sm">{t('update.alone')}</Alert>}
      {u.phase !== 'idle' && <Alert color="blue" mb="sm">{word('update', u.phase)}</Alert>}
      {u.problem && <Alert color="red" mb="sm"><span lang="en">{u.problem.text} {u.problem.hint}</span></Alert>}
      <div className="scroll" tabIndex={0} role="group" aria-label={t('update.title')}>
        <Table miw={420}>
          <Table.Tbody>
            {slots.map((s) => (
              <Table.Tr key={s.name}>
                <Table.Td><b>{s.version || '–'}</b></Table.Td>
                <Table.Td>{at(s.name)}</Table.Td>
                <Table.Td><Badge color={colours[s.state] ?? 'gray'}>{word('slot', s.state)}</Badge></Table.Td>
                <Table.Td className="num">{s.size ? bytes(s.size) : ''}</Table.Td>
                <Table.Td className="quiet mono" style={{ fontSize: '0.78rem', overflowWrap: 'anywhere' }}>{s.digest}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {u.last && (
        <Text size="sm" mt="sm">
          {t('update.last', { from: u.last.from.version || '–', to: u.last.to.version || '–' })} <Badge color={u.last.result === 'committed' ? 'teal' : 'red'}>{word('update', u.last.result)}</Badge> {moment(u.last.at)}
          {u.last.reason && <span className="quiet" lang="en"> {u.last.reason}</span>}
        </Text>
      )}
      <Twin>{'edgeward self-update FILE --now --reason "…"\nedgeward self-update rollback --reason "…"'}</Twin>
      {asking && <Ask title={t(`update.${asking}`)} open close={() => setAsking(undefined)} go={t(`update.${asking}`)} danger={asking === 'rollback'} cli={(reason) => `edgeward self-update ${asking} --reason ${JSON.stringify(reason || '…')}`}
        act={(reason) => act.mutateAsync([asking, reason])}><Text size="sm">{t('update.ask')}</Text></Ask>}
    </Card>
  );
}
