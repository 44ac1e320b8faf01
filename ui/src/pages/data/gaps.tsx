import { useState } from 'react';
import { Select, Stack, Text } from '@mantine/core';
import { rows, type Profile, type Series } from '../../api/types';
import { day, num } from '../../parts/format';
import { Card } from '../../parts/page';
import { seriesName } from '../../parts/series';
import { t, word } from '../../text';

type Coverage = NonNullable<Profile['coverage']>;
const dayMs = 86_400_000;
const keyOf = (s: Series) => rows(s.key).join(' · ');
const nameOf = (s: Series, demo?: boolean) => rows(s.key).map((k) => seriesName(k, demo)).join(' · ');

/** Which steps of each series are missing. Gaps are shown, never filled. */
export function Gaps({ of: c, demo }: { of: Coverage; demo?: boolean }) {
  const series = rows(c.series);
  const worst = [...series].sort((a, b) => b.missing - a.missing)[0];
  const [chosen, setChosen] = useState<string | null>(worst ? keyOf(worst) : null);
  const one = series.find((s) => keyOf(s) === chosen) ?? series[0];
  return (
    <Card title={t('gaps.title')}>
      <Stack gap="md">
        <Text className="quiet" size="sm">{t('gaps.what', { step: word('step', c.step), from: day(c.from), to: day(c.to) })}</Text>
        <div className="scroll" tabIndex={0} role="group" aria-label={t('gaps.title')} style={{ maxHeight: 260 }}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{rows(c.groups).join(' · ') || t('gaps.series')}</th>
                <th scope="col" className="num">{t('gaps.steps')}</th>
                <th scope="col" className="num">{t('gaps.missing')}</th>
                <th scope="col" className="num">{t('profile.zeros')}</th>
                <th scope="col" className="num">{t('gaps.empty')}</th>
                <th scope="col" className="num">{t('gaps.duplicates')}</th>
              </tr>
            </thead>
            <tbody>
              {series.map((s) => (
                <tr key={keyOf(s)}>
                  <th scope="row">{nameOf(s, demo) || t('gaps.all')}</th>
                  <td className="num">{num(s.steps)}</td>
                  <td className="num" style={s.missing ? { color: 'var(--edge-bad)', fontWeight: 600 } : undefined}>{num(s.missing)}</td>
                  <td className="num">{num(s.zeros)}</td>
                  <td className="num">{num(s.empty)}</td>
                  <td className="num">{num(s.duplicates)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {c.total > series.length && <Text size="sm" className="quiet">{t('gaps.more', { n: c.total - series.length })}</Text>}
        {one && (
          <div>
            {series.length > 1 && <Select label={t('gaps.calendarOf')} size="xs" maw={320} mb="sm" data={series.map((s) => ({ value: keyOf(s), label: nameOf(s, demo) }))} value={keyOf(one)} onChange={setChosen} allowDeselect={false} searchable={series.length > 10} />}
            <Calendar of={one} />
            {rows(one.gaps).length > 0 && (
              <details style={{ marginTop: 8 }}>
                <summary>{t('gaps.list', { n: rows(one.gaps).length })}</summary>
                <ul style={{ columns: '220px', fontSize: '0.88rem' }}>
                  {rows(one.gaps).map((g) => <li key={g.from}>{g.from === g.to ? day(g.from) : `${day(g.from)} – ${day(g.to)}`} ({num(g.steps)})</li>)}
                </ul>
              </details>
            )}
          </div>
        )}
      </Stack>
    </Card>
  );
}

/** A square per day, a line per year: present, or with a missing step. */
function Calendar({ of: s }: { of: Series }) {
  const from = Math.floor(Date.parse(s.from) / dayMs);
  const to = Math.floor(Date.parse(s.to) / dayMs);
  const missing = new Set<number>();
  for (const g of rows(s.gaps)) for (let d = Math.floor(Date.parse(g.from) / dayMs); d <= Math.floor(Date.parse(g.to) / dayMs) && missing.size < 20_000; d++) missing.add(d);
  const years: number[] = [];
  for (let y = new Date(from * dayMs).getUTCFullYear(); y <= new Date(to * dayMs).getUTCFullYear() && years.length < 12; y++) years.push(y);
  return (
    <div style={{ display: 'grid', gap: 8 }} role="img" aria-label={t('gaps.calendar', { missing: num(s.missing), steps: num(s.steps) })}>
      {years.map((y) => {
        const first = Date.UTC(y, 0, 1) / dayMs;
        const shift = (new Date(first * dayMs).getUTCDay() + 6) % 7; // weeks start on Monday
        let there = '';
        let gone = '';
        for (let d = first; d < Date.UTC(y + 1, 0, 1) / dayMs; d++) {
          if (d < from || d > to) continue;
          const i = d - first + shift;
          const square = `M${Math.floor(i / 7) * 7} ${(i % 7) * 7}h6v6h-6z`;
          if (missing.has(d)) gone += square;
          else there += square;
        }
        return (
          <div key={y} style={{ display: 'flex', gap: 10, alignItems: 'center' }} aria-hidden>
            <span className="quiet" style={{ fontSize: '0.78rem', width: 34 }}>{y}</span>
            <svg viewBox="0 0 371 49" style={{ width: '100%', maxWidth: 742, height: 'auto' }}>
              <path d={there} fill="var(--edge-bar)" opacity={0.55} />
              <path d={gone} fill="var(--edge-bad)" />
            </svg>
          </div>
        );
      })}
    </div>
  );
}
