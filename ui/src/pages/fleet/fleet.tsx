import { useState } from 'react';
import { Alert, Button, Checkbox, Stack, Text, Textarea } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useFleet, useFleetNodes, useMembership, useRollouts } from '../../api/queries';
import { rows, type FleetView, type Membership } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Twin } from '../../parts/copy';
import { Empty } from '../../parts/empty';
import { ago, bytes, day, moment, num, some } from '../../parts/format';
import { MayButton, useMay } from '../../parts/may';
import { Card, Page, State } from '../../parts/page';
import { Loaded, Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { Bundle } from './bundle';
import { Events, Waits } from './events';
import { Gaps, named, why } from './gaps';
import { Matrix } from './matrix';
import { Nodes } from './nodes';
import { Overlays } from './overlays';
import { Restored } from './restored';
import { Rollouts } from './rollouts';
import { Site } from './site';
import { Trust } from './trust';

/** What an endpoint answers by that is not the hub's wish. */
const byItself = (p?: NonNullable<Membership['promotions']>[number]['promotion']) =>
  p?.taken ? t('fleet.localTaken', { from: p.taken.name || p.taken.node, reason: p.reason }) : t('fleet.localOwn', { reason: p?.reason ?? '' });

/** The servers that run what a hub says: this one as the hub, as a node, or neither yet. */
export default function Fleet() {
  const fleet = useFleet();
  const member = useMembership();
  return (
    <Page title={t('fleet.title')} intro={t('fleet.intro')}>
      <Stack gap="md">
        <Loaded query={fleet}>{(f) => (f.id ? <Hub fleet={f} /> : null)}</Loaded>
        <Loaded query={member}>{(m) => <Member of={m} hub={!!fleet.data?.id} />}</Loaded>
        {member.data?.fleet && <Site />}
        {fleet.data && !fleet.data.id && !member.data?.fleet && !member.data?.pending && <Empty title={t('fleet.noHub')} cli={'edgeward fleet init hospital --keys ./keys'}>{t('fleet.noHubWhat')}</Empty>}
      </Stack>
    </Page>
  );
}

function Hub({ fleet }: { fleet: FleetView }) {
  const nodes = useFleetNodes();
  const rollouts = useRollouts();
  const programs = Object.entries(fleet.programs ?? {}).sort();
  const running = programs.map(([v, n]) => (programs.length > 1 ? t('fleet.programOn', { v, n }) : v));
  const persons = rows(fleet.charter?.models.holders).map((h) => h.name).join(', ');
  return (
    <>
      <Card title={t('fleet.hub', { name: fleet.name ?? '' })}>
        <Text>
          {t('fleet.counts', { n: fleet.nodes.member ?? 0, online: fleet.nodes.online ?? 0, pending: fleet.nodes.pending ?? 0 })}{' '}
          {running.length > 0 && `${t('fleet.programs', { which: running.join(', ') })} `}
          {fleet.four_eyes ? t('fleet.fourEyes', { who: persons }) : t('fleet.twoEyes', { who: persons })}
        </Text>
        <Text size="sm" className="quiet">{t('fleet.callsAt')} <span className="mono">{rows(fleet.hubs).join(', ')}</span></Text>
        <Restored fleet={fleet} />
        <Bundle as="hub" empty={!fleet.nodes.member} />
        {fleet.proposal_waits && <Alert mt="sm" color="yellow" title={t('fleet.waits')}><Twin>{'edgeward fleet proposal show\nedgeward fleet sign --key FILE'}</Twin></Alert>}
      </Card>
      <Loaded query={rollouts}>{(l) => <Rollouts list={rows(l.items)} fleet={fleet} />}</Loaded>
      <Matrix />
      <Gaps />
      <Nodes />
      <Loaded query={nodes}>{(l) => <Events nodes={rows(l.items)} />}</Loaded>
      <Overlays />
      <Trust fleet={fleet} />
    </>
  );
}

/** This server as a node. */
function Member({ of, hub }: { of: Membership; hub: boolean }) {
  const may = useMay();
  const [joining, setJoining] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const [code, setCode] = useState('');
  const [byFile, setByFile] = useState(false);
  const join = useAct((c: string) => post('/fleet/membership', { code: c, by_file: byFile }), 'fleet');
  const leave = useAct(() => post('/fleet/membership/leave', {}), 'fleet');
  if (!of.fleet && !of.pending && hub) return null;
  const away = t(of.fleet ? 'fleet.leave' : 'fleet.withdraw');
  return (
    <Card title={t('fleet.member')} actions={of.fleet || of.pending ? <MayButton verb="create" on="fleet" size="xs" variant="default" onClick={() => setLeaving(true)}>{away}</MayButton> : undefined}>
      {of.pending && <Alert color="yellow" title={t('fleet.asked')}>{of.by_file ? t('fleet.byFileWhat') : of.problem || t('fleet.askedWhat')}</Alert>}
      {of.pending && <Bundle as="asking" />}
      {of.fleet && (
        <Stack gap="xs">
          <Text>{t('fleet.belongs', { name: of.name ?? '', site: of.site ?? '' })} {of.contact?.problem || !some(of.contact?.last) ? '' : t('fleet.heard', { when: ago(of.contact?.last) })}</Text>
          {of.contact?.problem && <Alert color="orange" title={t('fleet.hubAway')}>{of.contact.problem}<br />{of.contact.hint}</Alert>}
          {of.witness?.code && <Alert color="red" title={t('witness.odd')}>{t(of.witness.code === 'fleet.audit_went_back' ? 'witness.wentBack' : 'witness.rewritten', { n: num(of.witness.head.size), shown: num(of.witness.shown?.size), when: moment(of.witness.since) })} {t('witness.do')}</Alert>}
          {of.witness && <Text size="sm" className="quiet">{t('witness.seen', { n: num(of.witness.head.size), when: some(of.witness.at) ? ago(of.witness.at) : '–' })} {rows(of.witness.before).some((p) => !p.kept) ? t('witness.restored') : ''}</Text>}
          <Text size="sm" className="quiet">
            {t('fleet.certificate', { day: some(of.certificate_until) ? day(of.certificate_until) : '–' })} {of.traffic?.received ? t('fleet.bytes', { got: bytes(of.traffic.received), saved: bytes(of.traffic.saved ?? 0) }) : ''}
          </Text>
          <Waits queue={of.queue} />
          <Bundle as="node" />
          {of.autonomy?.mode === 'local-promote' && <Text size="sm" className="quiet">{some(of.may_from) ? t('fleet.localMay', { when: moment(of.may_from) }) : t('fleet.localMayNow')}</Text>}
          {rows(of.endpoints).map((s) => (
            <Text key={`${s.group}/${s.name}`}><b>{named(s)}</b> <State of={s.phase} kind="phase" /> <span className="quiet">{s.local ? byItself(rows(of.promotions).find((p) => p.promotion.seq === s.local)?.promotion) : why(s)}</span></Text>
          ))}
        </Stack>
      )}
      {!of.fleet && !of.pending && (
        <Stack gap="sm" align="flex-start">
          <Text className="quiet">{t('fleet.joinWhat')}</Text>
          {may('create', 'fleet') && !joining && <Button onClick={() => setJoining(true)}>{t('fleet.join')}</Button>}
          {joining && (
            <form style={{ width: '100%' }} onSubmit={(e) => { e.preventDefault(); join.mutate(code.trim(), { onSuccess: () => { setCode(''); setJoining(false); } }); }}>
              <Stack gap="sm" align="flex-start">
                <Textarea w="100%" maw={640} label={t('fleet.code')} description={t('fleet.codeWhat')} classNames={{ input: 'mono' }} autosize minRows={3} value={code} onChange={(e) => setCode(e.currentTarget.value)} required data-autofocus />
                <Checkbox label={t('fleet.byFile')} description={t('fleet.byFileHow')} checked={byFile} onChange={(e) => setByFile(e.currentTarget.checked)} />
                <Trouble error={join.error} />
                <Button type="submit" loading={join.isPending} disabled={!code.trim().startsWith('ew1-')}>{t('fleet.join')}</Button>
              </Stack>
            </form>
          )}
          <Twin>{byFile ? 'edgeward join --file CODE --request FILE.edgebundle' : 'edgeward join CODE'}</Twin>
        </Stack>
      )}
      <Ask title={away} open={leaving} close={() => setLeaving(false)} optional danger go={away} cli={() => 'edgeward fleet leave'} act={() => leave.mutateAsync(undefined as never)}>
        <Text>{t(of.fleet ? 'fleet.leaveWhat' : 'fleet.withdrawWhat')}</Text>
      </Ask>
    </Card>
  );
}
