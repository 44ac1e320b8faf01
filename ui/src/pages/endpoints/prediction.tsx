import { Stack, Table, Text } from '@mantine/core';
import { useClasses, useGet } from '../../api/queries';
import { rows, type EndpointView, type PredictionEntry, type Tensor } from '../../api/types';
import { millis, moment, sig, some, step } from '../../parts/format';
import { Card, DemoMark, Facts, Page, State } from '../../parts/page';
import { seriesName } from '../../parts/series';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { FeedbackForm } from './feedback';

/** Why was this said: one prediction, its shadows and all that was said of it. */
export default function Prediction({ id }: { id: string }) {
  const q = useGet<PredictionEntry>('prediction', `/predictions/${id}`);
  const asked = rows(q.data?.predictions)[0];
  const endpoint = useGet<EndpointView>('endpoint', `/endpoints/${asked?.endpoint}`, {}, { enabled: !!asked });
  const classes = useClasses(endpoint.data?.endpoint.model, asked?.version);
  return (
    <Loaded query={q} page={t('prediction.title')} height={300}>
      {(entry) => {
        const [first, ...others] = rows(entry.predictions);
        if (!first) return null;
        return (
          <Page title={t('prediction.title')} crumbs={[[t('endpoints.title'), '/endpoints'], [first.endpoint, `/endpoints/${first.endpoint}`]]} marks={<DemoMark on={first.demo} />}>
            <Stack gap="md">
              <div className="grid">
                {[first, ...others].map((p) => (
                  <Card key={p.role + p.version} title={word('role', p.role)} actions={<State of={p.role} kind="role" />}>
                    <Facts
                      of={[
                        ['ID', <span className="mono">{p.id}</span>],
                        [t('col.version'), t('version.short', { v: p.version })],
                        [t('predictions.for'), some(p.target) ? step(p.target) : undefined],
                        [t('gaps.series'), seriesName(p.key ?? '', p.demo)],
                        [t('prediction.event'), step(p.event_time)],
                        [t('predictions.at'), moment(p.received_at)],
                        [t('predictions.took'), millis(p.latency_us / 1000)],
                        [t('col.errors'), p.error],
                        [t('signature.outputs'), rows(p.output_values).map((x) => <Values key={x.name} of={x} />)],
                        [t('signature.inputs'), rows(p.input_values).length ? rows(p.input_values).map((x) => <Values key={x.name} of={x} />) : p.cut ? t('prediction.cut') : undefined],
                      ]}
                    />
                  </Card>
                ))}
              </div>
              <Card title={t('feedback.title')}>
                {rows(entry.feedback).length === 0 && <Text className="quiet" mb="sm">{t('feedback.none')}</Text>}
                {rows(entry.feedback).length > 0 && (
                  <div className="scroll" tabIndex={0} role="group" aria-label={t('feedback.title')}>
                    <Table mb="md">
                      <Table.Thead>
                        <Table.Tr><Table.Th>{t('col.when')}</Table.Th><Table.Th>{t('col.by')}</Table.Th><Table.Th>{t('feedback.kind')}</Table.Th><Table.Th className="num">{t('col.value')}</Table.Th><Table.Th>{t('feedback.note')}</Table.Th></Table.Tr>
                      </Table.Thead>
                      <Table.Tbody>
                        {rows(entry.feedback).map((f, i) => (
                          <Table.Tr key={i}>
                            <Table.Td>{moment(f.at)}</Table.Td>
                            <Table.Td>{f.source}</Table.Td>
                            <Table.Td>{word('feedback', f.kind)}</Table.Td>
                            <Table.Td className="num">{f.label || sig(f.value)}</Table.Td>
                            <Table.Td>{f.note}</Table.Td>
                          </Table.Tr>
                        ))}
                      </Table.Tbody>
                    </Table>
                  </div>
                )}
                <FeedbackForm prediction={id} classes={classes} />
              </Card>
            </Stack>
          </Page>
        );
      }}
    </Loaded>
  );
}

const shown = 64;

function Values({ of: x }: { of: Tensor }) {
  const list = rows(x.values);
  return (
    <div>
      <span className="quiet">{x.name}</span> <span className="mono">{list.length ? list.slice(0, shown).map(one).join(', ') : x.datatype}{x.more || list.length > shown ? ' …' : ''}</span>
    </div>
  );
}

/** One value of a tensor; null is what is no number. */
function one(v: unknown): string {
  if (v === null || v === undefined) return t('data.missing');
  return typeof v === 'number' ? sig(v) : String(v);
}
