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

/** The first cell of a line: what it is called, where its page is, and what stands below the name. */
interface Head { name: string; to: string; description?: ReactNode; demo?: boolean }

/** A page that lists things. Where one makes them here too, a button opens the way in, which an empty list shows at once. */
export function Listing<A>({ title, intro, query, head = t('col.name'), line, way, empty, columns, miw = 540 }: {
  title: string; intro: string; query: UseQueryResult<List<A>, Refused>; head?: string; line: (a: A) => Head;
  way?: { label: string; verb: string; on: string; form: ReactNode; open?: boolean };
  empty: { title: string; what: string; cli: string; action?: ReactNode };
  columns: { label: string; num?: boolean; cell: (a: A) => ReactNode }[]; miw?: number;
}) {
  const [adding, setAdding] = useState(way?.open ?? false);
  const may = useMay()(way?.verb ?? '', way?.on ?? '');
  const none = !!query.data && rows(query.data.items).length === 0;
  useEffect(() => {
    if (none) setAdding(true); // and it stays while what it makes appears in the list
  }, [none]);
  return (
    <Page title={title} intro={intro} actions={way && <MayButton verb={way.verb} on={way.on} aria-expanded={adding} onClick={() => setAdding(!adding)}>{way.label}</MayButton>}>
      <Stack gap="md">
        {way && may && adding && way.form}
        <Loaded query={query}>
          {(list) =>
            none ? (
              <Empty title={empty.title} cli={empty.cli} action={empty.action}>{empty.what}</Empty>
            ) : (
              <Card label={title}>
                <div className="scroll" tabIndex={0} role="group" aria-label={title}>
                  <Table miw={miw}>
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{head}</Table.Th>
                        {columns.map((c) => <Table.Th key={c.label} className={c.num ? 'num' : undefined}>{c.label}</Table.Th>)}
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {rows(list.items).map((a) => {
                        const { name, to, description, demo } = line(a);
                        return (
                          <Table.Tr key={to}>
                            <Table.Td>
                              <Group gap={8}><To href={to}>{name}</To><DemoMark on={demo} /></Group>
                              {typeof description === 'string' ? <span className="quiet">{description}</span> : description}
                            </Table.Td>
                            {columns.map((c) => <Table.Td key={c.label} className={c.num ? 'num' : 'tight'}>{c.cell(a)}</Table.Td>)}
                          </Table.Tr>
                        );
                      })}
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
