import { useState } from 'react';
import { Alert, Group, NumberInput, Progress, Select, Stack, Table, Text, TextInput } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useFleetBinaries } from '../../api/queries';
import { rows, type FleetView, type Rollout } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Twin } from '../../parts/copy';
import { isName } from '../../parts/drop';
import { ago } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, State } from '../../parts/page';
import { t, word } from '../../text';
import { isProgram, named, version, why } from './gaps';

const words: Record<string, string[]> = { 'awaiting-approval': ['approve', 'abort'], scheduled: ['abort'], running: ['pause', 'now', 'abort'], paused: ['resume', 'abort'] };

const usual = 1; // minutes that the hub watches a wave, and its waves, where nothing else is said
const waves = [{ nodes: 1, percent: 1 }, { percent: 10 }, { percent: 50 }, { percent: 100 }];

/** Minutes as the command line takes them. */
const soak = (minutes: number) => (Number.isInteger(minutes) ? `${minutes}m` : `${Math.round(minutes * 60)}s`);

/** The rollouts, the newest open, and the way to start one. */
export function Rollouts({ list, fleet }: { list: Rollout[]; fleet: FleetView }) {
  const [starting, setStarting] = useState(false);
  const [open, setOpen] = useState<string>();
  const [saying, setSaying] = useState<[Rollout, string]>();
  const [n, setN] = useState({ version: '', endpoint: '', requests: 100, select: '', gate: 'pause', watch: usual });
  const binaries = rows(useFleetBinaries().data?.items);
  const program = n.version.startsWith('sha256:');
  const start = useAct((reason: string) => {
    const [model, number] = n.version.split('/');
    const what = program ? { binary: n.version } : { model, version: Number(number), endpoint: n.endpoint, probation: { requests: n.requests } };
    const plan = { waves: n.watch === usual ? undefined : waves.map((w) => ({ ...w, soak_ns: n.watch * 60e9 })), gate: program ? undefined : { then: n.gate } };
    return post('/fleet/rollouts', { ...what, plan, select: n.select || undefined, reason });
  }, 'fleet');
  const say = useAct(([id, what, reason]: [string, string, string]) => post(`/fleet/rollouts/${id}/${what}`, { reason: reason || undefined }), 'fleet');
  const signed = [...rows(fleet.signed).map((s) => ({ value: `${s.model}/${s.version}`, label: `${s.model}/${s.version}` })), ...binaries.map((b) => ({ value: b.digest, label: `edgeward ${b.version}, ${b.os}/${b.arch}` }))];
  const shown = list.find((r) => r.id === open) ?? list[0];
  return (
    <Card title={t('fleet.rollouts')} actions={<MayButton verb="promote" on="fleet" size="xs" onClick={() => setStarting(true)} why={signed.length === 0 ? t('fleet.nothingSigned') : undefined}>{t('fleet.rollOut')}</MayButton>}>
      {!shown && <Text className="quiet">{t('fleet.noRollouts')}</Text>}
      {shown && (
        <Stack gap="sm">
          <One r={shown} say={(what) => setSaying([shown, what])} />
          {list.length > 1 && (
            <Select label={t('fleet.others')} maw={420} data={list.map((r) => ({ value: r.id, label: `${named(r.endpoint)}: ${version(r.to)}, ${word('rollout', r.state)}, ${ago(r.since)}` }))} value={shown.id} onChange={(v) => setOpen(v ?? undefined)} allowDeselect={false} />
          )}
        </Stack>
      )}
      <Twin>{`edgeward fleet rollout ${shown ? `show ${shown.id}` : 'list'}`}</Twin>
      <Ask title={t('fleet.rollOut')} open={starting} close={() => setStarting(false)} ready={!!n.version && (program || isName(n.endpoint))} go={t('fleet.start')}
        cli={(reason) => `edgeward fleet rollout start ${program ? `--binary ${n.version}` : `${n.version || 'MODEL/VERSION'} --endpoint ${n.endpoint || 'NAME'}${n.gate === 'pause' ? '' : ` --gate ${n.gate}`}`}${n.watch === usual ? '' : ` --soak ${soak(n.watch)}`}${n.select ? ` --select ${JSON.stringify(n.select)}` : ''} --reason ${JSON.stringify(reason || '…')}`}
        act={(reason) => start.mutateAsync(reason)}>
        <Select label={t('fleet.signedVersion')} data={signed} value={n.version} searchable required onChange={(v) => setN((o) => ({ ...o, version: v ?? '', endpoint: o.endpoint || (v?.startsWith('sha256:') ? '' : (v ?? '').split('/')[0]!) }))} />
        {!program && <TextInput label={t('fleet.endpoint')} value={n.endpoint} onChange={(e) => { const v = e.currentTarget.value; setN((o) => ({ ...o, endpoint: v })); }} required error={n.endpoint && !isName(n.endpoint) ? t('name.bad') : undefined} />}
        {!program && <NumberInput label={t('fleet.requests')} description={t('fleet.requestsWhat')} min={1} max={1000000} value={n.requests} onChange={(v) => setN((o) => ({ ...o, requests: Number(v) || 100 }))} />}
        {!program && <Select label={t('fleet.gate')} description={t('fleet.gateWhat')} data={['pause', 'roll-back', 'ignore'].map((g) => ({ value: g, label: word('gate', g) }))} value={n.gate} onChange={(v) => setN((o) => ({ ...o, gate: v ?? 'pause' }))} allowDeselect={false} />}
        <NumberInput label={t('fleet.watch')} description={t('fleet.watchWhat')} min={0.1} max={10080} step={1} decimalScale={1} value={n.watch} onChange={(v) => setN((o) => ({ ...o, watch: Number(v) || usual }))} />
        <TextInput label={t('fleet.selector')} description={t('fleet.selectWhat')} placeholder="line=3" value={n.select} onChange={(e) => { const v = e.currentTarget.value; setN((o) => ({ ...o, select: v })); }} />
        <Text size="sm" className="quiet">{t(program ? 'fleet.wavesBinary' : 'fleet.waves')}</Text>
      </Ask>
      {saying && (
        <Ask title={`${word('say', saying[1])}: ${named(saying[0].endpoint)}`} open close={() => setSaying(undefined)} optional={saying[1] === 'approve'} danger={saying[1] === 'abort'} go={word('say', saying[1])}
          cli={(reason) => `edgeward fleet rollout ${saying[1]} ${saying[0].id}${reason ? ` --reason ${JSON.stringify(reason)}` : ''}`}
          act={(reason) => say.mutateAsync([saying[0].id, saying[1], reason])} />
      )}
    </Card>
  );
}

function One({ r, say }: { r: Rollout; say: (what: string) => void }) {
  const nodes = rows(r.nodes);
  const has = nodes.filter((x) => x.state.phase === 'committed' && x.state.live === r.to.manifest).length;
  const waiting = r.state === 'running' && r.step === 'awaiting-approval';
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <b>{named(r.endpoint)}: {r.from?.version || r.from?.label ? `${version(r.from)} → ` : ''}{version(r.to)}</b>
        <State of={r.state} kind="rollout" />
        {r.state === 'running' && <span className="quiet">{t('fleet.wave', { i: r.wave + 1, of: rows(r.plan.waves).length })}: {word('step', r.step)}</span>}
        <Group gap={4}>{[...(waiting ? ['approve'] : []), ...(words[r.state] ?? [])].map((w) => <MayButton key={w} verb="promote" on="fleet" size="compact-xs" variant="default" onClick={() => say(w)}>{word('say', w)}</MayButton>)}</Group>
      </Group>
      <Progress value={nodes.length ? (100 * has) / nodes.length : 0} aria-label={t('fleet.have', { n: has, of: nodes.length })} />
      <Text size="sm" className="quiet">{t('fleet.have', { n: has, of: nodes.length })} {ago(r.since)}</Text>
      {r.why && r.state !== 'succeeded' && <Alert color={r.state === 'paused' ? 'yellow' : 'orange'} title={word('rollout', r.state)}>{r.why}</Alert>}
      <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.rollouts')}>
        <Table miw={620}>
          <Table.Thead><Table.Tr><Table.Th>{t('fleet.node')}</Table.Th><Table.Th>{t('fleet.site')}</Table.Th><Table.Th className="num">{t('fleet.waveOf')}</Table.Th><Table.Th>{t('fleet.phase')}</Table.Th><Table.Th>{t(isProgram(r.endpoint) ? 'fleet.runsNow' : 'fleet.live')}</Table.Th><Table.Th>{t('col.why')}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {nodes.map((x) => (
              <Table.Tr key={x.id}>
                <Table.Td>{x.name} {!x.online && <span className="quiet">({t('fleet.offline')})</span>}</Table.Td>
                <Table.Td>{x.site}</Table.Td>
                <Table.Td className="num">{x.wave || '–'}</Table.Td>
                <Table.Td>{rows(r.failed).includes(x.id) ? <State of="reverted" kind="phase" /> : x.told || x.state.want === r.to.manifest ? <State of={x.state.phase} kind="phase" /> : <span className="quiet">{t('fleet.notTold')}</span>}</Table.Td>
                <Table.Td>{x.state.live === r.to.manifest ? version(r.to) : x.state.live === r.from?.manifest ? version(r.from) : version({ manifest: x.state.live })}</Table.Td>
                <Table.Td>{why(x.state)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Stack>
  );
}
