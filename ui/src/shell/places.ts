import type { FunctionComponent } from 'react';
import { IconAudit, IconCamera, IconCandidates, IconData, IconDrift, IconEndpoint, IconFleet, IconForecast, IconJobs, IconModels, IconOverview, IconScoring, IconSettings, IconUsers } from '../parts/icons';
import type { Key } from '../text';

export interface Place { to: string; label: Key; icon: FunctionComponent<{ size?: number; stroke?: number }>; keys: string }

/** The pages of the menu, in its order. keys are the two letters that go there. */
export const places: { head: Key; items: Place[] }[] = [
  {
    head: 'nav.today',
    items: [
      { to: '/forecast', label: 'forecast.title', icon: IconForecast, keys: 'g f' },
      { to: '/line', label: 'line.title', icon: IconCamera, keys: 'g l' },
      { to: '/', label: 'overview.title', icon: IconOverview, keys: 'g o' },
    ],
  },
  {
    head: 'nav.work',
    items: [
      { to: '/data', label: 'data.title', icon: IconData, keys: 'g d' },
      { to: '/models', label: 'models.title', icon: IconModels, keys: 'g m' },
      { to: '/endpoints', label: 'endpoints.title', icon: IconEndpoint, keys: 'g e' },
      { to: '/drift', label: 'drift.title', icon: IconDrift, keys: 'g r' },
      { to: '/candidates', label: 'candidates.title', icon: IconCandidates, keys: 'g c' },
      { to: '/scoring', label: 'scoring.title', icon: IconScoring, keys: 'g i' },
      { to: '/jobs', label: 'jobs.title', icon: IconJobs, keys: 'g j' },
      { to: '/fleet', label: 'fleet.title', icon: IconFleet, keys: 'g t' },
    ],
  },
  {
    head: 'nav.trust',
    items: [
      { to: '/audit', label: 'audit.title', icon: IconAudit, keys: 'g a' },
      { to: '/access', label: 'access.title', icon: IconUsers, keys: 'g u' },
      { to: '/settings', label: 'settings.title', icon: IconSettings, keys: 'g s' },
    ],
  },
];
