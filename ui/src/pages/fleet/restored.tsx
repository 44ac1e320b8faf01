import { useState } from 'react';
import { Alert, Text } from '@mantine/core';
import { post } from '../../api/client';
import { useAct } from '../../api/queries';
import type { FleetView } from '../../api/types';
import { Ask } from '../../parts/ask';
import { moment, some } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { t } from '../../text';

/** What is to be known of a hub that goes on from a backup, or that another one has followed. */
export function Restored({ fleet }: { fleet: FleetView }) {
  const [asking, setAsking] = useState(false);
  const release = useAct((reason: string) => post('/fleet/release', { reason }), 'fleet');
  const held = fleet.nodes.held ?? 0;
  if (some(fleet.superseded)) return <Alert mt="sm" color="red" title={t('restored.over')}>{t('restored.overWhat', { when: moment(fleet.superseded) })}</Alert>;
  if (!fleet.restored) return null;
  return (
    <Alert mt="sm" color={held ? 'orange' : 'blue'} title={t('restored.title', { made: moment(fleet.restored.made) })}>
      <Text size="sm" mb="xs">{held ? t('restored.held', { n: held }) : t('restored.fine')} {t('restored.lost')}</Text>
      {held > 0 && <MayButton verb="promote" on="fleet" size="xs" variant="default" onClick={() => setAsking(true)}>{t('restored.release')}</MayButton>}
      <Ask title={t('restored.release')} open={asking} close={() => setAsking(false)} danger go={t('restored.release')} cli={(reason) => `edgeward fleet release --reason ${JSON.stringify(reason || '…')}`} act={(reason) => release.mutateAsync(reason)}>
        <Text size="sm">{t('restored.releaseWhat', { n: held })}</Text>
      </Ask>
    </Alert>
  );
}
