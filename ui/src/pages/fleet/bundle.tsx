import { useState } from 'react';
import { Alert, Button, FileButton, Group, Stack, Text } from '@mantine/core';
import { upload } from '../../api/client';
import { useAct } from '../../api/queries';
import { rows, type BundleResult } from '../../api/types';
import { Twin } from '../../parts/copy';
import { bytes, percent } from '../../parts/format';
import { MayButton, useMay } from '../../parts/may';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

/** Takes a bundle from a stick: on a node what its hub says, on the hub what nodes say; and writes the file that goes the other way; empty is a hub that has nobody to write to yet. */
export function Bundle({ as, empty }: { as: 'hub' | 'node' | 'asking'; empty?: boolean }) {
  const hub = as === 'hub';
  const may = useMay();
  const [share, setShare] = useState(0);
  const take = useAct((f: File) => upload<BundleResult>('/fleet/bundle', {}, f, setShare), 'fleet');
  const done = take.data;
  return (
    <Stack gap="xs" mt="sm">
      <Group gap="sm">
        <FileButton accept=".edgebundle" onChange={(f) => f && take.mutate(f)}>
          {(p) => <MayButton verb="create" on="fleet" size="xs" variant="default" loading={take.isPending} {...p}>{t(hub ? 'fleet.takeReceipt' : 'fleet.takeBundle')}</MayButton>}
        </FileButton>
        {empty && <MayButton verb="create" on="fleet" size="xs" variant="default" onClick={() => undefined} why={t('fleet.noMember')}>{t('fleet.makeBundle')}</MayButton>}
        {!empty && may('create', 'fleet') && <Button component="a" size="xs" variant="default" href={hub ? '/api/v1/fleet/bundle?scope=fleet' : `/api/v1/fleet/membership/${as === 'node' ? 'receipt' : 'request'}`} download={hub ? 'fleet.edgebundle' : as === 'node' ? 'receipt.edgebundle' : 'request.edgebundle'}>{t(hub ? 'fleet.makeBundle' : as === 'node' ? 'fleet.makeReceipt' : 'fleet.makeRequest')}</Button>}
        {take.isPending && <Text size="sm" className="quiet">{percent(share)}</Text>}
      </Group>
      <Trouble error={take.error} />
      {done?.brought && <Alert color={done.brought.missing ? 'orange' : 'green'}>{t('fleet.brought', { rev: done.brought.rev, files: done.brought.blobs, size: bytes(done.brought.bytes), had: done.brought.had })}</Alert>}
      {done?.joined && <Alert color="green">{t('fleet.joinedBy', { name: done.joined })}</Alert>}
      {rows(done?.joins).map((x) => <Alert key={x.node} color={x.standing === 'member' ? 'green' : 'yellow'}>{t(x.standing === 'member' ? 'fleet.joinTaken' : 'fleet.joinAsks', { name: x.name || x.node, site: x.site })}</Alert>)}
      {rows(done?.receipts).map((x) => <Alert key={x.node} color="green">{t('fleet.receiptTaken', { name: x.name || x.node, n: x.events })}</Alert>)}
      <Twin>{hub ? 'edgeward fleet bundle export --site NAME -o FILE.edgebundle\nedgeward fleet bundle import FILE.edgebundle' : as === 'node' ? 'edgeward fleet bundle import FILE.edgebundle\nedgeward fleet bundle receipt -o FILE.edgebundle' : 'edgeward join --request FILE.edgebundle\nedgeward fleet bundle import FILE.edgebundle'}</Twin>
    </Stack>
  );
}
