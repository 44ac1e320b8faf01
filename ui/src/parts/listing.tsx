import { useEffect, useState, type ReactNode } from 'react';
import { Group, Stack, Table } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { Refused } from '../api/client';
import { rows, type List } from '../api/types';
import { t } from '../text';
import { Empty } from './empty';
import { MayButton, useMay } from './may';
import { Card, DemoMark, Page, To } from './page';
import { Loaded } from './trouble';

/** What a listed thing has; its name leads to its page. */
interface Named { name: string; description?: string; demo?: boolean }

/** A page that lists named things: a button that opens the way in for a new one, which an empty list shows at once. */
export function Listing<A extends Named>({ title, intro, query, at, way, empty, columns }: {
  title: string; intro: string; query: UseQueryResult<List<A>, Refused>; at: string;
  way: { label: string; verb: string; on: string; form: ReactNode };
  empty: { title: string; what: string; cli: string };
  columns: { label: string; num?: boolean; cell: (a: A) => ReactNode }[];
}) {
  const [adding, setAdding] = useState(false);
  const may = useMay()(way.verb, way.on);
  const none = !!query.data && rows(query.data.items).length === 0;
  useEffect(() => {
    if (none) setAdding(true); // and it stays while what it makes appears in the list
  }, [none]);
  return (
    <Page title={title} intro={intro} actions={<MayButton verb={way.verb} on={way.on} aria-expanded={adding} onClick={() => setAdding(!adding)}>{way.label}</MayButton>}>
      <Stack gap="md">
        {may && adding && way.form}
        <Loaded query={query}>
          {(list) =>
            none ? (
              <Empty title={empty.title} cli={empty.cli}>{empty.what}</Empty>
            ) : (
              <Card label={title}>
                <div className="scroll" tabIndex={0} role="group" aria-label={title}>
                  <Table miw={540}>
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{t('col.name')}</Table.Th>
                        {columns.map((c) => <Table.Th key={c.label} className={c.num ? 'num' : undefined}>{c.label}</Table.Th>)}
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {rows(list.items).map((a) => (
                        <Table.Tr key={a.name}>
                          <Table.Td>
                            <Group gap={8}><To href={`${at}/${a.name}`}>{a.name}</To><DemoMark on={a.demo} /></Group>
                            {a.description && <span className="quiet">{a.description}</span>}
                          </Table.Td>
                          {columns.map((c) => <Table.Td key={c.label} className={c.num ? 'num' : 'tight'}>{c.cell(a)}</Table.Td>)}
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
