import { Badge } from '@mantine/core';
import type { FleetNode } from '../../api/types';
import { t, word } from '../../text';

/** Whether a node is of the fleet, and of a member whether it is heard. */
export function Standing({ of: n }: { of: FleetNode }) {
  if (n.standing !== 'member') return <Badge color="yellow">{word('standing', n.standing)}</Badge>;
  return <Badge color={n.online ? 'green' : 'orange'}>{n.online ? t('fleet.online') : t('fleet.offline')}</Badge>;
}

/** A node's tags as a selector writes them. */
export const tagList = (tags: FleetNode['tags']) => Object.entries(tags ?? {}).map(([k, v]) => `${k}=${v}`);
export const tagWords = (tags: FleetNode['tags']) => tagList(tags).join(', ');
