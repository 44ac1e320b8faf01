import { useState } from 'react';
import { Checkbox, Group, NumberInput, Stack, Table, Text, TextInput } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useFleetNodes } from '../../api/queries';
import { rows, type FleetCode, type FleetNode } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Code, Twin } from '../../parts/copy';
import { isName } from '../../parts/drop';
import { ago, bytes } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { Waits } from './events';
import { named, why } from './gaps';
import { Standing, tagWords } from './standing';

/** The fleet's nodes with where their endpoints stand, and the way in for new ones. */
export function Nodes() {
  const [select, setSelect] = useState('');
  const query = useFleetNodes(select);
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<FleetCode>();
  const [n, setN] = useState({ site: '', uses: 1, auto: false, own_tags: false });
  const [deciding, setDeciding] = useState<[FleetNode, string]>();
  const make = useAct((reason: string) => post<FleetCode>('/fleet/codes', { ...n, reason: reason || undefined }), 'fleet');
  const decide = useAct(([id, verdict, reason]: [string, string, string]) => post(`/fleet/nodes/${id}/${verdict}`, { reason: reason || undefined }), 'fleet');
  const verdicts = (x: FleetNode) => ({ pending: ['approve', 'decline'], member: ['revoke'], quarantined: ['approve', 'revoke'], left: ['forget'] } as Record<string, string[]>)[x.standing] ?? ['approve', 'forget'];
  return (
    <Card title={t('fleet.nodes')} actions={<MayButton verb="create" on="fleet" size="xs" onClick={() => setAdding(true)}>{t('fleet.addNode')}</MayButton>}>
      {made?.text && (
        <Stack gap="xs" mb="md">
          <Text>{t('fleet.codeMade', { site: made.site })}</Text>
          <Code label={t('fleet.code')}>{made.text}</Code>
        </Stack>
      )}
      <TextInput label={t('fleet.selector')} placeholder="line=3,site in (north,south)" value={select} onChange={(e) => setSelect(e.currentTarget.value)} maw={420} mb="sm" />
      <Loaded query={query}>{(l) => rows(l.items).length === 0 ? (
        <Text className="quiet">{select ? t('fleet.noneSelected') : t('fleet.noNodes')}</Text>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.nodes')}>
          <Table miw={760}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('col.name')}</Table.Th><Table.Th>{t('fleet.site')}</Table.Th><Table.Th>{t('fleet.standing')}</Table.Th><Table.Th>{t('fleet.runs')}</Table.Th><Table.Th className="num">{t('fleet.saved')}</Table.Th><Table.Th>{t('access.actions')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows(l.items).map((x) => (
                <Table.Tr key={x.id}>
                  <Table.Td><To href={`/fleet/nodes/${x.id}`}><b>{x.name || x.id}</b></To><br /><span className="quiet">{x.facts.cores} × {x.facts.arch} · {x.facts.version}</span>
                    {tagWords(x.tags) && <><br /><span className="quiet">{tagWords(x.tags)}</span></>}
                    {tagWords(x.asks_tags) && <><br /><span className="quiet">{t('tags.asks')}: {tagWords(x.asks_tags)}</span></>}</Table.Td>
                  <Table.Td>{x.site}</Table.Td>
                  <Table.Td>
                    <Standing of={x} />
                    <br /><span className="quiet">{x.why || ago(x.seen)}</span><Waits queue={x.queue} />
                  </Table.Td>
                  <Table.Td>
                    {rows(x.endpoints).map((s) => (
                      <div key={`${s.group}/${s.name}`}>{named(s)} <State of={s.phase} kind="phase" /> <span className="quiet">{why(s)}</span></div>
                    ))}
                  </Table.Td>
                  <Table.Td className="num">{bytes(x.traffic.saved)}{x.traffic.received ? <><br /><span className="quiet">{t('fleet.ofBytes', { n: bytes((x.traffic.saved ?? 0) + x.traffic.received) })}</span></> : ''}</Table.Td>
                  <Table.Td>
                    <Group gap={4}>{verdicts(x).map((v) => <MayButton key={v} verb="create" on="fleet" size="compact-xs" variant="default" onClick={() => setDeciding([x, v])}>{word('verdictOf', v)}</MayButton>)}</Group>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}</Loaded>
      <Twin>{`edgeward fleet node list${select ? ` --select ${JSON.stringify(select)}` : ''}`}</Twin>
      <Ask title={t('fleet.addNode')} open={adding} close={() => setAdding(false)} optional ready={isName(n.site)} go={t('fleet.makeCode')}
        cli={() => `edgeward fleet code create --site ${n.site || 'NAME'}${n.uses !== 1 ? ` --uses ${n.uses}` : ''}${n.auto ? ' --auto' : ''}${n.own_tags ? ' --own-tags' : ''}`}
        act={async (reason) => setMade(await make.mutateAsync(reason))}>
        <TextInput label={t('fleet.site')} description={t('fleet.siteWhat')} value={n.site} onChange={(e) => { const v = e.currentTarget.value; setN((o) => ({ ...o, site: v })); }} required error={n.site && !isName(n.site) ? t('name.bad') : undefined} />
        <NumberInput label={t('fleet.uses')} min={1} max={1000} value={n.uses} onChange={(v) => setN((o) => ({ ...o, uses: Number(v) || 1 }))} />
        <Checkbox label={t('fleet.auto')} checked={n.auto} onChange={(e) => { const v = e.currentTarget.checked; setN((o) => ({ ...o, auto: v })); }} />
        <Checkbox label={t('fleet.ownTags')} checked={n.own_tags} onChange={(e) => { const v = e.currentTarget.checked; setN((o) => ({ ...o, own_tags: v })); }} />
      </Ask>
      {deciding && (
        <Ask title={`${word('verdictOf', deciding[1])}: ${deciding[0].name || deciding[0].id}`} open close={() => setDeciding(undefined)} optional={deciding[1] === 'approve'} danger={deciding[1] !== 'approve'} go={word('verdictOf', deciding[1])}
          cli={(reason) => `edgeward fleet node ${deciding[1]} ${deciding[0].id}${reason ? ` --reason ${JSON.stringify(reason)}` : ''}`}
          act={(reason) => decide.mutateAsync([deciding[0].id, deciding[1], reason])} />
      )}
    </Card>
  );
}
