import { Button, Group } from '@mantine/core';
import { Link } from 'wouter';
import { useEndpoints } from '../../api/queries';
import { rows, type EndpointView } from '../../api/types';
import { num, percent, step } from '../../parts/format';
import { Listing } from '../../parts/listing';
import { State, To } from '../../parts/page';
import { t } from '../../text';

/** The share of a target in all answers. */
export const shareOf = (e: EndpointView, version: number) => {
  const targets = rows(e.spec.targets);
  const mine = targets.find((x) => x.version === version);
  if (!mine || mine.role === 'shadow') return 0;
  if (mine.role === 'canary') return (mine.weight ?? 0) / 10_000;
  return 1 - targets.filter((x) => x.role === 'canary').reduce((a, x) => a + (x.weight ?? 0), 0) / 10_000;
};

/** All endpoints. */
export default function Endpoints() {
  return (
    <Listing
      title={t('endpoints.title')}
      intro={t('endpoints.intro')}
      query={useEndpoints()}
      head={t('endpoints.one')}
      line={({ endpoint: x }) => ({ name: x.name, to: `/endpoints/${x.name}`, demo: x.demo, description: x.title })}
      empty={{
        title: t('endpoints.empty'),
        what: t('endpoints.emptyWhat'),
        cli: 'edgeward endpoint create NAME --model MODEL\nedgeward deploy promote NAME 1 --reason "…"',
        action: <Button component={Link} href="/models">{t('endpoints.choose')}</Button>,
      }}
      miw={680}
      columns={[
        { label: t('models.one'), cell: (e) => <To href={`/models/${e.endpoint.model}`}>{e.endpoint.model}</To> },
        { label: t('col.state'), cell: (e) => <State of={e.status.state} /> },
        {
          label: t('endpoints.answers'),
          cell: (e) => rows(e.spec.targets).map((x) => (
            <Group key={x.version} gap={6} wrap="nowrap">{t('version.short', { v: x.version })} <State of={x.role} kind="role" /> {x.role !== 'shadow' && <span className="quiet">{percent(shareOf(e, x.version))}</span>}</Group>
          )),
        },
        { label: t('endpoints.predictions'), num: true, cell: (e) => num(e.records.predictions) },
        { label: t('endpoints.last'), cell: (e) => step(e.records.last) },
      ]}
    />
  );
}
