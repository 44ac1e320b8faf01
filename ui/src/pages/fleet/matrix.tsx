import { useState, type ReactNode } from 'react';
import { Badge, Button, Group, Select, Table, Text, TextInput } from '@mantine/core';
import { keep } from '../../api/client';
import { useFleetMatrix } from '../../api/queries';
import { rows, type FleetMatrix, type FleetMatrixCell } from '../../api/types';
import { Twin } from '../../parts/copy';
import { Card, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

const colour: Record<string, string> = { same: 'green', moving: 'blue', other: 'yellow', failed: 'orange', local: 'violet' };

/** Which node runs what: a row a node, a column an endpoint. What differs is said in words; colour only helps. */
export function Matrix() {
  const [site, setSite] = useState('');
  const [tag, setTag] = useState('');
  const all = useFleetMatrix('', '');
  const query = useFleetMatrix(site, tag);
  const sites = [...new Set(rows(all.data?.rows).map((n) => n.site))];
  if (rows(all.data?.rows).length === 0) return null;
  return (
    <Card title={t('fleet.matrix')} actions={<Button size="xs" variant="default" onClick={() => query.data && save(query.data)}>{t('fleet.csv')}</Button>}>
      <Group gap="sm" mb="sm" align="flex-end">
        <Select label={t('fleet.site')} data={[{ value: '', label: t('fleet.allSites') }, ...sites.map((s) => ({ value: s, label: s }))]} value={site} onChange={(v) => setSite(v ?? '')} allowDeselect={false} maw={200} />
        <TextInput label={t('fleet.selector')} placeholder="ward=er" value={tag} onChange={(e) => setTag(e.currentTarget.value)} maw={200} />
      </Group>
      <Loaded query={query}>
        {(m) => (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.matrix')}>
            <Table miw={420}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('fleet.node')}</Table.Th><Table.Th>edgeward</Table.Th>
                  {rows(m.endpoints).map((e) => <Table.Th key={e.group + e.name}>{e.name}<br /><span className="quiet">{e.group}</span></Table.Th>)}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows(m.rows).map((n) => (
                  <Table.Tr key={n.id}>
                    <Table.Td><To href={`/fleet/nodes/${n.id}`}><b>{n.name}</b></To><br /><span className="quiet">{n.site}{n.online ? '' : ` · ${t('fleet.offline')}`}</span></Table.Td>
                    <Table.Td><Cell c={n.program}><span title={n.program.digest || undefined}>{n.program.live}</span></Cell></Table.Td>
                    {rows(n.cells).map((c, i) => {
                      const e = rows(m.endpoints)[i]!;
                      return <Table.Td key={e.group + e.name}><Cell c={c} marked>{c.live ? <To href={monitorOf(e.group, c.live)}>{c.live}</To> : t('fleet.nothing')}</Cell></Table.Td>;
                    })}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            {rows(m.rows).length === 0 && <Text className="quiet">{t('fleet.noneOf')}</Text>}
          </div>
        )}
      </Loaded>
      <Twin>{`edgeward fleet matrix${site ? ` --site ${site}` : ''}${tag ? ` --selector ${JSON.stringify(tag)}` : ''} --csv`}</Twin>
    </Card>
  );
}

/** What runs, children, and how that stands to what is wanted: said where it differs, and of a marked cell always. */
function Cell({ c, marked, children }: { c: FleetMatrixCell; marked?: boolean; children: ReactNode }) {
  if (c.state === 'none') return <span className="quiet">–</span>;
  return (
    <>
      {children}{c.want ? ` → ${c.want}` : ''}{' '}
      {(marked || c.state !== 'same') && <Badge color={colour[c.state] ?? 'gray'}>{c.state === 'same' || c.state === 'local' ? word('cell', c.state) : word('phase', c.phase ?? '')}</Badge>}
      {c.reason && <><br /><span className="quiet">{c.reason}</span></>}
    </>
  );
}

/** The page that adds up a model's work over all nodes, of a model or a version of it. */
export const monitorOf = (group: string, version: string) => `/fleet/models/${group}/${version.split('/')[0]}`;

/** One line a node and endpoint. What a spreadsheet would compute is quoted by an apostrophe. */
function save(m: FleetMatrix) {
  const quote = (s: string) => `"${(/^[=+\-@\t\r]/.test(s) ? `'${s}` : s).replaceAll('"', '""')}"`;
  const lines = [['node', 'name', 'site', 'online', 'software', 'group', 'endpoint', 'state', 'live', 'wanted', 'phase', 'reason']];
  for (const n of rows(m.rows)) rows(n.cells).forEach((c, i) => lines.push([n.id, n.name, n.site, String(n.online), n.software, m.endpoints![i]!.group, m.endpoints![i]!.name, c.state, c.live ?? '', c.want ?? '', c.phase ?? '', c.reason ?? '']));
  keep(new Blob([lines.map((l) => l.map(quote).join(',')).join('\r\n')], { type: 'text/csv' }), 'fleet.csv');
}
