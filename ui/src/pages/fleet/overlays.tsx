import { useState } from 'react';
import { Button, Group, List, Stack, Table, Text, Textarea } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useFleetOverlays } from '../../api/queries';
import { rows, type Applied } from '../../api/types';
import { Ask } from '../../parts/ask';
import { Twin } from '../../parts/copy';
import { ago } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { Loaded, Trouble } from '../../parts/trouble';
import { t, word } from '../../text';

/** The documents that say how parts of the fleet are to run, and the way to apply some: what would change is shown first. */
export function Overlays() {
  const query = useFleetOverlays();
  const [writing, setWriting] = useState(false);
  const [sure, setSure] = useState(false);
  const [yaml, setYAML] = useState('');
  const [would, setWould] = useState<Applied>();
  const diff = useAct((text: string) => post<Applied>('/fleet/overlays/apply', { yaml: text, dry_run: true }));
  const apply = useAct((reason: string) => post<Applied>('/fleet/overlays/apply', { yaml, reason: reason || undefined }), 'fleet');
  const changes = (would?.documents_change ?? 0) + rows(would?.rollouts).length > 0;
  return (
    <Card title={t('fleet.overlays')} actions={<MayButton verb="promote" on="fleet" size="xs" variant="default" onClick={() => setWriting(!writing)}>{t('fleet.apply')}</MayButton>}>
      <Loaded query={query}>
        {(l) => rows(l.items).length === 0 ? <Text className="quiet">{t('fleet.noOverlays')}</Text> : (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.overlays')}>
            <Table miw={480}>
              <Table.Thead><Table.Tr><Table.Th>{t('fleet.kind')}</Table.Th><Table.Th>{t('col.name')}</Table.Th><Table.Th>{t('fleet.scope')}</Table.Th><Table.Th>{t('fleet.since')}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {rows(l.items).map((o) => (
                  <Table.Tr key={`${o.kind} ${o.scope ?? ''} ${o.name ?? ''}`}>
                    <Table.Td>{word('overlay', o.kind)}</Table.Td><Table.Td>{o.name}</Table.Td><Table.Td>{o.scope ?? o.select}</Table.Td><Table.Td>{ago(o.changed)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      {writing && (
        <form onSubmit={(e) => { e.preventDefault(); diff.mutate(yaml, { onSuccess: setWould }); }}>
          <Stack gap="sm" mt="md" align="flex-start">
            <Textarea w="100%" label={t('fleet.yaml')} description={t('fleet.yamlWhat')} classNames={{ input: 'mono' }} autosize minRows={6} value={yaml} onChange={(e) => { setYAML(e.currentTarget.value); setWould(undefined); }} required />
            <Trouble error={diff.error} />
            <Group>
              <Button type="submit" variant="default" loading={diff.isPending}>{t('fleet.diff')}</Button>
              {would && changes && <Button onClick={() => setSure(true)}>{t('fleet.apply')}</Button>}
            </Group>
            {would && !changes && <Text className="quiet">{t('fleet.nothingChanges')}</Text>}
            {would && changes && (
              <List size="sm">
                {rows(would.nodes).map((n) => <List.Item key={n.id}><b>{n.name || n.id}</b>: {rows(n.changes).map((c) => `${c.what}: ${c.before || '–'} → ${c.after || '–'}`).join('; ')}</List.Item>)}
                {rows(would.rollouts).map((r) => <List.Item key={`${r.scope} ${r.endpoint}`}>{t('fleet.wouldRoll', { version: `${r.model}/${r.version}`, endpoint: r.endpoint, scope: r.scope })}</List.Item>)}
              </List>
            )}
          </Stack>
        </form>
      )}
      <Twin>{writing ? 'edgeward diff -f FILE\nedgeward apply -f FILE' : 'edgeward fleet overlay list'}</Twin>
      <Ask title={t('fleet.apply')} open={sure} close={() => setSure(false)} optional cli={(reason) => `edgeward apply -f FILE${reason ? ` --reason ${JSON.stringify(reason)}` : ''}`}
        act={async (reason) => { await apply.mutateAsync(reason); setWould(undefined); setYAML(''); setWriting(false); }} />
    </Card>
  );
}
