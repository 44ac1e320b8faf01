import { useDatasets } from '../../api/queries';
import { rows } from '../../api/types';
import { ago, num } from '../../parts/format';
import { Listing } from '../../parts/listing';
import { t } from '../../text';
import { Import } from './import';

/** All data sets, and the way in for a new one. */
export default function Datasets() {
  return (
    <Listing
      title={t('data.title')}
      intro={t('data.intro')}
      query={useDatasets()}
      line={(d) => ({ ...d, to: `/data/${d.name}` })}
      way={{ label: t('begin.import'), verb: 'create', on: 'dataset', form: <Import /> }}
      empty={{ title: t('data.empty'), what: t('data.emptyWhat'), cli: 'edgeward data import FILE.csv my-data' }}
      columns={[
        { label: t('col.rows'), num: true, cell: (d) => num(d.latest?.rows) },
        { label: t('data.columns'), num: true, cell: (d) => num(rows(d.latest?.columns).length) },
        { label: t('col.version'), cell: (d) => d.latest?.number ?? '–' },
        { label: t('data.imported'), cell: (d) => ago(d.latest?.created ?? d.created) },
      ]}
    />
  );
}
