import { useEffect, type ReactNode } from 'react';
import { Anchor, Badge, Breadcrumbs, Group, Title, Tooltip } from '@mantine/core';
import { Link } from 'wouter';
import { t, word } from '../text';

/** The head of every page: where one is, its title, its marks and actions. */
export function Page({ title, crumbs = [], marks, actions, intro, children }: {
  title: string; crumbs?: [label: string, to: string][]; marks?: ReactNode; actions?: ReactNode; intro?: ReactNode; children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · edgeward`;
  }, [title]);
  return (
    <>
      {crumbs.length > 0 && (
        <nav aria-label={t('page.crumbs')}>
          <Breadcrumbs mb={4} fz="sm">
            {crumbs.map(([label, to]) => (
              <Anchor component={Link} href={to} key={to} fz="sm">{label}</Anchor>
            ))}
          </Breadcrumbs>
        </nav>
      )}
      <Group justify="space-between" align="flex-start" mb={intro ? 4 : 18} gap="sm">
        <Group gap="sm">
          <Title order={1} id="title" tabIndex={-1} style={{ outline: 'none' }}>{title}</Title>
          {marks}
        </Group>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {intro && <p className="quiet" style={{ margin: '0 0 18px', maxWidth: '75ch' }}>{intro}</p>}
      {children}
    </>
  );
}

/** A titled box. */
export function Card({ title, actions, children, label }: { title?: string; actions?: ReactNode; children: ReactNode; label?: string }) {
  return (
    <section className="card" aria-label={label ?? title}>
      {title && (
        <Group justify="space-between" mb={10} gap="xs">
          <Title order={2}>{title}</Title>
          {actions}
        </Group>
      )}
      {children}
    </section>
  );
}

/** What belongs to the demonstration wears this. */
export function DemoMark({ on, what }: { on: boolean | undefined; what?: string }) {
  if (!on) return null;
  return (
    <Tooltip label={what ?? t('demo.notice')}>
      <Badge color="yellow" tabIndex={0} style={{ cursor: 'help' }}>{t('demo.mark')}</Badge>
    </Tooltip>
  );
}

const colours: Record<string, string> = {
  ready: 'green', succeeded: 'green', promoted: 'green', live: 'green', quiet: 'green', won: 'green', delivered: 'green', waiting: 'yellow', paused: 'gray', on: 'green', resolved: 'green',
  running: 'blue', queued: 'gray', loading: 'blue', starting: 'blue', canary: 'blue', shadow: 'grape', registered: 'gray', candidate: 'blue',
  suspected: 'yellow', degraded: 'orange', pending: 'yellow', approval: 'yellow', cool_down: 'yellow', retraining: 'blue', evaluating: 'blue',
  promoting: 'blue', alarm: 'red', firing: 'red', failed: 'red', lost: 'orange', rejected: 'orange', taken: 'orange', cancelled: 'gray',
  asked: 'gray', told: 'blue', here: 'green', expired: 'gray', gone: 'gray', alive: 'green', suspect: 'yellow', dead: 'red', committed: 'green', probation: 'blue', fetching: 'blue', reverted: 'orange', refused: 'orange', 'rolled-back': 'orange', 'rolling-back': 'orange', aborted: 'gray', 'awaiting-approval': 'yellow',
};

/** A state in words and colour; the words come first. */
export function State({ of, kind = 'state' }: { of: string | undefined; kind?: 'state' | 'phase' | 'rollout' | 'inquiry' | 'memberState' | 'drift' | 'verdict' | 'role' }) {
  if (!of) return null;
  return <Badge color={(kind === 'verdict' && of === 'lost' ? 'orange' : colours[of]) ?? 'gray'}>{word(kind, of)}</Badge>;
}

/** Label and value pairs. */
export function Facts({ of }: { of: [label: string, value: ReactNode][] }) {
  return (
    <dl className="facts">
      {of.filter(([, v]) => v !== undefined && v !== null && v !== '').map(([label, value]) => (
        <div key={label} style={{ display: 'contents' }}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A few numbers at a glance. */
export function Stats({ of }: { of: [label: string, value: ReactNode][] }) {
  return (
    <div className="stats">
      {of.map(([label, value]) => (
        <div className="stat" key={label}><b>{value}</b><span>{label}</span></div>
      ))}
    </div>
  );
}

/** A link inside the page, in the look of a table's first column. */
export const To = ({ href, children }: { href: string; children: ReactNode }) => <Link href={href} className="rowlink">{children}</Link>;
