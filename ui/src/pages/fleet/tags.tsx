import { useState } from 'react';
import { Button, Group, TagsInput, Text } from '@mantine/core';
import { get, post, seen } from '../../api/client';
import { useAct } from '../../api/queries';
import type { Applied, FleetNode } from '../../api/types';
import { Ask } from '../../parts/ask';
import { MayButton } from '../../parts/may';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { tagList, tagWords } from './standing';

const key = (tag: string) => tag.slice(0, tag.indexOf('='));
const from = (list: string[]) => Object.fromEntries(list.map((s) => [key(s), s.slice(key(s).length + 1)]));

/** Tags as they were when the person looked, and the state of the fleet's documents at that time. */
interface Looked { tags: string[]; match: string }

async function look(): Promise<string> {
  await get('/fleet/overlays', { limit: 1 });
  return seen('/fleet/overlays');
}

const apply = (n: FleetNode, tags: string[], match: string, reason?: string) =>
  post<Applied>('/fleet/overlays/apply', { documents: [{ kind: 'node', name: n.id, tags: from(tags) }], reason }, match);

/** A node's tags, and the way to change them: a document of kind node, applied only while the fleet is as the person saw it. */
export function Tags({ n }: { n: FleetNode }) {
  const [editing, setEditing] = useState<Looked>();
  const [before, setBefore] = useState<Looked>();
  const open = useAct(async () => {
    const match = await look();
    const now = await get<FleetNode>(`/fleet/nodes/${n.id}`); // not older than the state: what came between is refused, not undone
    setEditing({ match, tags: tagList(now.tags) });
  });
  const undo = useAct((to: Looked) => apply(n, to.tags, to.match), 'fleet');
  return (
    <Group gap="xs">
      <span>{tagWords(n.tags) || '–'}</span>
      <MayButton verb="create" on="fleet" size="compact-xs" variant="default" onClick={() => open.mutate(undefined as never)}>{t('tags.change')}</MayButton>
      {before && (
        <Text size="sm" role="status">
          {t('tags.changed')}{' '}
          <Button size="compact-xs" variant="subtle" loading={undo.isPending} onClick={() => undo.mutate(before, { onSuccess: () => setBefore(undefined) })}>{t('tags.undo')}</Button>
        </Text>
      )}
      <Trouble error={undo.error ?? open.error} />
      {editing && <Edit n={n} looked={editing} close={() => setEditing(undefined)} done={setBefore} />}
    </Group>
  );
}

function Edit({ n, looked, close, done }: { n: FleetNode; looked: Looked; close: () => void; done: (before: Looked) => void }) {
  const [tags, setTags] = useState(looked.tags);
  const act = useAct((reason: string) => apply(n, tags, looked.match, reason || undefined), 'fleet');
  const bad = tags.find((s) => !/^[^=\s]+=/.test(s));
  const set = tags.filter((s) => !looked.tags.includes(s)).map((s) => (/\s/.test(s) ? JSON.stringify(s) : s));
  const drop = looked.tags.map(key).filter((k) => !(k in from(tags))).map((k) => `${k}-`);
  return (
    <Ask title={t('tags.of', { name: n.name || n.id })} open close={close} optional go={t('tags.save')} ready={!bad}
      cli={() => `edgeward fleet node tag ${n.name || n.id} ${[...set, ...drop].join(' ') || 'KEY=VALUE'}`}
      act={async (reason) => {
        await act.mutateAsync(reason);
        done({ tags: looked.tags, match: await look() });
      }}>
      <TagsInput label={t('fleetNode.tags')} description={t('tags.what')} placeholder="line=3" value={tags} onChange={setTags} error={bad && t('tags.bad', { tag: bad })} acceptValueOnBlur splitChars={[',']} />
    </Ask>
  );
}
