import { useState } from 'react';
import { Alert, Badge, Button, Group, Loader, NativeSelect, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct, useClasses, useDrift, useEndpoints, useGet } from '../../api/queries';
import { rows, type EndpointView, type FeedbackAnswer, type List, type PredictionEntry, type PredictionLine } from '../../api/types';
import { Empty } from '../../parts/empty';
import { hour } from '../../parts/format';
import { IconAlert, IconCall, IconCheck, IconWrong } from '../../parts/icons';
import { useMay, useWho } from '../../parts/may';
import { DemoMark, Page } from '../../parts/page';
import { Loaded, Trouble } from '../../parts/trouble';
import { t, word } from '../../text';
import { Picture } from './picture';
import { best, sound } from './verdict';

/** For the operator of a line: the part, what the model says of it, and three large buttons. */
export default function Line() {
  const q = useEndpoints();
  const [chosen, choose] = useState('');
  return (
    <Loaded query={q} height={400}>
      {(list) => {
        const lines = rows(list.items).filter((e) => e.endpoint.record === 'full' && e.endpoint.kind !== 'forecast');
        const e = lines.find((l) => l.endpoint.name === chosen) ?? lines[0];
        if (!e) return <Page title={t('line.title')}><Empty title={t('line.empty')} cli="edgeward up --demo=factory">{t('line.emptyWhat')}</Empty></Page>;
        return (
          <Page title={e.endpoint.title || e.endpoint.name} intro={t('line.intro')} marks={<><DemoMark on={e.endpoint.demo} what={t('line.generatedWhat')} />{e.endpoint.demo && <Badge color="grape" variant="light">{t('line.generated')}</Badge>}</>}>
            {lines.length > 1 && <NativeSelect label={t('line.endpoint')} size="lg" mb="md" value={e.endpoint.name} onChange={(ev) => choose(ev.currentTarget.value)} data={lines.map((l) => ({ value: l.endpoint.name, label: l.endpoint.title || l.endpoint.name }))} />}
            <Station key={e.endpoint.name} of={e} />
          </Page>
        );
      }}
    </Loaded>
  );
}

function Station({ of: e }: { of: EndpointView }) {
  const name = e.endpoint.name;
  const q = useGet<List<PredictionLine>>('prediction', `/endpoints/${name}/predictions`, { limit: 10 }, { refetchInterval: 1000 });
  const classes = useClasses(e.endpoint.model, e.status.live);
  const drift = useDrift(name);
  const [held, hold] = useState('');
  return (
    <Loaded query={q} height={400}>
      {(list) => {
        const parts = rows(list.items).filter((p) => !p.error);
        const part = held || parts[0]?.id;
        if (!part) return <Text>{t('line.none')}</Text>;
        return (
          <>
            {drift.data?.alarm_at && <Alert color="red" icon={<IconAlert />} mb="md" role="alert">{t('line.alert')}</Alert>}
            <Part key={part} id={part} classes={classes} hold={() => hold(part)} />
            {held && held !== parts[0]?.id && <Button variant="default" className="glove" mt="md" onClick={() => hold('')}>{t('line.back')}</Button>}
            <h2 className="linehead">{t('line.last')}</h2>
            <ul className="strip">
              {parts.map((p) => {
                const verdict = classes[best(rows(p.values))] ?? String(best(rows(p.values)));
                const good = sound(verdict);
                return (
                  <li key={p.id}>
                    <button type="button" className="stripped" aria-current={p.id === part} onClick={() => hold(p.id)}>
                      {good ? <IconCheck size={22} className="good" /> : <IconAlert size={22} className="bad" />}
                      <span>{word('class', verdict)}</span>{' '}
                      <span className="quiet">{hour(p.event_time)}</span>
                    </button>
                  </li>
                );
              })}
            </ul>
            {e.endpoint.demo && <Text size="sm" className="quiet" mt="md">{t('line.generatedWhat')}</Text>}
          </>
        );
      }}
    </Loaded>
  );
}

/** One part: picture, verdict, what was said of it, and the buttons. */
function Part({ id, classes, hold }: { id: string; classes: string[]; hold: () => void }) {
  const q = useGet<PredictionEntry>('prediction', `/predictions/${id}`);
  const me = useWho();
  const may = useMay()('feedback', 'endpoint');
  const [asking, ask] = useState(false);
  const [noted, note] = useState('');
  const say = useAct((item: object) => post<FeedbackAnswer>('/feedback', { items: [{ prediction_id: id, source: me.principal, ...item }] }), 'prediction', 'endpoint');
  if (q.error) return <Trouble error={q.error} />;
  const p = rows(q.data?.predictions)[0];
  if (!p) return <Loader aria-label={t('line.picture', { time: '' })} />;
  const scores = rows(rows(p.output_values)[0]?.values).map(Number);
  const verdict = classes[best(scores)] ?? String(best(scores));
  const good = sound(verdict);
  const said = rows(q.data?.feedback).at(-1);
  const tell = (item: object, what: string) => {
    hold();
    ask(false);
    say.mutate(item, { onSuccess: () => note(what) });
  };
  const truth = (label: string) => (classes.length ? { label } : { value: Number(label) });
  return (
    <div className="station">
      <Picture of={rows(p.input_values)[0]} label={t('line.picture', { time: hour(p.event_time) })} />
      <div>
        <section className="verdict" data-good={good} aria-label={t('line.verdict')}>
          {good ? <IconCheck size={44} stroke={2.5} /> : <IconAlert size={44} stroke={2.5} />}
          <div>
            <b>{word('class', verdict)}</b>
            <span>{t('line.sure', { n: Math.round(100 * Math.max(...scores)) })} · {hour(p.event_time)}</span>
          </div>
        </section>
        {asking ? (
          <div role="group" aria-label={t('line.is')}>
            <p className="linehead">{t('line.is')}</p>
            <div className="buttons">
              {classes.filter((c) => c !== verdict).map((c, i) => <Button key={c} className="glove" variant="default" autoFocus={i === 0} onClick={() => tell({ kind: 'correction', ...truth(c) }, word('class', c))}>{word('class', c)}</Button>)}
              <Button className="glove" variant="subtle" onClick={() => ask(false)}>{t('line.cancel')}</Button>
            </div>
          </div>
        ) : (
          <div className="buttons">
            <Button className="glove" disabled={!may} leftSection={<IconCheck size={28} />} onClick={() => tell({ kind: 'truth', ...truth(verdict) }, t('line.confirm'))}>{t('line.confirm')}</Button>
            <Button className="glove" disabled={!may} variant="default" leftSection={<IconWrong size={28} />} onClick={() => { hold(); ask(true); }}>{t('line.wrong')}</Button>
            <Button className="glove" disabled={!may} variant="default" leftSection={<IconCall size={28} />} onClick={() => tell({ kind: 'wrong', note: t('line.callNote') }, t('line.called'))}>{t('line.call')}</Button>
          </div>
        )}
        <Group mt="sm" role="status" mih={28}>
          {noted ? <Text fw={600}>{t('line.thanks', { what: noted })}</Text> : said && <Text>{t('line.said', { what: said.label ? word('class', said.label) : (said.note ?? said.kind) })}</Text>}
        </Group>
        <Trouble error={say.error} />
      </div>
    </div>
  );
}
