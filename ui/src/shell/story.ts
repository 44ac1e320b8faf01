import { rows, type DemoStatus } from '../api/types';
import type { Key } from '../text';

interface Story { home: string; playing: Key; over: Key; notice: Key }

const stories: Record<'line' | 'simulate' | 'replay', Story> = {
  line: { home: '/line', playing: 'demo.line', over: 'demo.lineOver', notice: 'line.generatedWhat' },
  simulate: { home: '/endpoints/beds-tomorrow', playing: 'demo.beds', over: 'demo.bedsOver', notice: 'demo.bedsNotice' },
  replay: { home: '/forecast', playing: 'demo.replay', over: 'demo.over', notice: 'demo.notice' },
};

/** Which demonstration this is, by a stage that no other has: what its bar says, and the page a visit begins on. */
export function storyOf(d: DemoStatus): Story {
  const has = (name: string) => rows(d.stages).some((s) => s.name === name);
  return has('line') ? stories.line : has('simulate') ? stories.simulate : stories.replay;
}
