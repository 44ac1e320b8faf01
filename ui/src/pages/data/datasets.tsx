import { useState } from 'react';
import { Group, Stack, Table } from '@mantine/core';
import { useDatasets } from '../../api/queries';
import { rows } from '../../api/types';
import { Empty } from '../../parts/empty';
import { ago, num } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Page, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t } from '../../text';
import { Import } from './import';

/** All data sets, and the way in for a new one. */
export default function Datasets() {
  const q = useDatasets();
  const [adding, setAdding] = useState(false);
  return (
    <Page title={t('data.title')} intro={t('data.intro')} actions={<MayButton verb="create" on="dataset" onClick={() => setAdding(!adding)}>{t('begin.import')}</MayButton>}>
      <Stack gap="md">
        {(adding || (q.data && rows(q.data.items).length === 0)) && <Import />}
        <Loaded query={q}>
          {(list) =>
            rows(list.items).length === 0 ? (
              <Empty title={t('data.empty')} cli="edgeward data import FILE.csv my-data">{t('data.emptyWhat')}</Empty>
            ) : (
              <Card label={t('data.title')}>
                <div className="scroll" tabIndex={0} role="group" aria-label={t('data.title')}>
                  <Table miw={560}>
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{t('col.name')}</Table.Th>
                        <Table.Th className="num">{t('col.rows')}</Table.Th>
                        <Table.Th className="num">{t('data.columns')}</Table.Th>
                        <Table.Th>{t('col.version')}</Table.Th>
                        <Table.Th>{t('data.imported')}</Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {rows(list.items).map((d) => (
                        <Table.Tr key={d.name}>
                          <Table.Td>
                            <Group gap={8}><To href={`/data/${d.name}`}>{d.name}</To><DemoMark on={d.demo} /></Group>
                            {d.description && <span className="quiet">{d.description}</span>}
                          </Table.Td>
                          <Table.Td className="num">{num(d.latest?.rows)}</Table.Td>
                          <Table.Td className="num">{num(rows(d.latest?.columns).length)}</Table.Td>
                          <Table.Td>{d.latest?.number ?? '–'}</Table.Td>
                          <Table.Td>{ago(d.latest?.created ?? d.created)}</Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </div>
              </Card>
            )
          }
        </Loaded>
      </Stack>
    </Page>
  );
}
