import { useState } from 'react';
import { seen } from '../../api/client';
import type { EndpointView, Limit } from '../../api/types';
import { lasting, num } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card, Facts } from '../../parts/page';
import { t, word } from '../../text';
import { Change } from './change';

const words = (l: Limit | undefined) => (!l?.per_second ? t('limits.none') : t(l.burst ? 'limits.burst' : 'limits.rate', { rate: num(l.per_second, 2), burst: l.burst ?? 0 }));

/** What an endpoint takes and keeps, and the dialog that changes it. */
export function Limits({ of: e }: { of: EndpointView }) {
  const [open, setOpen] = useState(false);
  const x = e.endpoint;
  return (
    <Card title={t('limits.title')} actions={<MayButton verb="update" on="endpoint" size="xs" variant="default" onClick={() => setOpen(true)}>{t('limits.change')}</MayButton>}>
      <Facts
        of={[
          [t('limits.all'), words(x.rate)],
          [t('limits.each'), words(x.principal_rate)],
          [t('limits.inFlight'), num(x.max_in_flight || 256)],
          [t('limits.batch'), x.max_batch === 1 ? t('limits.batchAlone') : x.max_batch ? t('limits.batchMost', { n: x.max_batch }) : t('limits.batchVersion')],
          [t('limits.versions'), x.versions && x.versions !== 'spec' ? x.versions : t('limits.spec')],
          [t('deploy.record'), `${word('record', x.record || 'none')}, ${t('limits.recordMost', { n: x.record_rate || 1000 })}`],
          [t('limits.cache'), x.cache ? t('limits.cacheMost', { n: x.cache }) : t('limits.cacheNone')],
          [t('limits.shadow'), t(x.shadow_wait ? 'limits.shadowWaits' : 'limits.shadowDrops')],
          [t('limits.device'), (x.device || 'auto') + (x.device_required ? `, ${t('limits.required')}` : '')],
          [t('limits.memory'), [t(x.worker === 'own' ? 'limits.workerOwn' : 'limits.workerShared'), x.pinned ? t('limits.pinned') : '', x.idle_unload_s ? t('limits.idleAfter', { time: lasting(x.idle_unload_s) }) : ''].filter(Boolean).join(', ')],
          [t('limits.notFinite'), x.not_finite ? t('limits.notFiniteIn') : undefined],
        ]}
      />
      {open && <Change of={x} match={seen(`/endpoints/${x.name}`)} close={() => setOpen(false)} />}
    </Card>
  );
}
