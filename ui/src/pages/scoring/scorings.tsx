import { useSearch } from 'wouter';
import { useScorings } from '../../api/queries';
import { ago, moment } from '../../parts/format';
import { Listing } from '../../parts/listing';
import { State, To } from '../../parts/page';
import { t, word } from '../../text';
import { Make } from './make';
import { spoken } from './when';

/** What is scored without a caller, and the way in for a new one: /scoring?endpoint=NAME begins one of that endpoint. */
export default function Scorings() {
  const endpoint = new URLSearchParams(useSearch()).get('endpoint') ?? undefined;
  return (
    <Listing
      title={t('scoring.title')}
      intro={t('scoring.intro')}
      query={useScorings()}
      head={t('scoring.one')}
      line={(s) => ({ name: s.name, to: `/scoring/${s.name}`, demo: s.demo })}
      way={{ label: t('scoring.new'), verb: 'create', on: 'scoring', form: <Make endpoint={endpoint} />, open: !!endpoint }}
      empty={{ title: t('scoring.none'), what: t('scoring.emptyWhat'), cli: 'edgeward score create nightly --endpoint NAME --data NAME' }}
      miw={680}
      columns={[
        { label: t('scoring.endpoint'), cell: (s) => <To href={`/endpoints/${s.endpoint}`}>{s.endpoint}</To> },
        { label: t('scoring.source'), cell: (s) => word('source', s.source.kind) },
        { label: t('scoring.schedule'), cell: (s) => spoken(s.schedule, s.zone) || '–' },
        { label: t('scoring.next'), cell: (s) => (s.paused ? t('scoring.paused') : s.next ? moment(s.next) : '–') },
        { label: t('scoring.last'), cell: (s) => (s.run ? <><State of={s.run.state} /> {ago(s.run.created)}</> : '–') },
      ]}
    />
  );
}
