import { Table, Text, Timeline } from '@mantine/core';
import { useGet } from '../../api/queries';
import { rows, type EndpointView, type List, type Performance } from '../../api/types';
import { ago, moment, num, percent, sig, step } from '../../parts/format';
import { Card, Facts, State } from '../../parts/page';
import { t, word } from '../../text';

/** How right each version was on what it answered. */
export function Right({ of: e }: { of: EndpointView }) {
  const perf = useGet<List<Performance>>('forecast', `/endpoints/${e.endpoint.name}/performance`, {}, { refetchInterval: 10_000 });
  const pooled = rows(perf.data?.items).filter((p) => !p.group && p.pairs > 0);
  const classes = pooled.some((p) => p.accuracy !== undefined); // a classifier has no errors, but a share of right answers
  return (
    <>
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
            [t('endpoint.watermark'), step(e.records.watermark)],
            [t('col.created'), `${moment(e.endpoint.created)}, ${e.endpoint.created_by}`],
          ]}
        />
      </Card>
    </div>
  );
}
