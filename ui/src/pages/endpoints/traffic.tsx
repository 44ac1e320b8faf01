import { Stack, Table, Text } from '@mantine/core';
import { rows, type EndpointView, type Runs } from '../../api/types';
import { millis, num, percent } from '../../parts/format';
import { Card, State, Stats } from '../../parts/page';
import { t } from '../../text';
import { useLive } from './live';

const ms = (us: number | undefined) => (us === undefined ? '–' : millis(us / 1000));

/** What the endpoint does now, and what each version did since the server started. */
export function Traffic({ of: e, at }: { of: EndpointView; at: number }) {
  const live = useLive(e, at);
  const m = e.metrics;
  const counters = rows(m?.versions).filter((c) => c.requests + c.refused > 0);
  const runs = rows(m?.runs).filter((r) => r.runs > 0);
  const waiting = rows(m?.runs).reduce((a, r) => a + r.waiting, 0);
  const bad = (n: number) => (n ? { color: 'var(--edge-bad)', fontWeight: 600 } : undefined);
  return (
    <>
      <Card title={t('traffic.live')}>
        <Stats
          of={[
            [t('traffic.rate'), live ? num(live.rate, 1) : '…'],
            ['p50', ms(live?.p50)],
            ['p95', ms(live?.p95)],
            ['p99', ms(live?.p99)],
            [t('traffic.errors'), <span key="e" style={bad(live?.errors ?? 0)}>{live ? num(live.errors, 1) : '…'}</span>],
            [t('traffic.flight'), num(m?.in_flight)],
            [t('traffic.waiting'), num(waiting)],
          ]}
        />
        {live && live.rates.length > 1 && <Spark of={live.rates} />}
        <Text size="sm" className="quiet" mt={6}>{t(live && live.p50 === undefined ? 'traffic.idle' : 'traffic.liveWhat')}</Text>
      </Card>
      <Card title={t('traffic.title')}>
        <Stats of={[[t('endpoints.predictions'), num(e.records.predictions)], [t('traffic.truths'), num(e.records.truths)], [t('traffic.overloaded'), num(m?.overloaded)], [t('traffic.limited'), num(m?.limited)]]} />
        {counters.length === 0 ? <Text className="quiet" mt={8}>{t('traffic.none')}</Text> : (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('traffic.title')} style={{ marginTop: 12 }}>
            <Table miw={520}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('col.version')}</Table.Th>
                  <Table.Th className="num">{t('col.requests')}</Table.Th>
                  <Table.Th className="num">{t('col.errors')}</Table.Th>
                  <Table.Th className="num">{t('traffic.refused')}</Table.Th>
                  <Table.Th className="num">p50</Table.Th>
                  <Table.Th className="num">p95</Table.Th>
                  <Table.Th className="num">p99</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {counters.map((c) => (
                  <Table.Tr key={c.role + c.version}>
                    <Table.Td>{t('version.short', { v: c.version })} <State of={c.role} kind="role" /> {c.variant}</Table.Td>
                    <Table.Td className="num">{num(c.requests)}</Table.Td>
                    <Table.Td className="num" style={bad(c.errors)}>{num(c.errors)}</Table.Td>
                    <Table.Td className="num">{num(c.refused)}</Table.Td>
                    <Table.Td className="num">{ms(c.p50_us)}</Table.Td>
                    <Table.Td className="num">{ms(c.p95_us)}</Table.Td>
                    <Table.Td className="num">{ms(c.p99_us)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Card>
      <Card title={t('runs.title')}>
        <Text size="sm" className="quiet" mb={10}>{t('runs.what')}</Text>
        {runs.length === 0 ? <Text className="quiet">{t('runs.none')}</Text> : <div className="grid">{runs.map((r) => <Sizes key={r.version} of={r} />)}</div>}
      </Card>
    </>
  );
}

/** The requests a second of the last minute, for the eye alone: the number stands beside it. */
function Spark({ of }: { of: number[] }) {
  const top = Math.max(...of, 1e-9);
  const points = of.map((x, i) => `${((100 * i) / (of.length - 1)).toFixed(2)},${(30 - (28 * x) / top).toFixed(2)}`).join(' ');
  return (
    <svg viewBox="0 0 100 31" preserveAspectRatio="none" aria-hidden style={{ width: '100%', height: 46, marginTop: 10, display: 'block' }}>
      <polyline points={points} fill="none" stroke="var(--edge-forecast)" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

const sizeOf = (i: number) => (i === 0 ? '1' : i === 1 ? '2' : `${2 ** (i - 1) + 1}–${2 ** i}`);

/** How many rows the runs of a version answered at once. */
function Sizes({ of: r }: { of: Runs }) {
  const sizes = rows(r.sizes);
  const last = sizes.reduce((a, n, i) => (n > 0 ? i : a), 0);
  const most = Math.max(...sizes, 1);
  return (
    <Stack gap={6}>
      <Text size="sm"><b>{t('version.short', { v: r.version })}</b> · {r.batch > 1 ? t('runs.joins', { n: r.batch }) : t('runs.alone')} · {t('runs.mean', { ms: millis(r.compute_us / Math.max(1, r.runs) / 1000) })}</Text>
      <table className="plain">
        <thead><tr><th scope="col">{t('runs.rows')}</th><th scope="col">{t('runs.share')}</th><th scope="col" className="num">{t('runs.count')}</th></tr></thead>
        <tbody>
          {sizes.slice(0, last + 1).map((n, i) => (
            <tr key={i}>
              <th scope="row">{sizeOf(i)}</th>
              <td style={{ width: '60%' }}><div role="img" aria-label={percent(n / Math.max(1, r.runs))} style={{ height: 9, borderRadius: 3, background: 'var(--edge-bar)', width: `${(100 * n) / most}%` }} /></td>
              <td className="num">{num(n)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Stack>
  );
}
