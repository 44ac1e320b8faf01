import { NumberInput, Select, TextInput } from '@mantine/core';
import { weekday } from '../../parts/format';
import { t } from '../../text';

const kinds = ['hand', 'every', 'daily', 'weekly', 'cron'] as const;
const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const dayName = (day: string) => weekday(new Date(Date.UTC(2024, 0, 1 + days.indexOf(day)))); // a Monday
const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((z) => z !== 'UTC')];

/** A schedule as a form holds it; hand is none. */
export interface Timing { kind: (typeof kinds)[number]; n: number; unit: 'm' | 'h'; at: string; day: string; cron: string; zone: string }

/** A schedule of the server as a form; in the browser's own zone where there is none yet. */
export function timing(schedule = '', zone = ''): Timing {
  const at = { kind: 'hand', n: 15, unit: 'm', at: '06:30', day: 'mon', cron: '30 6 * * 1-5', zone: schedule ? zone || 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone } as Timing;
  const f = schedule.trim().split(/\s+/);
  const every = f[0] === 'every' && /^(\d+)([mh])$/.exec(f[1] ?? '');
  if (every) return { ...at, kind: 'every', n: Number(every[1]), unit: every[2] as 'm' };
  if (f[0] === 'daily') return { ...at, kind: 'daily', at: f[1] ?? '' };
  if (f[0] === 'weekly') return { ...at, kind: 'weekly', day: f[1] ?? '', at: f[2] ?? '' };
  return schedule ? { ...at, kind: 'cron', cron: schedule } : at;
}

/** What the server takes: no schedule for hand, no zone where none is needed. */
export function written(w: Timing): { schedule: string; zone: string } {
  const schedule = { hand: '', every: `every ${w.n}${w.unit}`, daily: `daily ${w.at}`, weekly: `weekly ${w.day} ${w.at}`, cron: w.cron.trim() }[w.kind];
  return { schedule, zone: w.kind === 'hand' || w.kind === 'every' || w.zone === 'UTC' ? '' : w.zone };
}

/** Whether it can be sent; the server knows the rest. */
export const sound = (w: Timing) =>
  w.kind === 'hand' || (w.kind === 'every' ? Number.isInteger(w.n) && w.n > 0 : w.kind === 'cron' ? w.cron.trim().split(/\s+/).length === 5 || /^every \S+$/.test(w.cron.trim()) : /^\d\d:\d\d$/.test(w.at));

/** A schedule in words; '' for none. */
export function spoken(schedule: string | undefined, zone?: string): string {
  if (!schedule) return '';
  const w = timing(schedule, zone);
  if (w.kind === 'every') return t(w.unit === 'm' ? 'when.everyMinutes' : 'when.everyHours', { n: w.n });
  const words = w.kind === 'daily' ? t('when.dailyAt', { at: w.at }) : w.kind === 'weekly' ? t('when.weeklyAt', { day: dayName(w.day), at: w.at }) : schedule;
  return `${words}, ${zone || 'UTC'}`;
}

/** The fields of a schedule. */
export function When({ of: w, set }: { of: Timing; set: (w: Timing) => void }) {
  const clock = w.kind === 'daily' || w.kind === 'weekly';
  return (
    <div className="fields">
      <Select label={t('when.kind')} data={kinds.map((value) => ({ value, label: t(`when.${value}`) }))} value={w.kind} onChange={(kind) => set({ ...w, kind: kind as Timing['kind'] })} allowDeselect={false} />
      {w.kind === 'every' && <NumberInput label={t('when.each')} description={t('when.eachWhat')} min={1} max={w.unit === 'm' ? 527_040 : 8784} allowDecimal={false} value={w.n} onChange={(n) => set({ ...w, n: Number(n) })} />}
      {w.kind === 'every' && <Select label={t('when.unit')} data={[{ value: 'm', label: t('when.minutes') }, { value: 'h', label: t('when.hours') }]} value={w.unit} onChange={(unit) => set({ ...w, unit: unit as 'm' })} allowDeselect={false} />}
      {w.kind === 'weekly' && <Select label={t('when.day')} data={days.map((value) => ({ value, label: dayName(value) }))} value={w.day} onChange={(day) => set({ ...w, day: day ?? 'mon' })} allowDeselect={false} />}
      {clock && <TextInput type="time" label={t('when.at')} value={w.at} onChange={(e) => set({ ...w, at: e.currentTarget.value })} required />}
      {w.kind === 'cron' && <TextInput label={t('when.cronLine')} description={t('when.cronWhat')} value={w.cron} onChange={(e) => set({ ...w, cron: e.currentTarget.value })} error={sound(w) ? undefined : t('when.cronBad')} maxLength={200} required className="mono" />}
      {(clock || w.kind === 'cron') && <Select label={t('when.zone')} description={t('when.zoneWhat')} data={zones.includes(w.zone) ? zones : [w.zone, ...zones]} value={w.zone} onChange={(zone) => set({ ...w, zone: zone ?? 'UTC' })} searchable limit={60} allowDeselect={false} />}
    </div>
  );
}
