import { useState } from 'react';
import { Badge, Group, Select, Stack, Table, Text, TextInput } from '@mantine/core';
import { useLocation } from 'wouter';
import { put, remove, seen } from '../../api/client';
import { useAct, useModel } from '../../api/queries';
import { rows, type Alias, type ModelView } from '../../api/types';
import { Ask } from '../../parts/ask';
import { isName } from '../../parts/drop';
import { ago, moment, sig } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Facts, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { ImportModel } from './import';
import { mainMetric } from './metrics';

/** One model: its versions, who points where, and what it stands behind. */
export default function Model({ name }: { name: string }) {
  const q = useModel(name);
  const [removing, setRemoving] = useState(false);
  const [, navigate] = useLocation();
  const gone = useAct(() => remove(`/models/${name}`), 'model');
  return (
    <Loaded query={q} page={name} height={300}>
      {(m) => (
        <Page title={m.name} crumbs={[[t('models.title'), '/models']]} marks={<DemoMark on={m.demo} />} intro={m.description}>
          <Stack gap="md">
            <Versions of={m} />
            <div className="grid">
              <Aliases of={m} />
              <Card title={t('models.about')}>
                <Facts
                  of={[
                    [t('models.task'), word('task', m.task)],
                    [t('models.behind'), rows(m.endpoints).length ? rows(m.endpoints).map((e) => <div key={e}><To href={`/endpoints/${e}`}>{e}</To></div>) : t('models.nowhere')],
                    [t('col.created'), `${moment(m.created)}, ${m.created_by}`],
                  ]}
                />
              </Card>
            </div>
            <ImportModel into={name} />
            <Group><MayButton verb="delete" on="model" variant="default" onClick={() => setRemoving(true)} why={rows(m.endpoints).length ? t('models.inUse') : undefined}>{t('models.remove')}</MayButton></Group>
          </Stack>
          <Ask
            title={t('models.remove')}
            open={removing}
            close={() => setRemoving(false)}
            optional
            danger
            go={t('action.remove')}
            cli={() => `edgeward model remove ${name}`}
            act={async () => {
              await gone.mutateAsync(undefined as never);
              navigate('/models');
            }}
          >
            <Text>{t('models.removeWhat', { name })}</Text>
          </Ask>
        </Page>
      )}
    </Loaded>
  );
}

function Versions({ of: m }: { of: ModelView }) {
  return (
    <Card title={t('data.versions')}>
      <div className="scroll" tabIndex={0} role="group" aria-label={t('data.versions')}>
        <Table miw={640}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('col.version')}</Table.Th>
              <Table.Th>{t('col.state')}</Table.Th>
              <Table.Th className="num">{t('models.metric')}</Table.Th>
              <Table.Th>{t('models.madeOf')}</Table.Th>
              <Table.Th>{t('col.created')}</Table.Th>
              <Table.Th>{t('col.by')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows(m.versions).map((v) => {
              const metric = mainMetric(v.manifest);
              const l = v.manifest.lineage;
              return (
                <Table.Tr key={v.number}>
                  <Table.Td>
                    <Group gap={6} style={{ whiteSpace: 'nowrap' }}>
                      <To href={`/models/${m.name}/versions/${v.number}`}>{t('version.short', { v: v.number })}</To>
                      {Object.entries(m.aliases ?? {}).filter(([, a]) => a.version === v.number).map(([a]) => <Badge key={a} color="brand">{a}</Badge>)}
                    </Group>
                  </Table.Td>
                  <Table.Td><State of={v.state} />{v.note && <div className="quiet" style={{ fontSize: '0.82rem' }}>{v.note}</div>}</Table.Td>
                  <Table.Td className="num">{metric ? `${word('metric', metric[0])} ${sig(metric[1])}` : '–'}</Table.Td>
                  <Table.Td>{l.data_set ? <To href={`/data/${l.data_set}`}>{l.data_set} {l.data_set_version}</To> : (l.source ?? '–')}</Table.Td>
                  <Table.Td style={{ whiteSpace: 'nowrap' }}>{ago(v.created)}</Table.Td>
                  <Table.Td>{v.created_by}</Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </div>
    </Card>
  );
}

function Aliases({ of: m }: { of: ModelView }) {
  const [open, setOpen] = useState(false);
  const [alias, setAlias] = useState('champion');
  const [version, setVersion] = useState<string | null>(null);
  const move = useAct((reason: string) => put(`/models/${m.name}/aliases/${alias}`, { version: Number(version), reason }, seen(`/models/${m.name}`)), 'model');
  return (
    <Card title={t('models.aliases')} actions={<MayButton verb="update" on="model" size="compact-sm" variant="default" onClick={() => setOpen(true)}>{t('models.move')}</MayButton>}>
      {Object.keys(m.aliases ?? {}).length === 0 && <Text className="quiet">{t('models.noAlias')}</Text>}
      {Object.entries(m.aliases ?? {}).map(([name, a]) => <OneAlias key={name} name={name} of={a} />)}
      <Ask
        title={t('models.move')}
        open={open}
        close={() => setOpen(false)}
        ready={isName(alias) && !!version}
        cli={(reason) => `edgeward model alias ${m.name} ${alias} ${version ?? 'N'} --reason ${JSON.stringify(reason || '…')}`}
        act={(reason) => move.mutateAsync(reason)}
      >
        <TextInput label={t('models.alias')} description={t('models.aliasWhat')} value={alias} onChange={(e) => setAlias(e.currentTarget.value)} error={isName(alias) ? undefined : t('name.bad')} />
        <Select label={t('col.version')} data={rows(m.versions).map((v) => ({ value: String(v.number), label: t('version.short', { v: v.number }) }))} value={version} onChange={setVersion} required />
      </Ask>
    </Card>
  );
}

function OneAlias({ name, of: a }: { name: string; of: Alias }) {
  return (
    <div style={{ marginBottom: 10 }}>
      <Group gap="xs"><Badge color="brand">{name}</Badge><b>{t('version.short', { v: a.version })}</b></Group>
      <div className="quiet" style={{ fontSize: '0.88rem' }}>{moment(a.since)}, {a.by}{a.reason ? `: ${a.reason}` : ''}</div>
      {rows(a.history).length > 0 && (
        <details>
          <summary style={{ fontSize: '0.88rem' }}>{t('models.history')}</summary>
          <ul style={{ margin: '4px 0', paddingInlineStart: 18, fontSize: '0.88rem' }}>
            {[...rows(a.history)].reverse().map((h) => <li key={h.from}>{t('version.short', { v: h.version })}, {moment(h.from)} – {moment(h.to)}, {h.by}{h.reason ? `: ${h.reason}` : ''}</li>)}
          </ul>
        </details>
      )}
    </div>
  );
}
