import { Alert, Badge, Table, Text } from '@mantine/core';
import { Fragment } from 'react';
import { rows, type EndpointView } from '../../api/types';
import { sig } from '../../parts/format';
import { Card } from '../../parts/page';
import { t, word } from '../../text';

/** What each version runs on, what else was tried, and why; aloud where it is not what was asked for. */
export function Choices({ of: e }: { of: EndpointView }) {
  const all = rows(e.status.versions).filter((v) => v.loaded && v.choice && rows(v.choice.tried).length > 0);
  if (all.length === 0) return null;
  return (
    <Card title={t('choice.title')}>
      {all.map((v) => (
        <section key={v.version} style={{ marginBottom: 16 }}>
          <Text fw={650}>{t('version.short', { v: v.version })} · {v.device} {v.choice?.instead && <Badge color="orange">{t('choice.elsewhere')}</Badge>}</Text>
          {v.choice?.instead ? (
            <Alert color="orange" my="xs" title={t('choice.missed', { wish: v.choice.wish ?? '', device: v.device ?? '' })}>
              <span lang="en">{v.choice.instead}</span>
            </Alert>
          ) : (
            <Text size="sm" mb={6} lang="en">{v.choice?.why}</Text>
          )}
          <div className="scroll" tabIndex={0} role="group" aria-label={t('choice.title')}>
            <Table miw={560}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('engines.engine')}</Table.Th>
                  <Table.Th>{t('choice.device')}</Table.Th>
                  <Table.Th>{t('choice.agrees')}</Table.Th>
                  <Table.Th className="num">{t('engines.diff')}</Table.Th>
                  <Table.Th className="num">{t('engines.p50')}</Table.Th>
                  <Table.Th className="num">{t('choice.p95')}</Table.Th>
                  <Table.Th>{t('choice.nodes')}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows(v.choice?.tried).map((c) => (
                  <Fragment key={c.engine + c.device + (c.runtime ?? '')}>
                  <Table.Tr fw={c.chosen ? 650 : undefined}>
                    <Table.Td><span style={{ whiteSpace: 'nowrap' }}>{word('engine', c.engine)}</span> <span className="quiet">{c.version} {c.runtime}</span></Table.Td>
                    <Table.Td>{c.device}</Table.Td>
                    <Table.Td style={c.agrees ? undefined : { color: 'var(--edge-warn)' }}>{c.agrees ? t('engines.yes') : t('engines.no')}</Table.Td>
                    <Table.Td className="num">{c.max_abs_diff == null ? '–' : sig(c.max_abs_diff)}</Table.Td>
                    <Table.Td className="num">{c.p50_us ? `${sig(c.p50_us)} µs` : '–'}</Table.Td>
                    <Table.Td className="num">{c.p95_us ? `${sig(c.p95_us)} µs` : '–'}</Table.Td>
                    <Table.Td>{Object.entries(c.nodes ?? {}).map(([d, n]) => `${d} ${n}`).join(', ') || '–'}</Table.Td>
                  </Table.Tr>
                  {c.error && (
                    <Table.Tr>
                      <Table.Td colSpan={7} pt={0}><Text className="quiet" lang="en" size="xs" lineClamp={3} title={c.error} style={{ overflowWrap: 'anywhere' }}>{c.error}</Text></Table.Td>
                    </Table.Tr>
                  )}
                  </Fragment>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </section>
      ))}
    </Card>
  );
}
