import { Table, Text } from '@mantine/core';
import { rows, type DriftView } from '../../api/types';
import { day, num, sig } from '../../parts/format';
import { Card, State } from '../../parts/page';
import { seriesName } from '../../parts/series';
import { t, word } from '../../text';

/** Where it comes from: each series' errors, the inputs that moved, and what went out over MQTT. */
export function Evidence({ of: v, demo }: { of: DriftView; demo?: boolean }) {
  const streams = rows(v.verdict?.streams);
  const reports = rows(v.reports);
  const with_ = [v.alarm_report, ...reports].find((r) => rows(r?.columns).length > 0);
  const columns = rows(with_?.columns);
  return (
    <>
      <div className="grid">
        {streams.length > 0 && (
          <Card title={t('streams.title')}>
            <Text size="sm" className="quiet" mb={6}>{t('streams.what')}</Text>
            <div className="scroll" tabIndex={0} role="group" aria-label={t('streams.title')}>
              <Table miw={400}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('gaps.series')}</Table.Th>
                    <Table.Th>{t('streams.stream')}</Table.Th>
                    <Table.Th className="num">{t('streams.recent')}</Table.Th>
                    <Table.Th className="num">{t('streams.reference')}</Table.Th>
                    <Table.Th className="num">{t('drift.statistic')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {streams.map((s) => (
                    <Table.Tr key={s.group + s.stream}>
                      <Table.Td>{seriesName(s.group, demo) || t('gaps.all')}</Table.Td>
                      <Table.Td>{word('stream', s.stream)}</Table.Td>
                      <Table.Td className="num">{sig(s.recent)}</Table.Td>
                      <Table.Td className="num">{sig(s.reference)}</Table.Td>
                      <Table.Td className="num">{sig(s.statistic)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          </Card>
        )}
        {columns.length > 0 && with_ && (
          <Card title={t('moved.title')}>
            <Text size="sm" className="quiet" mb={6}>{t('moved.what', { from: day(with_.window.from), to: day(with_.window.to) })}</Text>
            <div className="scroll" tabIndex={0} role="group" aria-label={t('moved.title')}>
              <Table miw={400}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('moved.input')}</Table.Th>
                    <Table.Th className="num">{t('moved.distance')}</Table.Th>
                    <Table.Th>{t('moved.verdict')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {columns.map((c) => (
                    <Table.Tr key={c.name}>
                      <Table.Td>{c.name}</Table.Td>
                      <Table.Td className="num">{sig(c.value)} <span className="quiet">≥ {sig(c.low)}</span></Table.Td>
                      <Table.Td>{c.moved ? (c.up > 0.55 ? t('moved.up') : c.up < 0.45 ? t('moved.down') : t('moved.shape')) : t('moved.not')}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          </Card>
        )}
      </div>
      {reports.length > 0 && (
        <Card title={t('reports.title')}>
          <Text size="sm" className="quiet" mb={6}>{t('reports.what')}</Text>
          <div className="scroll" tabIndex={0} role="group" aria-label={t('reports.title')} style={{ maxHeight: 300 }}>
            <Table miw={680}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th className="num">{t('reports.seq')}</Table.Th>
                  <Table.Th>{t('reports.window')}</Table.Th>
                  <Table.Th className="num">{t('perf.pairs')}</Table.Th>
                  <Table.Th>{t('moved.verdict')}</Table.Th>
                  <Table.Th>{t('reports.key')}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {reports.slice(0, 100).map((r) => (
                  <Table.Tr key={r.key}>
                    <Table.Td className="num">{r.seq}</Table.Td>
                    <Table.Td style={{ whiteSpace: 'nowrap' }}>{day(r.window.from)} – {day(r.window.to)}</Table.Td>
                    <Table.Td className="num">{num(r.window.n)}</Table.Td>
                    <Table.Td><State of={r.verdict} kind="drift" /></Table.Td>
                    <Table.Td><span className="mono">{r.key.replace(/(sha256:[0-9a-f]{12})[0-9a-f]+/, '$1…')}</span></Table.Td>
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
