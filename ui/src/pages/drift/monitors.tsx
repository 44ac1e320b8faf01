import { Button, Group, Stack, Table, Text } from '@mantine/core';
import { Link } from 'wouter';
import { useAlerts, useEndpoints } from '../../api/queries';
import { rows, type Alert } from '../../api/types';
import { Empty } from '../../parts/empty';
import { step } from '../../parts/format';
import { Card, DemoMark, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';

/** Open alerts first, then every endpoint that is watched. */
export default function Monitors() {
  const endpoints = useEndpoints();
  const alerts = useAlerts();
  return (
    <Page title={t('drift.title')} intro={t('drift.intro')}>
      <Stack gap="md">
        <Loaded query={alerts}>{(list) => <Alerts of={rows(list.items)} />}</Loaded>
        <Loaded query={endpoints}>
          {(list) => {
            const watched = rows(list.items).filter((e) => e.drift || e.phase);
            if (watched.length === 0)
              return (
                <Empty title={t('drift.empty')} action={<Button component={Link} href="/data">{t('begin.import')}</Button>} cli="edgeward drift show ENDPOINT">
                  {t('drift.emptyWhat')}
                </Empty>
              );
            return (
              <Card title={t('drift.watched')}>
                <div className="scroll" tabIndex={0} role="group" aria-label={t('drift.watched')}>
                  <Table miw={480}>
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{t('endpoints.one')}</Table.Th>
                        <Table.Th>{t('drift.title')}</Table.Th>
                        <Table.Th>{t('drift.loop')}</Table.Th>
                        <Table.Th>{t('endpoint.watermark')}</Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {watched.map((e) => (
                        <Table.Tr key={e.endpoint.name}>
                          <Table.Td><Group gap={8}><To href={`/drift/${e.endpoint.name}`}>{e.endpoint.title || e.endpoint.name}</To><DemoMark on={e.endpoint.demo} /></Group></Table.Td>
                          <Table.Td><State of={e.drift} kind="drift" /></Table.Td>
                          <Table.Td>{word('phase', e.phase || 'watching')}</Table.Td>
                          <Table.Td>{step(e.records.watermark)}</Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </div>
              </Card>
            );
          }}
        </Loaded>
      </Stack>
    </Page>
  );
}

function Alerts({ of }: { of: Alert[] }) {
  if (of.length === 0) return null;
  return (
    <Card title={t('alerts.title')}>
      {of.map((a) => {
        const endpoint = a.endpoint ?? a.labels?.endpoint ?? a.key.split('/').pop()!;
        return (
          <div className="need" key={a.key}>
            <i className="dot" style={{ background: `var(${a.state === 'firing' ? '--edge-bad' : a.state === 'pending' ? '--edge-warn' : '--edge-good'})` }} aria-hidden />
            <div style={{ flex: 1, minWidth: 0 }}>
              <Group gap={8}><To href={`/drift/${endpoint}`}>{endpoint}</To><State of={a.state} /><DemoMark on={a.demo} /></Group>
              <Text size="sm" className="quiet">{word('why', a.code)} · {t('alerts.since', { day: step(a.since) })}{a.ack ? ` · ${t('alerts.seenBy', { by: a.ack.by })}` : ''}</Text>
            </div>
          </div>
        );
      })}
    </Card>
  );
}
