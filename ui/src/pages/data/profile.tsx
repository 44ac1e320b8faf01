import { Alert, Badge, Group, Stack, Text } from '@mantine/core';
import { useProfile } from '../../api/queries';
import { rows, type DatasetVersion, type ProfileColumn } from '../../api/types';
import { day, num, percent, sig } from '../../parts/format';
import { Histogram } from '../../parts/histogram';
import { Facts } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t, word } from '../../text';
import { Gaps } from './gaps';

/** What is known about each column, computed once at import, and which steps of the calendar are missing. */
export function ProfileTab({ name, version, demo }: { name: string; version: DatasetVersion; demo?: boolean }) {
  const q = useProfile(name, version.number);
  return (
    <Loaded query={q} height={300}>
      {({ profile: p }) =>
        !p ? null : (
          <Stack>
            <Text className="quiet">{t('profile.what', { rows: num(p.rows), columns: num(rows(p.columns).length) })}</Text>
            {p.coverage && p.coverage.step && <Gaps of={p.coverage} demo={demo} />}
            {p.coverage && !p.coverage.step && <Alert color="blue">{t('gaps.irregular', { column: p.coverage.time })}</Alert>}
            <div className="grid">{rows(p.columns).map((c) => <OneColumn key={c.name} of={c} version={version} />)}</div>
          </Stack>
        )
      }
    </Loaded>
  );
}

function OneColumn({ of: c, version }: { of: ProfileColumn; version: DatasetVersion }) {
  const n = c.counts;
  const m = n.moments;
  const role = c.name === version.roles.time ? 'time' : c.name === version.roles.target ? 'target' : rows(version.roles.groups).includes(c.name) ? 'group' : '';
  return (
    <section className="card" aria-label={c.name}>
      <Group justify="space-between" mb={8} gap="xs">
        <h2 style={{ margin: 0, fontSize: '1rem' }}>{c.name}</h2>
        <Group gap={6}>
          {role && <Badge color="grape">{word('role', role)}</Badge>}
          <Badge color="gray">{word('type', c.type)}</Badge>
        </Group>
      </Group>
      <Histogram of={c} />
      <div style={{ marginTop: 10, fontSize: '0.88rem' }}>
        <Facts
          of={[
            [t('profile.missing'), n.missing ? `${num(n.missing)} (${percent(n.missing / Math.max(1, n.count), 2)})` : t('profile.none')],
            [t('profile.distinct'), n.distinct ? (n.approx ? t('profile.about', { x: num(n.distinct) }) : num(n.distinct)) : undefined],
            [t('profile.mean'), c.kind === 'numeric' && m.n ? `${sig(m.mean)} ± ${sig(Math.sqrt(m.m2 / Math.max(1, m.n - 1)))}` : undefined],
            [t('profile.zeros'), n.zeros ? num(n.zeros) : undefined],
            [t('profile.notFinite'), n.non_finite ? num(n.non_finite) : undefined],
            [t('profile.range'), c.kind === 'time' ? `${day(n.from)} – ${day(n.to)}` : undefined],
          ]}
        />
      </div>
    </section>
  );
}
