import { useState } from 'react';
import { Alert, Badge, Group, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getText, type Refused } from '../../api/client';
import { useModel, useVersion } from '../../api/queries';
import { rows, type Manifest, type Version as V } from '../../api/types';
import { bytes, day, moment, num, percent, short, sig, some } from '../../parts/format';
import { Markdown } from '../../parts/markdown';
import { MayButton } from '../../parts/may';
import { Card, DemoMark, Facts, Page, State, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { Deploy } from './deploy';
import { Graph } from './graph';
import { Metrics } from './metrics';
import { Pictures } from './pictures';

/** The evidence of one version. */
export default function Version({ name, n }: { name: string; n: number }) {
  const q = useVersion(name, n);
  const model = useModel(name);
  const [deploying, setDeploying] = useState(false);
  return (
    <Loaded query={q} page={t('version.title', { model: name, v: n })} height={300}>
      {(v) => {
        const m = v.manifest;
        const behind = rows(model.data?.endpoints);
        return (
          <Page
            title={t('version.title', { model: v.model, v: v.number })}
            crumbs={[[t('models.title'), '/models'], [v.model, `/models/${v.model}`]]}
            marks={<><State of={v.state} /><DemoMark on={v.demo} />{Object.entries(model.data?.aliases ?? {}).filter(([, a]) => a.version === v.number).map(([a]) => <Badge key={a} color="brand">{a}</Badge>)}</>}
            intro={m.intended_use || undefined}
            actions={<MayButton verb="promote" on="endpoint" onClick={() => setDeploying(true)}>{t('deploy.title')}</MayButton>}
          >
            <Stack gap="md">
              {v.note && <Alert color="blue">{v.note}</Alert>}
              {rows(m.limits).length > 0 && <Alert color="yellow" title={t('version.limits')}>{rows(m.limits).join(' · ')}</Alert>}
              <div className="grid">
                <Metrics of={m} demo={v.demo} />
                <Engines of={m} />
              </div>
              <div className="grid">
                <Lineage of={v} />
                <Proof of={m} />
              </div>
              {m.kind === 'graph' && <Graph name={v.model} n={v.number} />}
              <Pictures of={m} />
              <Signature of={m} />
              <CardText name={name} n={n} />
            </Stack>
            <Deploy v={v} endpoints={behind} open={deploying} close={() => setDeploying(false)} />
          </Page>
        );
      }}
    </Loaded>
  );
}

function Engines({ of: m }: { of: Manifest }) {
  const e = m.engines;
  if (!e) return null;
  return (
    <Card title={t('engines.title')}>
      <Text mb={8}>{t('engines.chosen', { engine: word('engine', e.chosen.engine), why: e.why })}</Text>
      <div className="scroll" tabIndex={0} role="group" aria-label={t('engines.title')}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('engines.engine')}</Table.Th>
              <Table.Th>{t('engines.loads')}</Table.Th>
              <Table.Th className="num">{t('engines.diff')}</Table.Th>
              <Table.Th className="num">{t('engines.p50')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows(e.candidates).map((c) => (
              <Table.Tr key={c.engine + (c.device ?? '')} fw={c.engine === e.chosen.engine && c.device === e.chosen.device ? 650 : undefined}>
                <Table.Td><span style={{ whiteSpace: 'nowrap' }}>{word('engine', c.engine)}</span> <span className="quiet" style={{ whiteSpace: 'nowrap' }}>{c.version} {c.device}</span></Table.Td>
                <Table.Td style={c.loads ? undefined : { color: 'var(--edge-warn)' }}>{c.loads ? t('engines.yes') : t('engines.no')}</Table.Td>
                <Table.Td className="num">{c.loads ? sig(c.max_abs_diff) : '–'}</Table.Td>
                <Table.Td className="num">{c.loads ? `${sig(c.p50_us)} µs` : '–'}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {rows(e.candidates).filter((c) => c.error).map((c) => (
        <details key={c.engine + (c.device ?? '')} style={{ marginTop: 10 }}>
          <summary>{t('engines.whyNot', { engine: word('engine', c.engine) })}</summary>
          <Text size="sm" className="mono" lang="en" mt={4}>{c.error}</Text>
        </details>
      ))}
    </Card>
  );
}

function Lineage({ of: v }: { of: V }) {
  const l = v.manifest.lineage;
  const span = (a?: string, b?: string) => (some(a) || some(b) ? `${day(a)} – ${day(b)}` : undefined);
  return (
    <Card title={t('lineage.title')}>
      <Facts
        of={[
          [t('data.one'), l.data_set ? <><To href={`/data/${l.data_set}`}>{l.data_set}</To> {t('version.short', { v: l.data_set_version ?? 0 })} <span className="mono quiet">{short(l.data_set_digest)}</span></> : undefined],
          [t('lineage.source'), l.source],
          [t('lineage.recipe'), l.recipe_digest ? <span className="mono">{short(l.recipe_digest)}</span> : undefined],
          [t('lineage.trained'), span(l.train_from, l.train_to)],
          [t('lineage.validated'), span(l.valid_from, l.valid_to)],
          [t('lineage.parent'), l.parent ? <To href={`/models/${v.model}/versions/${l.parent}`}>{t('version.short', { v: l.parent })}</To> : undefined],
          [t('lineage.job'), l.job ? <To href={`/jobs/${l.job}`}>{l.job}</To> : undefined],
          [t('lineage.parameters'), l.parameters ? Object.entries(l.parameters).map(([k, x]) => <div key={k} className="mono">{k} = {x}</div>) : undefined],
          [t('lineage.versions'), l.versions ? Object.entries(l.versions).map(([k, x]) => `${k} ${x}`).join(', ') : undefined],
          [t('data.digest'), <span className="mono">{v.digest}</span>],
          [t('col.created'), `${moment(v.created)}, ${v.created_by}`],
        ]}
      />
    </Card>
  );
}

function Proof({ of: m }: { of: Manifest }) {
  const e = m.equality;
  const i = m.interval;
  return (
    <Card title={t('proof.title')}>
      {e ? (
        <>
          <Text mb={8}>{t('proof.what', { rows: num(e.rows), diff: sig(e.max_abs_diff), tolerance: sig(e.tolerance) })}</Text>
          <Facts of={[[t('proof.threshold'), num(e.threshold_rows)], [t('proof.missing'), num(e.missing_rows)]]} />
        </>
      ) : (
        <Text className="quiet">{t('proof.none')}</Text>
      )}
      {i && <Text mt={10}>{t('proof.interval', { level: percent(i.level), method: i.method, rows: num(i.rows) })}</Text>}
      <Text fw={600} size="sm" mt={14} mb={4}>{t('data.files')}</Text>
      {rows(m.files).map((f) => (
        <div key={f.name} style={{ fontSize: '0.9rem' }}>{f.name} <span className="quiet">{word('filerole', f.role)} · {bytes(f.size)} · <span className="mono">{short(f.digest)}</span></span></div>
      ))}
    </Card>
  );
}

function Signature({ of: m }: { of: Manifest }) {
  const table = (label: string, specs: typeof m.signature.inputs) => (
    <>
      <Text fw={600} size="sm" mt={6}>{label}</Text>
      {rows(specs).map((s) => <div key={s.name} className="mono">{s.name}: {s.datatype} [{s.any_rank ? '…' : rows(s.shape).map((d, i) => (d < 0 ? rows(s.axes)[i] || 'N' : d)).join(', ')}]{s.holds && ` ${s.holds}`}{rows(s.labels).length > 0 && ` {${rows(s.labels).slice(0, 20).join(', ')}}`}</div>)}
    </>
  );
  return (
    <Card title={t('signature.title')}>
      {table(t('signature.inputs'), m.signature.inputs)}
      {table(t('signature.outputs'), m.signature.outputs)}
      {rows(m.features).length > 0 && (
        <>
          <Text fw={600} size="sm" mt={10}>{t('signature.features')}</Text>
          <Group gap={6} mt={4}>{rows(m.features).map((f) => <Badge key={f} color="gray">{f}</Badge>)}</Group>
        </>
      )}
      {m.opset && <Text size="sm" className="quiet" mt={10}>{Object.entries(m.opset).map(([d, n]) => `${d || 'ai.onnx'} opset ${n}`).join(', ')}</Text>}
      {m.recipe && (
        <details style={{ marginTop: 10 }}>
          <summary>{t('train.recipe')}</summary>
          <pre className="code" tabIndex={0}>{JSON.stringify(m.recipe, null, 2)}</pre>
        </details>
      )}
    </Card>
  );
}

function CardText({ name, n }: { name: string; n: number }) {
  const q = useQuery<string, Refused>({ queryKey: ['model', name, n, 'card'], queryFn: () => getText(`/models/${name}/versions/${n}/card`), staleTime: Infinity });
  return (
    <Card title={t('version.card')}>
      <Loaded query={q}>{(text) => <Markdown>{text}</Markdown>}</Loaded>
    </Card>
  );
}
