import { useState } from 'react';
import { Button, Group, Menu, NumberInput, Select, Table, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useModel } from '../../api/queries';
import { rows, type ChangeRequest, type EndpointView, type Spec } from '../../api/types';
import { Ask } from '../../parts/ask';
import { moment, percent } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, State, To } from '../../parts/page';
import { done } from '../../parts/trouble';
import { t } from '../../text';
import { shareOf } from './endpoints';

type Change = 'promote' | 'canary' | 'shadow' | 'withdraw' | 'rollback';

/** What is wanted behind the endpoint, and the ways to change it. Each only writes the spec; the server follows. */
export function Changes({ of: e }: { of: EndpointView }) {
  const name = e.endpoint.name;
  const [change, setChange] = useState<Change>();
  const [version, setVersion] = useState<string | null>(null);
  const [share, setShare] = useState<number>(10);
  const model = useModel(e.endpoint.model);
  const targets = rows(e.spec.targets);
  const live = targets.find((x) => x.role === 'live');
  const write = useAct((r: ChangeRequest) => post<Spec>(`/endpoints/${name}/${change!}`, r), 'endpoint', 'model', 'forecast', 'drift');
  const beside = targets.filter((x) => x.role !== 'live');
  const choices = (change === 'withdraw' ? beside.map((x) => x.version) : rows(model.data?.versions).map((v) => v.number).filter((n) => n !== live?.version));
  const begin = (c: Change) => {
    setVersion(c === 'withdraw' && beside.length === 1 ? String(beside[0]!.version) : null);
    setChange(c);
  };
  const more: { c: Change; why?: string }[] = [
    { c: 'canary', why: live ? undefined : t('change.needLive') },
    { c: 'shadow', why: live ? undefined : t('change.needLive') },
    { c: 'withdraw', why: beside.length ? undefined : t('change.nothing') },
  ];
  return (
    <Card
      title={t('change.wanted')}
      actions={
        <Group gap="xs">
          <MayButton verb="promote" on="endpoint" size="xs" onClick={() => begin('promote')}>{t('change.promote')}</MayButton>
          <MayButton verb="promote" on="endpoint" size="xs" variant="default" onClick={() => begin('rollback')} why={e.spec.previous ? undefined : t('change.noPrevious')}>{t('change.rollback')}</MayButton>
          {rows(e.actions).includes('promote') && (
            <Menu position="bottom-end">
              <Menu.Target><Button size="xs" variant="default">{t('change.more')}</Button></Menu.Target>
              <Menu.Dropdown>
                {more.map(({ c, why }) => <Menu.Item key={c} disabled={!!why} onClick={() => begin(c)}>{t(`change.${c}`)}{why && <div className="quiet" style={{ fontSize: '0.8rem' }}>{why}</div>}</Menu.Item>)}
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
      }
    >
      {targets.length === 0 ? (
        <Text className="quiet">{t('change.empty')}</Text>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label={t('change.wanted')}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('col.version')}</Table.Th>
                <Table.Th>{t('col.role')}</Table.Th>
                <Table.Th className="num">{t('change.share')}</Table.Th>
                <Table.Th>{t('change.loaded')}</Table.Th>
                <Table.Th>{t('engines.engine')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {[...targets, ...(e.spec.previous ? [{ ...e.spec.previous, role: 'previous' }] : [])].map((x) => {
                const s = rows(e.status.versions).find((v) => v.version === x.version);
                return (
                  <Table.Tr key={x.role + x.version}>
                    <Table.Td><To href={`/models/${e.endpoint.model}/versions/${x.version}`}>{t('version.short', { v: x.version })}</To></Table.Td>
                    <Table.Td><State of={x.role} kind="role" /></Table.Td>
                    <Table.Td className="num">{x.role === 'shadow' ? t('change.copies') : x.role === 'previous' ? '–' : percent(shareOf(e, x.version), 1)}</Table.Td>
                    <Table.Td>{s?.loaded ? t('engines.yes') : s?.error ? <span style={{ color: 'var(--edge-bad)' }}>{s.error}</span> : t('change.notYet')}</Table.Td>
                    <Table.Td>{s?.engine ?? '–'} <span className="quiet">{s?.device}</span></Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </div>
      )}
      {e.spec.reason && <Text size="sm" className="quiet" mt={8}>{t('change.last', { revision: e.spec.revision, by: e.spec.by ?? '', at: moment(e.spec.at), reason: e.spec.reason })}</Text>}
      {change && (
        <Ask
          key={change}
          title={t(`change.${change}`)}
          open
          close={() => setChange(undefined)}
          ready={change === 'rollback' || !!version}
          cli={(reason) => `edgeward deploy ${change} ${name}${change === 'rollback' ? '' : ` ${version ?? 'N'}`}${change === 'canary' ? ` --share ${share / 100}` : ''} --reason ${JSON.stringify(reason || '…')}`}
          act={async (reason) => {
            await write.mutateAsync({ version: version ? Number(version) : undefined, share: change === 'canary' ? share / 100 : undefined, reason, revision: e.spec.revision });
            done(t('change.written'));
          }}
        >
          <Text size="sm">{t(`change.${change}What`, { v: e.spec.previous?.version ?? 0 })}</Text>
          {change !== 'rollback' && <Select label={t('col.version')} data={choices.map((n) => ({ value: String(n), label: t('version.short', { v: n }) }))} value={version} onChange={setVersion} required />}
          {change === 'canary' && <NumberInput label={t('change.share')} suffix=" %" min={1} max={99} value={share} onChange={(x) => setShare(Number(x))} />}
        </Ask>
      )}
    </Card>
  );
}
