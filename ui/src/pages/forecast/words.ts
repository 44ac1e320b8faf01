import { dayOfWeek, hour, longDay, num, percent, weekday } from '../../parts/format';
import type { GroupForecast, SeriesPoint } from '../../api/types';
import { rows } from '../../api/types';
import { t } from '../../text';

// The forecast in the words of a ward: how a step is called follows from how far apart the steps are.

export type Frequency = 'hourly' | 'daily' | 'weekly';

/** The usual distance of two steps says how often the series has one. */
export function frequencyOf(recent: SeriesPoint[]): Frequency {
  const gaps = recent.slice(1).map((p, i) => Date.parse(p.target) - Date.parse(recent[i]!.target)).filter((g) => g > 0).sort((a, b) => a - b);
  const h = (gaps[gaps.length >> 1] ?? 86_400_000) / 3_600_000;
  return h < 20 ? 'hourly' : h < 100 ? 'daily' : 'weekly';
}

const dayMs = 86_400_000;

/** "Tomorrow, Thursday 12 October", "Today from 14:00", "The week of Monday 9 October". now is the day the reader is in. */
export function whenSaid(g: GroupForecast, f: Frequency, now: Date): string {
  const target = new Date(g.target);
  if (f === 'weekly') return t('forecast.week', { day: longDay(target) });
  const far = Math.floor(target.getTime() / dayMs) - Math.floor(now.getTime() / dayMs);
  const d = f === 'hourly' ? t('forecast.hour', { day: longDay(target), hour: hour(target) }) : longDay(target);
  if (g.truth != null) return f === 'hourly' ? d : dayOfWeek(target); // it has passed
  if (far === 0) return t('forecast.today', { day: d });
  if (far === 1) return t('forecast.tomorrow', { day: d });
  return f === 'hourly' ? d : dayOfWeek(target);
}

/** "last Thursday 219" */
export function lastSeason(g: GroupForecast, f: Frequency): string | undefined {
  if (g.last_season == null) return undefined;
  const value = num(g.last_season);
  if (f === 'daily') return t('forecast.lastDay', { day: weekday(g.target), value });
  return f === 'hourly' ? t('forecast.lastHour', { value }) : t('forecast.lastYear', { value });
}

/** "8 of 10 such days lie between 208 and 254" */
export function rangeSaid(g: GroupForecast, f: Frequency): string | undefined {
  if (g.low == null || g.high == null) return undefined;
  const level = g.level || 0.8;
  const tenths = Math.round(level * 10);
  const range = { low: num(g.low), high: num(g.high), steps: t(`forecast.such.${f}`) };
  return Math.abs(level * 10 - tenths) < 1e-6 ? t('forecast.range', { ...range, tenths }) : t('forecast.rangePercent', { ...range, level: percent(level) });
}

/** "In the last 60 days the truth was inside 48 times" */
export function coverageSaid(g: GroupForecast, f: Frequency): string {
  if (!g.covered_days) return t('forecast.noCoverage');
  return t('forecast.coverage', { covered: num(g.covered_days), steps: t(`forecast.steps.${f}`), inside: num(Math.round(g.coverage * g.covered_days)) });
}

/** The day the reader is in: in a replay that is the day of the newest forecast's making. */
export function readersNow(g: GroupForecast, replay: boolean): Date {
  if (!replay) return new Date();
  const recent = rows(g.recent);
  const f = frequencyOf(recent);
  return new Date(Date.parse(g.target) - (f === 'hourly' ? 0 : dayMs));
}
