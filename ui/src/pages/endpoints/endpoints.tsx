import { Button, Group, Table } from '@mantine/core';
import { Link } from 'wouter';
import { useEndpoints } from '../../api/queries';
import { rows, type EndpointView } from '../../api/types';
import { Empty } from '../../parts/empty';
import { num, percent, step } from '../../parts/format';
import { Card, DemoMark, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t } from '../../text';

/** The share of a target in all answers. */
export const shareOf = (e: EndpointView, version: number) => {
  const targets = rows(e.spec.targets);
  const mine = targets.find((x) => x.version === version);
  if (!mine || mine.role === 'shadow') return 0;
  if (mine.role === 'canary') return (mine.weight ?? 0) / 10_000;
  return 1 - targets.filter((x) => x.role === 'canary').reduce((a, x) => a + (x.weight ?? 0), 0) / 10_000;
};

/** All endpoints. */
export default function Endpoints() {
  const q = useEndpoints();
  return (
    <Page title={t('endpoints.title')} intro={t('endpoints.intro')}>
      <Loaded query={q}>
        {(list) =>
          rows(list.items).length === 0 ? (
            <Empty title={t('endpoints.empty')} action={<Button component={Link} href="/models">{t('endpoints.choose')}</Button>} cli={'edgeward endpoint create NAME --model MODEL\nedgeward deploy promote NAME 1 --reason "…"'}>
              {t('endpoints.emptyWhat')}
            </Empty>
          ) : (
            <Card label={t('endpoints.title')}>
              <div className="scroll" tabIndex={0} role="group" aria-label={t('endpoints.title')}>
                <Table miw={680}>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t('endpoints.one')}</Table.Th>
                      <Table.Th>{t('models.one')}</Table.Th>
                      <Table.Th>{t('col.state')}</Table.Th>
                      <Table.Th>{t('endpoints.answers')}</Table.Th>
                      <Table.Th className="num">{t('endpoints.predictions')}</Table.Th>
                      <Table.Th>{t('endpoints.last')}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {rows(list.items).map((e) => (
                      <Table.Tr key={e.endpoint.name}>
                        <Table.Td>
                          <Group gap={8}><To href={`/endpoints/${e.endpoint.name}`}>{e.endpoint.name}</To><DemoMark on={e.endpoint.demo} /></Group>
                          {e.endpoint.title && <span className="quiet">{e.endpoint.title}</span>}
                        </Table.Td>
                        <Table.Td><To href={`/models/${e.endpoint.model}`}>{e.endpoint.model}</To></Table.Td>
                        <Table.Td><State of={e.status.state} /></Table.Td>
                        <Table.Td>
                          {rows(e.spec.targets).map((x) => (
                            <Group key={x.version} gap={6}>{t('version.short', { v: x.version })} <State of={x.role} kind="role" /> {x.role !== 'shadow' && <span className="quiet">{percent(shareOf(e, x.version))}</span>}</Group>
                          ))}
                        </Table.Td>
                        <Table.Td className="num">{num(e.records.predictions)}</Table.Td>
                        <Table.Td>{step(e.records.last)}</Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
            </Card>
          )
        }
      </Loaded>
    </Page>
  );
}
