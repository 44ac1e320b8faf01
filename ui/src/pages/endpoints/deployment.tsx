import { useState } from 'react';
import { ActionIcon, Alert, Button, Group, Menu, NumberInput, Select, Table, Text, TextInput } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useModel } from '../../api/queries';
import { rows, type ChangeRequest, type EndpointView, type Spec } from '../../api/types';
import { Ask } from '../../parts/ask';
import { bytes, moment, percent } from '../../parts/format';
import { IconDots } from '../../parts/icons';
import { MayButton } from '../../parts/may';
import { Card, State, To } from '../../parts/page';
import { done } from '../../parts/trouble';
import { t } from '../../text';
import { shareOf } from './endpoints';

type Verb = 'promote' | 'canary' | 'shadow' | 'variant' | 'weights' | 'withdraw' | 'rollback' | 'release';
type Begun = { verb: Verb; version?: number };
type Shares = Record<number, number>; // by version, in percent

const verbs: Verb[] = ['promote', 'canary', 'shadow', 'variant', 'withdraw'];

/** What is wanted behind the endpoint, and the ways to change it. Each only writes the spec; the server follows. */
export function Deployment({ of: e }: { of: EndpointView }) {
  const [begun, setBegun] = useState<Begun>();
  const [draft, setDraft] = useState<Shares>({});
  const may = rows(e.actions).includes('promote');
  const targets = rows(e.spec.targets);
  const live = targets.find((x) => x.role === 'live');
  const named = (version: number) => rows(e.spec.variants).find((v) => v.version === version)?.name;
  const canaries = targets.filter((x) => x.role === 'canary');
  const of = (version: number) => draft[version] ?? shareOf(e, version) * 100;
  const changed = canaries.filter((x) => Math.abs(of(x.version) - shareOf(e, x.version) * 100) > 1e-6);
  const rest = 100 - canaries.reduce((a, x) => a + of(x.version), 0);
  const others = rows(e.spec.variants).filter((v) => !targets.some((x) => x.version === v.version)).map((v) => ({ version: v.version, role: 'variant' }));
  const direct = rows(e.status.versions).filter((v) => v.role === 'direct').map((v) => ({ version: v.version, role: 'direct' }));
  const all = [...targets, ...others, ...(e.spec.previous ? [{ version: e.spec.previous.version, role: 'previous' }] : []), ...direct];
  const allowed = (verb: Verb, x: { version: number; role: string }) =>
    verb === 'withdraw' ? ['canary', 'shadow', 'variant'].includes(x.role) || (x.role === 'live' && !!named(x.version)) : verb === 'variant' ? !!live && !named(x.version) : x.role !== 'live' && x.role !== verb && (verb === 'promote' || !!live);
  return (
    <Card
      title={t('change.wanted')}
      actions={
        <Group gap="xs">
          <MayButton verb="promote" on="endpoint" size="xs" onClick={() => setBegun({ verb: 'promote' })}>{t('change.promote')}</MayButton>
          <MayButton verb="promote" on="endpoint" size="xs" variant="default" onClick={() => setBegun({ verb: 'rollback' })} why={e.spec.previous ? undefined : t('change.noPrevious')}>{t('change.rollback')}</MayButton>
          {may && (
            <Menu position="bottom-end">
              <Menu.Target><Button size="xs" variant="default">{t('change.more')}</Button></Menu.Target>
              <Menu.Dropdown>
                {(['canary', 'shadow', 'variant'] as const).map((verb) => (
                  <Menu.Item key={verb} disabled={!live} onClick={() => setBegun({ verb })}>{t(`change.${verb}`)}{!live && <div className="quiet" style={{ fontSize: '0.8rem' }}>{t('change.needLive')}</div>}</Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
      }
    >
      {rows(e.status.quarantined).map((q) => (
        <Alert key={q.digest} color="red" mb="sm" title={t('quarantine.title', { v: q.version, n: q.deaths })}>
          <Text size="sm" mb="xs">{t('quarantine.what', { at: moment(q.since) })}</Text>
          <pre className="code" tabIndex={0}>{q.cause}</pre>
          <MayButton verb="promote" on="endpoint" size="xs" mt="xs" variant="default" onClick={() => setBegun({ verb: 'release', version: q.version })}>{t('change.release')}</MayButton>
        </Alert>
      ))}
      {targets.length === 0 ? (
        <Text className="quiet">{t('change.empty')}</Text>
      ) : (
        <>
          <Bar parts={targets.filter((x) => x.role !== 'shadow').map((x) => ({ version: x.version, role: x.role, share: x.role === 'live' ? rest : of(x.version) }))} />
          <div className="scroll" tabIndex={0} role="group" aria-label={t('change.wanted')}>
            <Table miw={560}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('col.version')}</Table.Th>
                  <Table.Th>{t('col.role')}</Table.Th>
                  <Table.Th className="num">{t('change.share')}</Table.Th>
                  <Table.Th>{t('change.loaded')}</Table.Th>
                  <Table.Th>{t('engines.engine')}</Table.Th>
                  <Table.Th className="num">{t('change.memory')}</Table.Th>
                  {may && <Table.Th>{t('access.actions')}</Table.Th>}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {all.map((x) => {
                  const s = rows(e.status.versions).find((v) => v.version === x.version);
                  const doable = verbs.filter((verb) => allowed(verb, x));
                  return (
                    <Table.Tr key={x.role + x.version}>
                      <Table.Td><To href={`/models/${e.endpoint.model}/versions/${x.version}`}>{t('version.short', { v: x.version })}</To></Table.Td>
                      <Table.Td style={{ whiteSpace: 'nowrap' }}><State of={x.role} kind="role" /> {named(x.version)}</Table.Td>
                      <Table.Td className="num">
                        {x.role === 'canary' && may ? (
                          <NumberInput aria-label={t('change.shareOf', { v: x.version })} size="xs" w={92} ml="auto" suffix=" %" min={0.01} max={99} decimalScale={2} value={of(x.version)} onChange={(n) => setDraft((d) => ({ ...d, [x.version]: Number(n) || 0 }))} />
                        ) : x.role === 'live' ? (
                          percent(rest / 100, 1)
                        ) : (
                          ({ canary: percent(of(x.version) / 100, 1), shadow: t('change.copies'), variant: t('change.byName'), direct: t('change.byNumber') } as Record<string, string>)[x.role] ?? '–'
                        )}
                      </Table.Td>
                      <Table.Td>{s?.loaded ? t(s.cold ? 'change.cold' : 'engines.yes') : s?.error ? <span style={{ color: 'var(--edge-bad)' }}>{s.error}</span> : t('change.notYet')}</Table.Td>
                      <Table.Td>{s?.engine ?? '–'} <span className="quiet">{s?.device}</span></Table.Td>
                      <Table.Td className="num">{s?.memory_bytes ? bytes(s.memory_bytes) : '–'}</Table.Td>
                      {may && (
                        <Table.Td>
                          {doable.length > 0 && (
                            <Menu position="bottom-end">
                              <Menu.Target><ActionIcon variant="subtle" color="gray" aria-label={t('change.of', { v: x.version })}><IconDots size={18} /></ActionIcon></Menu.Target>
                              <Menu.Dropdown>{doable.map((verb) => <Menu.Item key={verb} onClick={() => setBegun({ verb, version: x.version })}>{t(`change.${verb}`)}</Menu.Item>)}</Menu.Dropdown>
                            </Menu>
                          )}
                        </Table.Td>
                      )}
                    </Table.Tr>
                  );
                })}
              </Table.Tbody>
            </Table>
          </div>
          {changed.length > 0 && (
            <Group mt={10} gap="xs">
              <MayButton verb="promote" on="endpoint" size="xs" onClick={() => setBegun({ verb: 'weights' })} why={rest > 0 && changed.every((x) => of(x.version) > 0) ? undefined : t('change.nothingLeft')}>{t('change.weights')}</MayButton>
              <Button size="xs" variant="default" onClick={() => setDraft({})}>{t('action.cancel')}</Button>
            </Group>
          )}
        </>
      )}
      {e.spec.reason && <Text size="sm" className="quiet" mt={8}>{t('change.last', { revision: e.spec.revision, by: e.spec.by ?? '', at: moment(e.spec.at), reason: e.spec.reason })}</Text>}
      {begun && <Change key={begun.verb + begun.version} of={e} begun={begun} shares={changed.map((x) => ({ version: x.version, share: of(x.version) / 100 }))} close={() => setBegun(undefined)} written={() => setDraft({})} />}
    </Card>
  );
}

/** The shares of the answers as one bar. */
function Bar({ parts }: { parts: { version: number; role: string; share: number }[] }) {
  const words = parts.map((p) => `${t('version.short', { v: p.version })} ${percent(p.share / 100, 1)}`).join(', ');
  return (
    <div role="img" aria-label={`${t('change.share')}: ${words}`} style={{ display: 'flex', height: 12, borderRadius: 6, overflow: 'hidden', margin: '2px 0 10px', gap: 2 }}>
      {parts.map((p) => <div key={p.version} style={{ width: `${Math.max(0, p.share)}%`, background: p.role === 'live' ? 'var(--edge-forecast)' : 'var(--edge-bar)' }} />)}
    </div>
  );
}

/** The dialog of one change: what it does, which version, and why. */
function Change({ of: e, begun, shares, close, written }: { of: EndpointView; begun: Begun; shares: { version: number; share: number }[]; close: () => void; written: () => void }) {
  const { verb } = begun;
  const name = e.endpoint.name;
  const model = useModel(e.endpoint.model);
  const [choice, setChoice] = useState<string | null>(begun.version ? String(begun.version) : null);
  const [share, setShare] = useState<number>(10);
  const [variant, setVariant] = useState('');
  const write = useAct((r: ChangeRequest) => post<Spec>(`/endpoints/${name}/${verb}`, r), 'endpoint', 'model', 'forecast', 'drift');
  const live = rows(e.spec.targets).find((x) => x.role === 'live')?.version;
  const wants = verb !== 'rollback' && verb !== 'weights';
  const versions = rows(model.data?.versions).map((v) => v.number).filter((n) => verb === 'variant' || n !== live).map((n) => ({ value: String(n), label: t('version.short', { v: n }) }));
  const aliases = Object.entries(model.data?.aliases ?? {}).filter(([, a]) => verb === 'variant' || a.version !== live).map(([alias, a]) => ({ value: alias, label: t('change.alias', { alias, v: a.version }) }));
  const which = choice && /^\d/.test(choice) ? { version: Number(choice) } : { alias: choice ?? undefined };
  const args: Record<Verb, string> = {
    promote: ` ${choice ?? 'N'}`, shadow: ` ${choice ?? 'N'}`, withdraw: ` ${choice ?? 'N'}`, release: ` ${choice ?? 'N'}`, rollback: '',
    canary: ` ${choice ?? 'N'} --share ${share / 100}`,
    variant: ` ${variant || 'VARIANT'} ${choice ?? 'N'}`,
    weights: shares.map((s) => ` ${s.version}=${+s.share.toFixed(4)}`).join(''),
  };
  return (
    <Ask
      title={t(`change.${verb}`)}
      open
      close={close}
      ready={(!wants || !!choice) && (verb !== 'variant' || /^[a-z]([a-z0-9]|-(?=[a-z0-9]))*$/.test(variant))}
      cli={(reason) => `edgeward deploy ${verb} ${name}${args[verb]} --reason ${JSON.stringify(reason || '…')}`}
      act={async (reason) => {
        await write.mutateAsync({
          ...(wants ? which : {}),
          share: verb === 'canary' ? share / 100 : undefined,
          name: verb === 'variant' ? variant : undefined,
          shares: verb === 'weights' ? shares : undefined,
          reason,
          revision: e.spec.revision,
        });
        written();
        done(t('change.written'));
      }}
    >
      <Text size="sm">{t(`change.${verb}What`, { v: e.spec.previous?.version ?? 0 })}</Text>
      {wants && !begun.version && <Select label={t('col.version')} data={[...versions, ...aliases]} value={choice} onChange={setChoice} required searchable />}
      {wants && begun.version && <Text size="sm"><b>{t('version.short', { v: begun.version })}</b></Text>}
      {verb === 'canary' && <NumberInput label={t('change.share')} suffix=" %" min={0.01} max={99} decimalScale={2} value={share} onChange={(x) => setShare(Number(x))} />}
      {verb === 'variant' && <TextInput label={t('change.variantName')} description={t('change.variantNameWhat')} value={variant} onChange={(ev) => setVariant(ev.currentTarget.value)} maxLength={63} required />}
      {verb === 'weights' && <ul style={{ margin: 0 }}>{shares.map((s) => <li key={s.version}>{t('version.short', { v: s.version })}: {percent(s.share, 2)}</li>)}</ul>}
    </Ask>
  );
}
