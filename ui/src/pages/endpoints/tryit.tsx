import { useState } from 'react';
import { Group, NumberInput, Select, Stack, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { post, type Refused } from '../../api/client';
import { rows, type EndpointView, type Field, type List, type Prediction, type Span } from '../../api/types';
import { Twin } from '../../parts/copy';
import { percent, sig } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, Facts, To } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t, word } from '../../text';
import { FeedbackForm } from './feedback';
import { Fill, type About } from './fill';
import { Photo } from './photo';
import { blank, picture, Pixels } from './pixels';

type Values = Record<string, unknown>;

/** Where one may begin: the example of each field, an empty picture for a picture. */
const start = (fields: Field[]): Values =>
  Object.fromEntries(fields.map((f) => {
    const p = picture(f);
    return [f.name, p ? blank(p) : (f.example ?? (f.kind === 'tensor' || f.kind === 'image' ? '' : null))];
  }));

/** A form made from the fields that the live version wants. */
export function TryIt({ of: e }: { of: EndpointView }) {
  const fields = rows(e.fields);
  const [values, setValues] = useState<Values>(() => start(fields));
  const set = (name: string, v: unknown) => setValues((all) => ({ ...all, [name]: v }));
  const row = Object.fromEntries(fields.map((f) => [f.name, read(f, values[f.name])]));
  const [about, setAbout] = useState<About>({});
  const ask = useMutation<List<Prediction>, Refused, void>({ mutationFn: () => post(`/endpoints/${e.endpoint.name}/predict`, { fields: row, trace: true, ...about }) });
  const bad = fields.find((f) => row[f.name] === undefined);
  if (fields.length === 0) return <Card label={t('endpoint.try')}><Text className="quiet">{t('try.none')}</Text></Card>;
  const answer = rows(ask.data?.items)[0];
  return (
    <div className="grid">
      <Card title={t('try.ask')}>
        <form onSubmit={(ev) => { ev.preventDefault(); if (!bad) ask.mutate(); }}>
          <Stack>
            {e.endpoint.kind === 'forecast' && <Fill of={e} fill={(v, a) => { setValues(v); setAbout(a); }} />}
            {fields.some((f) => f.kind !== 'tensor' && f.kind !== 'image') && <Text size="sm" className="quiet">{t('try.missing')}</Text>}
            <div className="grid" style={{ gridTemplateColumns: 'repeat(auto-fit, minmax(min(100%, 170px), 1fr))', gap: 12 }}>
              {fields.map((f) => <One key={f.name} f={f} value={values[f.name]} set={(v) => set(f.name, v)} />)}
            </div>
            <Group><MayButton verb="predict" on="endpoint" onClick={() => ask.mutate()} loading={ask.isPending} why={bad ? t(bad.kind === 'image' ? 'photo.missing' : 'try.bad', { name: bad.name }) : undefined}>{t('try.go')}</MayButton></Group>
            <Trouble error={ask.error} />
            <Twin>{twin(e.endpoint.name, fields, row)}</Twin>
          </Stack>
        </form>
      </Card>
      {answer && (
        <div aria-live="polite">
          <Card title={t('try.answer')}>
            <Outputs of={answer} />
            {answer.interval && <Text size="sm" mt={8}>{t('try.interval', { low: sig(answer.interval.low), high: sig(answer.interval.high), level: percent(answer.interval.level) })}</Text>}
            {Object.keys(answer.classes ?? {}).length > 0 && <div style={{ marginTop: 10 }}><Scores of={Object.values(answer.classes!)} names={Object.keys(answer.classes!)} /></div>}
            {rows(answer.notes).map((x) => <Text key={x} size="sm" mt={6} role="note">{x}</Text>)}
            {rows(answer.trace).length > 1 && <Trace of={rows(answer.trace)} />}
            <Text size="sm" className="quiet" my={10}>{t('version.short', { v: answer.version })} · {word('role', answer.role)} · <To href={`/predictions/${answer.id}`}><span className="mono">{answer.id}</span></To></Text>
            <FeedbackForm prediction={answer.id} classes={Object.keys(answer.classes ?? {}).sort()} key={answer.id} />
          </Card>
        </div>
      )}
    </div>
  );
}

/** The same by command; a picture by its file, not by its many letters. */
const twin = (name: string, fields: Field[], row: Values) =>
  fields.some((f) => f.kind === 'image')
    ? `edgeward predict ${name} ${fields.map((f) => (f.kind === 'image' ? `--image ${shell(`${f.name}=photo.jpg`)}` : `--field ${shell(`${f.name}=${JSON.stringify(row[f.name])}`)}`)).join(' ')}`
    : `echo ${shell(JSON.stringify([row]))} | edgeward predict ${name} --rows -`;

const shell = (s: string) => `'${s.replaceAll("'", `'\\''`)}'`;

/** The value of a field as it is sent: null is missing, undefined cannot be sent. */
function read(f: Field, v: unknown): unknown {
  if (f.kind === 'image') return v || undefined;
  if (f.kind !== 'tensor' || typeof v !== 'string') return v === '' || v === undefined ? null : v;
  try {
    return JSON.parse(v) as unknown;
  } catch {
    return undefined;
  }
}

function One({ f, value, set }: { f: Field; value: unknown; set: (v: unknown) => void }) {
  if (f.kind === 'image') return <Photo of={f} set={set} />;
  const p = picture(f);
  if (p) return <Pixels label={f.name} shape={p} value={value as number[][]} set={set} />;
  if (f.kind === 'category') return <Select label={f.name} data={[...new Set(rows(f.choices))]} value={(value as string | null) ?? null} onChange={set} clearable clearButtonProps={{ 'aria-label': t('try.leave') }} searchable placeholder={t('data.missing')} />;
  if (f.kind === 'number') return <NumberInput label={f.name} value={(value as number | null) ?? ''} onChange={(x) => set(x === '' ? null : Number(x))} placeholder={t('data.missing')} hideControls />;
  return (
    <Textarea
      label={f.name}
      description={`${f.datatype} [${rows(f.shape).map((d) => (d < 0 ? 'N' : d)).join(', ')}], ${t('try.json')}`}
      value={typeof value === 'string' ? value : JSON.stringify(value)}
      onChange={(ev) => set(ev.currentTarget.value)}
      autosize
      minRows={3}
      maxRows={12}
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
    />
  );
}

/** Outputs by name; a list of scores as bars. */
export function Outputs({ of: p }: { of: Prediction }) {
  return (
    <Facts
      of={Object.entries(p.outputs).map(([name, v]) => {
        const list = Array.isArray(v) ? (v.flat(9) as unknown[]).filter((x): x is number => typeof x === 'number') : [];
        if (list.length > 1 && list.length === Object.keys(p.classes ?? {}).length) return [name, undefined]; // shown by the classes' names
        if (list.length > 1 && list.length <= 64) return [name, <Scores key={name} of={list} />];
        if (v && typeof v === 'object' && !Array.isArray(v)) return [name, <Facts key={name} of={Object.entries(v).map(([k, x]) => [k, typeof x === 'number' ? sig(x) : String(x)])} />];
        return [name, typeof v === 'string' ? <b style={{ fontSize: '1.3rem' }}>{v}</b> : typeof v === 'number' ? <b style={{ fontSize: '1.3rem' }}>{sig(v)}</b> : list.length === 1 ? <b style={{ fontSize: '1.3rem' }}>{sig(list[0])}</b> : <span className="mono">{JSON.stringify(v)}</span>];
      })}
    />
  );
}

/** What each node of an inference graph took, as bars on one clock. */
function Trace({ of }: { of: Span[] }) {
  const end = Math.max(1, ...of.map((s) => s.start_us + s.took_us));
  return (
    <details style={{ marginTop: 10 }}>
      <summary>{t('try.trace', { ms: sig(end / 1000) })}</summary>
      <div className="scroll" tabIndex={0} role="group" aria-label={t('graph.title')}>
        <table className="plain">
          <tbody>
            {of.map((s) => (
              <tr key={s.node}>
                <th scope="row" style={{ padding: '1px 8px' }}>{s.node}</th>
                <td className="quiet" style={{ padding: '1px 8px' }}>{s.what}</td>
                <td style={{ width: '40%', minWidth: 90, padding: '1px 8px' }} aria-hidden><div style={{ height: 9, borderRadius: 3, background: 'var(--edge-forecast)', marginLeft: `${(100 * s.start_us) / end}%`, width: `${Math.max(0.6, (100 * s.took_us) / end)}%` }} /></td>
                <td className="num" style={{ padding: '1px 8px' }}>{sig(s.took_us / 1000)} ms</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function Scores({ of, names }: { of: number[]; names?: string[] }) {
  const top = of.indexOf(Math.max(...of));
  const low = Math.min(...of);
  const span = Math.max(...of) - low || 1;
  return (
    <table className="plain" style={{ maxWidth: 320 }}>
      <tbody>
        {of.map((x, i) => (
          <tr key={i} style={i === top ? { fontWeight: 700 } : undefined}>
            <th scope="row" style={{ padding: '1px 8px' }}>{names?.[i] ?? i}</th>
            <td style={{ width: '60%', padding: '1px 8px' }} aria-hidden><div style={{ height: 9, borderRadius: 3, background: i === top ? 'var(--edge-forecast)' : 'var(--edge-bar)', width: `${Math.max(1, (100 * (x - low)) / span)}%` }} /></td>
            <td className="num" style={{ padding: '1px 8px' }}>{sig(x)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
