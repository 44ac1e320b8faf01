import { useState } from 'react';
import { Badge, Group, Stack, Table } from '@mantine/core';
import { useModels } from '../../api/queries';
import { rows } from '../../api/types';
import { Empty } from '../../parts/empty';
import { ago } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Page, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { ImportModel } from './import';

/** The registry. */
export default function Models() {
  const q = useModels();
  const [adding, setAdding] = useState(false);
  return (
    <Page title={t('models.title')} intro={t('models.intro')} actions={<MayButton verb="create" on="version" onClick={() => setAdding(!adding)}>{t('begin.drop')}</MayButton>}>
      <Stack gap="md">
        {(adding || (q.data && rows(q.data.items).length === 0)) && <ImportModel />}
        <Loaded query={q}>
          {(list) =>
            rows(list.items).length === 0 ? (
              <Empty title={t('models.empty')} cli="edgeward model import FILE.onnx my-model">{t('models.emptyWhat')}</Empty>
            ) : (
              <Card label={t('models.title')}>
                <div className="scroll" tabIndex={0} role="group" aria-label={t('models.title')}>
                  <Table miw={520}>
                    <Table.Thead>
                      <Table.Tr>
                        <Table.Th>{t('col.name')}</Table.Th>
                        <Table.Th>{t('models.task')}</Table.Th>
                        <Table.Th>{t('models.latest')}</Table.Th>
                        <Table.Th>{t('models.aliases')}</Table.Th>
                        <Table.Th>{t('col.created')}</Table.Th>
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {rows(list.items).map((m) => (
                        <Table.Tr key={m.name}>
                          <Table.Td>
                            <Group gap={8}><To href={`/models/${m.name}`}>{m.name}</To><DemoMark on={m.demo} /></Group>
                            {m.description && <span className="quiet">{m.description}</span>}
                          </Table.Td>
                          <Table.Td>{word('task', m.task)}</Table.Td>
                          <Table.Td>{m.latest ? <To href={`/models/${m.name}/versions/${m.latest}`}>{t('version.short', { v: m.latest })}</To> : '–'}</Table.Td>
                          <Table.Td><Group gap={4}>{Object.entries(m.aliases ?? {}).map(([a, x]) => <Badge key={a} color="brand">{a} → {x.version}</Badge>)}</Group></Table.Td>
                          <Table.Td>{ago(m.created)}</Table.Td>
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
