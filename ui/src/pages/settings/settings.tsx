import { Alert, Badge, Stack, Table, Text } from '@mantine/core';
import { useGet, useNode } from '../../api/queries';
import { rows, type List, type NodeStatus, type Setting } from '../../api/types';
import { Twin } from '../../parts/copy';
import { ago, bytes, moment, num, some } from '../../parts/format';
import { useMay } from '../../parts/may';
import { Card, Facts, Page, State } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { Runtimes } from './runtimes';
import { Updates } from './update';

/** This server: how it does, what it listens on, what may leave it, and how it was configured. Nothing here changes it. */
export default function Settings() {
  const may = useMay();
  const node = useNode();
  return (
    <Page title={t('settings.title')} intro={t('settings.intro')}>
      <Stack gap="md">
        <Loaded query={node} height={300}>{(n) => <Node of={n} />}</Loaded>
        {may('read', 'node') && <Updates />}
        {may('list', 'runtime') && <Runtimes />}
        {may('list', 'settings') && <Values />}
        <Card title={t('backup.title')}>
          <Text size="sm" mb="sm">{t('backup.what')}</Text>
          <Twin>{'edgeward backup edgeward-backup.tar\n# with the server stopped:\nedgeward restore edgeward-backup.tar'}</Twin>
        </Card>
      </Stack>
    </Page>
  );
}

/** A value of the server's own report, by what its name says of its unit. */
function value(k: string, v: unknown): string {
  if (typeof v === 'boolean') return v ? t('engines.yes') : t('engines.no');
  if (typeof v === 'string') return /^\d{4}-\d\d-\d\dT/.test(v) ? moment(v) : v;
  if (Array.isArray(v)) return v.map((x) => value(k, x)).join(', ');
  if (typeof v !== 'number') return v == null ? '–' : JSON.stringify(v);
  if (k === 'uptime') return t('node.hours', { n: num(v / 3600, 1) });
  return /bytes|memory|disk|resident|_total|_free|_available|size/.test(k) ? bytes(v) : num(v, 2);
}

/** The entries of a report, those of objects within it after their own name. */
const facts = (m: Record<string, unknown> | undefined, before = ''): [string, string][] =>
  Object.entries(m ?? {}).flatMap(([k, v]): [string, string][] =>
    v && typeof v === 'object' && !Array.isArray(v) ? facts(v as Record<string, unknown>, `${before}${k} `) : [[(before + k).replaceAll('_', ' '), value(k, v)]],
  );

function Node({ of: n }: { of: NodeStatus }) {
  return (
    <>
      {rows(n.health.reasons).length > 0 && <Alert color="orange" title={t('settings.degraded')}><ul style={{ margin: 0, paddingInlineStart: 18 }}>{rows(n.health.reasons).map((r) => <li key={r}>{r}</li>)}</ul></Alert>}
      <Card title={t('outbound.title')}>
        <Text size="sm" className="quiet" mb="sm">{t('outbound.what')}</Text>
        {rows(n.outbound).length === 0 && <Text>{t('outbound.none')}</Text>}
        {rows(n.outbound).map((f) => (
          <div key={f.name + f.to} className="need" style={{ display: 'block' }}>
            <b>{f.name}</b> → <span className="mono">{f.to}</span>
            <Text size="sm">{f.what}</Text>
            <Text size="sm" className="quiet">{some(f.last) ? t('outbound.last', { at: ago(f.last) }) : t('outbound.never')}</Text>
            {f.last_body && <details><summary style={{ fontSize: '0.88rem' }}>{t('outbound.body')}</summary><pre className="code" tabIndex={0} style={{ maxHeight: 260, overflow: 'auto' }}>{f.last_body}</pre></details>}
          </div>
        ))}
      </Card>
      <div className="grid">
        <Card title={t('node.title')}>
          <Facts of={[[t('node.site'), n.site], [t('node.node'), n.node], [t('col.version'), n.version], [t('col.state'), <State key="s" of={n.health.state} />], [t('node.started'), moment(n.started)], ...facts(n.host)]} />
        </Card>
        <Card title={t('listeners.title')}>
          <div className="scroll" tabIndex={0} role="group" aria-label={t('listeners.title')}>
            <Table>
              <Table.Tbody>
                {rows(n.listeners).map((l) => (
                  <Table.Tr key={l.name}>
                    <Table.Td>{l.name}</Table.Td>
                    <Table.Td className="mono">{l.address ?? '–'}</Table.Td>
                    <Table.Td><State of={l.state} /><div className="quiet" style={{ fontSize: '0.82rem' }}>{l.note}</div></Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </Card>
        <Card title={t('workers.title')}>
          <Text size="sm" className="quiet" mb="sm">{t('workers.what')}</Text>
          {rows(n.workers).map((w, i) => (
            <div key={w.kind + i} className="need" style={{ display: 'block' }}>
              <b>{word('worker', w.kind)}{w.model ? ` ${w.model}` : ''}</b> <span className="quiet">{w.rss_bytes ? `${bytes(w.rss_bytes)} · ` : ''}{w.pid ? `PID ${w.pid}` : t('workers.resting')} · {t('workers.counts', { starts: num(w.starts), deaths: num(w.deaths) })}</span>
              {rows(w.last_errors).length > 0 && <pre className="code" tabIndex={0}>{rows(w.last_errors).join('\n')}</pre>}
            </div>
          ))}
        </Card>
        <Card title={t('memory.title')}>
          <Text size="sm" className="quiet" mb="sm">{t('memory.what', { loaded: num(n.models.loaded), models: num(n.models.models), held: bytes(n.models.held_bytes), budget: bytes(n.models.budget_bytes) })}</Text>
          {rows(n.models.largest).length > 0 && (
            <div className="scroll" tabIndex={0} role="group" aria-label={t('memory.title')} style={{ maxHeight: 320 }}>
              <Table>
                <Table.Tbody>
                  {rows(n.models.largest).map((m, i) => (
                    <Table.Tr key={m.name + i}>
                      <Table.Td>{m.name}</Table.Td>
                      <Table.Td className="num">{bytes(m.bytes)}</Table.Td>
                      <Table.Td>{[t(m.loaded ? 'memory.loaded' : 'memory.cold'), m.own && t('memory.own'), m.pinned && t('memory.pinned')].filter(Boolean).join(', ')}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          )}
        </Card>
        <Card title="MQTT"><Facts of={facts(n.mqtt)} /></Card>
        <Card title={t('atrest.title')}><AtRest of={n.records} /></Card>
        <Card title={t('storage.title')}><Facts of={facts(n.storage)} /></Card>
      </div>
    </>
  );
}

const keySource = { data_dir: 'atrest.data_dir', file: 'atrest.from_file', credential: 'atrest.credential' } as const;

/** How prediction records lie on the disk, and where their key is. */
function AtRest({ of: r }: { of: NodeStatus['records'] }) {
  const locked = r.state === 'locked';
  return (
    <>
      <Text size="sm" className="quiet" mb="sm">{t('atrest.what')}</Text>
      {locked && <Alert color="orange" title={t('atrest.locked')}>{r.why}{r.hint && <Text size="sm">{r.hint}</Text>}</Alert>}
      <Facts of={[
        [t('atrest.state'), t(locked ? 'atrest.locked' : 'atrest.encrypted', { algorithm: r.algorithm })],
        ...(r.master ? [[t('atrest.key'), r.master] as [string, string]] : []),
        [t('atrest.file'), t(keySource[r.source as keyof typeof keySource] ?? 'atrest.from_file', { path: r.path })],
        ...(locked ? [] : [[t('atrest.files'), t(r.older + r.plain > 0 ? 'atrest.some' : 'atrest.all', { n: num(r.files), older: num(r.older), plain: num(r.plain) })] as [string, string]]),
      ]} />
    </>
  );
}

function Values() {
  const q = useGet<List<Setting>>('settings', '/settings');
  return (
    <Loaded query={q}>
      {(list) => (
        <Card title={t('settings.values')}>
          <Text size="sm" className="quiet" mb="sm">{t('settings.valuesWhat')}</Text>
          <div className="scroll" tabIndex={0} role="group" aria-label={t('settings.values')} style={{ maxHeight: 520 }}>
            <Table miw={640}>
              <Table.Thead>
                <Table.Tr><Table.Th>{t('settings.key')}</Table.Th><Table.Th>{t('col.value')}</Table.Th><Table.Th>{t('settings.source')}</Table.Th><Table.Th>{t('settings.doc')}</Table.Th></Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows(list.items).map((s) => (
                  <Table.Tr key={s.key}>
                    <Table.Td className="mono">{s.key}</Table.Td>
                    <Table.Td className="mono">{s.secret ? '••••' : JSON.stringify(s.value)}</Table.Td>
                    <Table.Td><Badge color={s.source === 'default' ? 'gray' : 'brand'}>{word('source', s.source)}</Badge></Table.Td>
                    <Table.Td>{s.doc}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </Card>
      )}
    </Loaded>
  );
}
