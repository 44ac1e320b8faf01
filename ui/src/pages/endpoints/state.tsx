import { Table, Text, Timeline } from '@mantine/core';
import { useGet } from '../../api/queries';
import { rows, type EndpointView, type List, type Performance } from '../../api/types';
import { ago, millis, moment, num, percent, sig, step } from '../../parts/format';
import { Card, Facts, State, Stats } from '../../parts/page';
import { t, word } from '../../text';

/** What each version did since the server started, and how right it was. */
export function Traffic({ of: e }: { of: EndpointView }) {
  const counters = rows(e.metrics?.versions).filter((c) => c.requests > 0);
  const perf = useGet<List<Performance>>('forecast', `/endpoints/${e.endpoint.name}/performance`, {}, { refetchInterval: 10_000 });
  const pooled = rows(perf.data?.items).filter((p) => !p.group && p.pairs > 0);
  const classes = pooled.some((p) => p.accuracy !== undefined); // a classifier has no errors, but a share of right answers
  const ms = (us: number) => millis(us / 1000);
  return (
    <>
      <Card title={t('traffic.title')}>
        <Stats of={[[t('endpoints.predictions'), num(e.records.predictions)], [t('traffic.truths'), num(e.records.truths)], [t('traffic.flight'), num(e.metrics?.in_flight)]]} />
        {counters.length > 0 && (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('traffic.title')} style={{ marginTop: 12 }}>
            <Table miw={420}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('col.version')}</Table.Th>
                  <Table.Th className="num">{t('col.requests')}</Table.Th>
                  <Table.Th className="num">{t('col.errors')}</Table.Th>
                  <Table.Th className="num">p50</Table.Th>
                  <Table.Th className="num">p90</Table.Th>
                  <Table.Th className="num">p99</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {counters.map((c) => (
                  <Table.Tr key={c.role + c.version}>
                    <Table.Td>{t('version.short', { v: c.version })} <State of={c.role} kind="role" /></Table.Td>
                    <Table.Td className="num">{num(c.requests)}</Table.Td>
                    <Table.Td className="num" style={c.errors ? { color: 'var(--edge-bad)', fontWeight: 600 } : undefined}>{num(c.errors)}</Table.Td>
                    <Table.Td className="num">{ms(c.p50_us)}</Table.Td>
                    <Table.Td className="num">{ms(c.p90_us)}</Table.Td>
                    <Table.Td className="num">{ms(c.p99_us)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Card>
      {pooled.length > 0 && (
        <Card title={t('perf.title')}>
          <div className="scroll" tabIndex={0} role="group" aria-label={t('perf.title')}>
            <Table miw={420}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('col.version')}</Table.Th>
                  <Table.Th>{t('perf.days')}</Table.Th>
                  <Table.Th className="num">{t('perf.pairs')}</Table.Th>
                  {classes ? (
                    <Table.Th className="num">{t('metric.accuracy')}</Table.Th>
                  ) : (
                    <>
                      <Table.Th className="num">MAE</Table.Th>
                      <Table.Th className="num">{t('metric.bias')}</Table.Th>
                      <Table.Th className="num">{t('metric.coverage')}</Table.Th>
                    </>
                  )}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {pooled.map((p) => (
                  <Table.Tr key={p.role + p.version}>
                    <Table.Td>{t('version.short', { v: p.version })} <State of={p.role} kind="role" /></Table.Td>
                    <Table.Td style={{ whiteSpace: 'nowrap' }}>{step(p.from)} – {step(p.to)}</Table.Td>
                    <Table.Td className="num">{num(p.pairs)}</Table.Td>
                    {classes ? (
                      <Table.Td className="num">{percent(p.accuracy ?? 0)}</Table.Td>
                    ) : (
                      <>
                        <Table.Td className="num">{sig(p.mae)}</Table.Td>
                        <Table.Td className="num">{sig(p.bias)}</Table.Td>
                        <Table.Td className="num">{percent(p.coverage)}</Table.Td>
                      </>
                    )}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </Card>
      )}
    </>
  );
}

/** What the reconciler saw. */
export function Observed({ of: e }: { of: EndpointView }) {
  const evidence = [...rows(e.status.evidence)].reverse().slice(0, 12);
  return (
    <div className="grid">
      <Card title={t('observed.title')}>
        {evidence.length === 0 && <Text className="quiet">{t('observed.nothing')}</Text>}
        <Timeline bulletSize={14} lineWidth={2} active={-1}>
          {evidence.map((x, i) => (
            <Timeline.Item key={i} title={<span style={x.ok ? undefined : { color: 'var(--edge-bad)' }}>{word('evidence', x.what)}{x.version ? `, ${t('version.short', { v: x.version })}` : ''}{x.ok ? '' : ` – ${t('observed.failed')}`}</span>}>
              <Text size="sm" className="quiet">{ago(x.at)}{x.detail ? ` · ${x.detail}` : ''}</Text>
            </Timeline.Item>
          ))}
        </Timeline>
      </Card>
      <Card title={t('models.about')}>
        <Facts
          of={[
            [t('col.state'), `${word('state', e.status.state)} · ${t('observed.revision', { seen: e.status.observed_revision, wanted: e.spec.revision })}`],
            [t('endpoint.kind'), word('kind', e.endpoint.kind)],
            [t('deploy.record'), word('record', e.endpoint.record || 'none')],
            [t('endpoint.watermark'), step(e.records.watermark)],
            [t('col.created'), `${moment(e.endpoint.created)}, ${e.endpoint.created_by}`],
          ]}
        />
      </Card>
    </div>
  );
}
