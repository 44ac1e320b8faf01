import { Table, Text } from '@mantine/core';
import { rows, type EndpointView } from '../../api/types';
import { num, percent, sig } from '../../parts/format';
import { Card } from '../../parts/page';
import { t } from '../../text';

/** How the answers of shadows differ from those the clients got. */
export function Compared({ of: e }: { of: EndpointView }) {
  const shadows = rows(e.spec.targets).filter((x) => x.role === 'shadow').map((x) => x.version);
  const all = rows(e.metrics?.versions).filter((c) => c.role === 'shadow').flatMap((c) => rows(c.comparisons).map((x) => ({ shadow: c.version, dropped: c.dropped, ...x })));
  if (shadows.length === 0 && all.length === 0) return null;
  const classes = all.some((x) => x.labels > 0);
  return (
    <Card title={t('compared.title')}>
      <Text size="sm" className="quiet" mb={8}>{t('compared.what')}</Text>
      {all.length === 0 ? (
        <Text>{t('compared.nothing')}</Text>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label={t('compared.title')}>
          <Table miw={560}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('change.shadow')}</Table.Th>
                <Table.Th>{t('compared.with')}</Table.Th>
                <Table.Th className="num">{t('compared.answers')}</Table.Th>
                <Table.Th className="num">{t('compared.differ')}</Table.Th>
                <Table.Th className="num">{t('compared.mean')}</Table.Th>
                <Table.Th className="num">{t('compared.abs')}</Table.Th>
                <Table.Th className="num">{t('compared.max')}</Table.Th>
                {classes && <Table.Th className="num">{t('compared.class')}</Table.Th>}
                <Table.Th className="num">{t('compared.dropped')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {all.map((x) => (
                <Table.Tr key={`${x.shadow}-${x.with}`}>
                  <Table.Td>{t('version.short', { v: x.shadow })}</Table.Td>
                  <Table.Td>{t('version.short', { v: x.with })}</Table.Td>
                  <Table.Td className="num">{num(x.answers)}</Table.Td>
                  <Table.Td className="num">{percent(x.differ / Math.max(1, x.answers), 1)}</Table.Td>
                  <Table.Td className="num">{x.values ? sig(x.mean_diff) : '–'}</Table.Td>
                  <Table.Td className="num">{x.values ? sig(x.mean_abs_diff) : '–'}</Table.Td>
                  <Table.Td className="num">{x.values ? sig(x.max_abs_diff) : '–'}</Table.Td>
                  {classes && <Table.Td className="num">{x.labels ? percent(x.disagree / x.labels, 2) : '–'}</Table.Td>}
                  <Table.Td className="num">{num(x.dropped)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Card>
  );
}
