import { Button, Group, Stack, Table, Text } from '@mantine/core';
import { Link } from 'wouter';
import { useOverview } from '../../api/queries';
import { rows, type EndpointLine, type JobLine, type Need } from '../../api/types';
import { Empty } from '../../parts/empty';
import { ago, millis, num, sig } from '../../parts/format';
import { Card, DemoMark, Page, State, Stats, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word, has } from '../../text';

/** What needs me, then how everything does. */
export default function Overview() {
  const q = useOverview();
  return (
    <Page title={t('overview.title')}>
      <Loaded query={q} height={300}>
        {(o) => {
          const endpoints = rows(o.endpoints);
          const counts = o.counts ?? {};
          const bare = endpoints.length === 0 && !counts.dataset && !counts.datasets && !counts.model && !counts.models;
          return (
            <Stack gap="md">
              {(rows(o.needs).length > 0 || !bare) && <Needs of={rows(o.needs)} />}
              {bare ? <Begin /> : <EndpointTable of={endpoints} />}
              {!bare && (
                <div className="grid">
                  <Jobs of={rows(o.jobs)} />
                  <Card title={t('overview.counts')}>
                    <Stats of={Object.entries(counts).map(([k, v]) => [countWord(k), num(v)])} />
                  </Card>
                </div>
              )}
            </Stack>
          );
        }}
      </Loaded>
    </Page>
  );
}

const countWord = (k: string) => (has(`count.${k}`) ? word('count', k) : k.replaceAll('_', ' '));

function Needs({ of }: { of: Need[] }) {
  const colour = ['--edge-good', '--edge-forecast', '--edge-warn', '--edge-bad'];
  return (
    <Card title={t('overview.needs')}>
      {of.length === 0 && <Text className="quiet">{t('overview.nothing')}</Text>}
      {of.map((n) => (
        <div className="need" key={n.code + n.link + n.since}>
          <i className="dot" style={{ background: `var(${colour[n.severity] ?? '--edge-warn'})` }} aria-hidden />
          <div style={{ flex: 1, minWidth: 0 }}>
            <To href={n.link}>{n.text}</To>
            <div className="quiet" style={{ fontSize: '0.85rem' }}>{word('need', n.code)} · {ago(n.since)}</div>
          </div>
        </div>
      ))}
    </Card>
  );
}

/** The first page of an empty server. */
function Begin() {
  return (
    <div className="grid">
      <Empty title={t('begin.own')} action={<Button component={Link} href="/data">{t('begin.import')}</Button>} cli="edgeward data import FILE.csv my-data">
        {t('begin.ownWhat')}
      </Empty>
      <Empty title={t('begin.demo')} cli="edgeward up --demo">{t('begin.demoWhat')}</Empty>
      <Empty title={t('begin.onnx')} action={<Button variant="default" component={Link} href="/models">{t('begin.drop')}</Button>} cli="edgeward model import FILE.onnx my-model">
        {t('begin.onnxWhat')}
      </Empty>
    </div>
  );
}

function EndpointTable({ of }: { of: EndpointLine[] }) {
  if (of.length === 0)
    return (
      <Empty title={t('endpoints.empty')} action={<Button component={Link} href="/endpoints">{t('endpoints.title')}</Button>} cli="edgeward endpoint create NAME --model MODEL">
        {t('endpoints.emptyWhat')}
      </Empty>
    );
  return (
    <Card title={t('endpoints.title')}>
      <div className="scroll" tabIndex={0} role="group" aria-label={t('endpoints.title')}>
        <Table miw={640}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('endpoints.one')}</Table.Th>
              <Table.Th>{t('col.state')}</Table.Th>
              <Table.Th>{t('drift.title')}</Table.Th>
              <Table.Th>{t('col.version')}</Table.Th>
              <Table.Th className="num">{t('col.requests')}</Table.Th>
              <Table.Th className="num">p95</Table.Th>
              <Table.Th className="num">{t('col.mae')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {of.map((e) => (
              <Table.Tr key={e.name}>
                <Table.Td>
                  <Group gap={8}>
                    <To href={`/endpoints/${e.name}`}>{e.title || e.name}</To>
                    <DemoMark on={e.demo} />
                  </Group>
                  {e.title && <span className="quiet mono">{e.name}</span>}
                </Table.Td>
                <Table.Td><State of={e.state} /></Table.Td>
                <Table.Td>
                  {e.drift ? <Link href={`/drift/${e.name}`} aria-label={`${t('drift.title')}: ${e.title || e.name}, ${word('drift', e.drift)}`}><State of={e.drift} kind="drift" /></Link> : '–'}
                  {e.phase && e.phase !== 'watching' && <div className="quiet" style={{ fontSize: '0.82rem' }}>{word('phase', e.phase)}</div>}
                </Table.Td>
                <Table.Td>{e.version || '–'}</Table.Td>
                <Table.Td className="num">{num(e.requests)}</Table.Td>
                <Table.Td className="num">{e.requests ? millis(e.p95_ms) : '–'}</Table.Td>
                <Table.Td className="num">{e.mae ? sig(e.mae) : '–'}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Card>
  );
}

function Jobs({ of }: { of: JobLine[] }) {
  return (
    <Card title={t('overview.jobs')}>
      {of.length === 0 && <Text className="quiet">{t('jobs.none')}</Text>}
      <Stack gap={8}>
        {of.slice(0, 6).map((j) => (
          <Group key={j.id} justify="space-between" gap="xs" wrap="nowrap">
            <span style={{ minWidth: 0 }}><To href={`/jobs/${j.id}`}>{j.title}</To> <span className="quiet">{ago(j.at)}</span></span>
            <State of={j.state} />
          </Group>
        ))}
      </Stack>
    </Card>
  );
}
