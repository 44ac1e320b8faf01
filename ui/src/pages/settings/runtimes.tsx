import { useState } from 'react';
import { Badge, Button, FileInput, Group, Modal, Progress, Stack, Table, Text, TextInput } from '@mantine/core';
import { remove, upload } from '../../api/client';
import { useAct, useGet } from '../../api/queries';
import { rows, type DeviceView, type List, type RuntimeView } from '../../api/types';
import { Twin } from '../../parts/copy';
import { bytes, moment, percent } from '../../parts/format';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { done, Loaded, Trouble } from '../../parts/trouble';
import { t } from '../../text';

/** Builds of an engine that were added, and the devices of this server. */
export function Runtimes() {
  const packs = useGet<List<RuntimeView>>('runtime', '/runtimes', {}, { refetchInterval: 15_000 });
  const devices = useGet<List<DeviceView>>('runtime', '/devices', {}, { refetchInterval: 15_000 });
  const [adding, setAdding] = useState(false);
  const [going, setGoing] = useState<RuntimeView>();
  return (
    <Card title={t('runtime.title')} actions={<MayButton verb="create" on="runtime" size="xs" variant="default" onClick={() => setAdding(true)}>{t('runtime.add')}</MayButton>}>
      <Text size="sm" className="quiet" mb="sm">{t('runtime.what')}</Text>
      <Loaded query={devices}>
        {(list) => rows(list.items).length === 0 ? <Text size="sm" mb="sm">{t('runtime.noDevice')}</Text> : (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('runtime.devices')}>
            <Table miw={420}>
              <Table.Tbody>
                {rows(list.items).map((d) => (
                  <Table.Tr key={d.wish}>
                    <Table.Td className="mono">{d.wish}</Table.Td>
                    <Table.Td>{d.name} <span className="quiet">{d.bus} {d.driver}</span></Table.Td>
                    <Table.Td><Badge color={d.ready ? 'teal' : 'orange'}>{t(d.ready ? 'runtime.ready' : 'runtime.lacks')}</Badge>{d.lacks && <div className="quiet" lang="en" style={{ fontSize: '0.82rem' }}>{d.lacks}</div>}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      <Loaded query={packs}>
        {(list) => rows(list.items).length === 0 ? <Text size="sm">{t('runtime.none')}</Text> : (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('runtime.title')}>
            <Table miw={520}>
              <Table.Tbody>
                {rows(list.items).map((p) => (
                  <Table.Tr key={p.name + p.version}>
                    <Table.Td><b>{p.name}</b> {p.version} <div className="quiet mono" style={{ fontSize: '0.78rem', overflowWrap: 'anywhere' }}>{p.digest}</div></Table.Td>
                    <Table.Td>{rows(p.devices).join(', ')}</Table.Td>
                    <Table.Td className="num">{bytes(p.bytes)}</Table.Td>
                    <Table.Td>{moment(p.added)} <span className="quiet">{p.by}</span></Table.Td>
                    <Table.Td>{rows(p.in_use).join(', ') || t('runtime.unused')}</Table.Td>
                    <Table.Td><MayButton verb="delete" on="runtime" size="xs" variant="default" onClick={() => setGoing(p)}>{t('action.remove')}</MayButton></Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      {adding && <Add close={() => setAdding(false)} />}
      {going && <Remove of={going} close={() => setGoing(undefined)} />}
    </Card>
  );
}

/** A pack is native code: its digest is typed by whoever trusts it, and another file is refused. */
function Add({ close }: { close: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [digest, setDigest] = useState('');
  const [sent, setSent] = useState<number>();
  const add = useAct((f: File) => upload<RuntimeView>('/runtimes', { digest: digest.trim() }, f, setSent), 'runtime', 'endpoint', 'node');
  const go = async () => {
    if (!file) return;
    setSent(0);
    try {
      const v = await add.mutateAsync(file);
      done(t(v.existing ? 'runtime.existing' : 'runtime.added', { name: `${v.name} ${v.version}` }));
      close();
    } catch {
      setSent(undefined); // said below
    }
  };
  return (
    <Modal opened onClose={close} title={t('runtime.add')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form onSubmit={(e) => { e.preventDefault(); void go(); }}>
        <Stack gap="md">
          <FileInput label={t('runtime.file')} description={t('runtime.fileWhat')} value={file} onChange={setFile} required />
          <TextInput label={t('runtime.digest')} description={t('runtime.digestWhat')} placeholder="sha256:…" value={digest} onChange={(e) => setDigest(e.currentTarget.value)} required />
          <Twin>{`edgeward runtime add ${file?.name ?? 'FILE'} --digest ${digest.trim() || 'sha256:…'}`}</Twin>
          {sent !== undefined && <div><Progress value={sent * 100} animated aria-label={t('data.uploading')} /><Text size="sm" className="quiet">{t('data.uploading')} · {percent(sent)}</Text></div>}
          <Trouble error={add.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
            <Button type="submit" loading={add.isPending} disabled={!file || !/^sha256:[0-9a-f]{64}$/.test(digest.trim())}>{t('runtime.trust')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Remove({ of: p, close }: { of: RuntimeView; close: () => void }) {
  const act = useAct(() => remove(`/runtimes/${p.name}/${p.version}`, '*'), 'runtime');
  return (
    <Modal opened onClose={close} title={t('runtime.remove', { name: `${p.name} ${p.version}` })} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack gap="md">
        <Twin>{`edgeward runtime remove ${p.name}@${p.version}`}</Twin>
        <Trouble error={act.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
          <Button color="red" loading={act.isPending} onClick={() => act.mutate(undefined, { onSuccess: close })}>{t('action.remove')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
