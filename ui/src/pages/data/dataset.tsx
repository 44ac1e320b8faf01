import { useState } from 'react';
import { Group, Select, Stack, Table, Tabs, Text } from '@mantine/core';
import { useLocation } from 'wouter';
import { remove } from '../../api/client';
import { useAct, useDataset, useDatasetVersions } from '../../api/queries';
import { rows, type DatasetVersion } from '../../api/types';
import { Ask } from '../../parts/ask';
import { ago, bytes, moment, num, short } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Facts, Page } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t } from '../../text';
import { Import } from './import';
import { ProfileTab } from './profile';
import { RowsTab } from './rows';
import { SQLTab } from './sql';
import { TrainTab } from './train';

/** One data set: what is in it, what is missing, and what can be made of it. */
export default function DataSet({ name }: { name: string }) {
  const q = useDataset(name);
  const versions = useDatasetVersions(name);
  const [number, setNumber] = useState<number>();
  const [tab, setTab] = useState<string | null>('profile');
  const [removing, setRemoving] = useState(false);
  const [, navigate] = useLocation();
  const gone = useAct(() => remove(`/datasets/${name}`), 'dataset');
  return (
    <Loaded query={q} page={name} height={300}>
      {(d) => {
        const all = rows(versions.data?.items);
        const v = all.find((x) => x.number === number) ?? (number === undefined ? d.latest : undefined) ?? all[0];
        return (
          <Page
            title={d.name}
            crumbs={[[t('data.title'), '/data']]}
            marks={<DemoMark on={d.demo} />}
            intro={d.description}
            actions={
              <>
                {all.length > 1 && (
                  <Select aria-label={t('col.version')} size="xs" w={150} data={all.map((x) => ({ value: String(x.number), label: t('version.short', { v: x.number }) }))} value={String(v?.number ?? '')} onChange={(x) => setNumber(Number(x))} allowDeselect={false} />
                )}
                <MayButton verb="create" on="model" onClick={() => setTab('train')}>{t('data.train')}</MayButton>
              </>
            }
          >
            {!v ? (
              <Stack><Text className="quiet">{t('data.noVersion')}</Text><Import into={name} /></Stack>
            ) : (
              <Tabs value={tab} onChange={setTab} keepMounted={false}>
                <Tabs.List mb="md">
                  <Tabs.Tab value="profile">{t('data.profile')}</Tabs.Tab>
                  <Tabs.Tab value="rows">{t('col.rows')}</Tabs.Tab>
                  <Tabs.Tab value="sql">SQL</Tabs.Tab>
                  <Tabs.Tab value="train">{t('data.trainTab')}</Tabs.Tab>
                  <Tabs.Tab value="versions">{t('data.versions')}</Tabs.Tab>
                </Tabs.List>
                <Tabs.Panel value="profile"><ProfileTab name={name} version={v} demo={d.demo} /></Tabs.Panel>
                <Tabs.Panel value="rows"><RowsTab name={name} version={v} /></Tabs.Panel>
                <Tabs.Panel value="sql"><SQLTab name={name} version={v} /></Tabs.Panel>
                <Tabs.Panel value="train"><TrainTab name={name} version={v} /></Tabs.Panel>
                <Tabs.Panel value="versions">
                  <Stack>
                    <Versions of={all} />
                    <About of={v} />
                    <Import into={name} />
                    <Group><MayButton verb="delete" on="dataset" variant="default" onClick={() => setRemoving(true)}>{t('data.remove')}</MayButton></Group>
                  </Stack>
                </Tabs.Panel>
              </Tabs>
            )}
            <Ask
              title={t('data.remove')}
              open={removing}
              close={() => setRemoving(false)}
              optional
              danger
              go={t('action.remove')}
              cli={() => `edgeward data remove ${name}`}
              act={async () => {
                await gone.mutateAsync(undefined as never);
                navigate('/data');
              }}
            >
              <Text>{t('data.removeWhat', { name })}</Text>
            </Ask>
          </Page>
        );
      }}
    </Loaded>
  );
}

function Versions({ of }: { of: DatasetVersion[] }) {
  return (
    <Card title={t('data.versions')}>
      <div className="scroll" tabIndex={0} role="group" aria-label={t('data.versions')}>
        <Table miw={560}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('col.version')}</Table.Th>
              <Table.Th className="num">{t('col.rows')}</Table.Th>
              <Table.Th>{t('data.source')}</Table.Th>
              <Table.Th>{t('data.imported')}</Table.Th>
              <Table.Th>{t('col.by')}</Table.Th>
              <Table.Th>{t('data.message')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {of.map((v) => (
              <Table.Tr key={v.number}>
                <Table.Td>{v.number}</Table.Td>
                <Table.Td className="num">{num(v.rows)}</Table.Td>
                <Table.Td>{v.source.file || v.format}</Table.Td>
                <Table.Td>{ago(v.created)}</Table.Td>
                <Table.Td>{v.created_by}</Table.Td>
                <Table.Td>{v.message}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Card>
  );
}

function About({ of: v }: { of: DatasetVersion }) {
  return (
    <Card title={t('version.short', { v: v.number })}>
      <Facts
        of={[
          [t('data.digest'), <span className="mono">{v.digest}</span>],
          [t('data.imported'), `${moment(v.created)}, ${v.created_by}`],
          [t('data.source'), [v.source.file, v.source.note].filter(Boolean).join(' · ')],
          [t('data.licence'), v.source.licence],
          [t('data.attribution'), v.source.attribution],
          [t('data.files'), rows(v.files).map((f) => <div key={f.name}>{f.name} <span className="quiet">{bytes(f.size)} · <span className="mono">{short(f.sha256)}</span></span></div>)],
        ]}
      />
    </Card>
  );
}
