import { Badge, Group } from '@mantine/core';
import { useModels } from '../../api/queries';
import { ago } from '../../parts/format';
import { Listing } from '../../parts/listing';
import { To } from '../../parts/page';
import { t, word } from '../../text';
import { ImportModel } from './import';

/** The registry. */
export default function Models() {
  return (
    <Listing
      title={t('models.title')}
      intro={t('models.intro')}
      query={useModels()}
      line={(m) => ({ ...m, to: `/models/${m.name}` })}
      way={{ label: t('begin.drop'), verb: 'create', on: 'version', form: <ImportModel /> }}
      empty={{ title: t('models.empty'), what: t('models.emptyWhat'), cli: 'edgeward model import FILE.onnx my-model' }}
      columns={[
        { label: t('models.task'), cell: (m) => word('task', m.task) },
        { label: t('models.latest'), cell: (m) => (m.latest ? <To href={`/models/${m.name}/versions/${m.latest}`}>{t('version.short', { v: m.latest })}</To> : '–') },
        { label: t('models.aliases'), cell: (m) => <Group gap={4}>{Object.entries(m.aliases ?? {}).map(([a, x]) => <Badge key={a} color="brand">{a} → {x.version}</Badge>)}</Group> },
        { label: t('col.created'), cell: (m) => ago(m.created) },
      ]}
    />
  );
}
