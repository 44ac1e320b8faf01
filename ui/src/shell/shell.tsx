import { lazy, Suspense, useEffect, useRef } from 'react';
import { ActionIcon, AppShell, Badge, Burger, Group, Kbd, Menu, NativeSelect, Skeleton, Tooltip, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useLocation } from 'wouter';
import { group, remove } from '../api/client';
import { useLive, type Liveness } from '../api/live';
import { useDemo } from '../api/queries';
import { rows } from '../api/types';
import { IconSearch, IconUser } from '../parts/icons';
import { clock } from '../parts/format';
import { useWho } from '../parts/may';
import { languages, speak, t, useLanguage, type Language } from '../text';
import { DemoBanner } from './demo';
import { places } from './places';
import { Pages } from './pages';
import { Scheme } from './scheme';
import { storyOf } from './story';

const Palette = lazy(() => import('./palette'));

// Whether this tab has been taken to its first page: each demonstration has its own.
const landed = 'edgeward-landed';

/** demo is undefined until the server has said whether there is a demonstration. */
export function Shell({ demo }: { demo: boolean | undefined }) {
  const [at, navigate] = useLocation();
  const [menu, { toggle, close }] = useDisclosure();
  const live = useLive(true);
  const story = useDemo(!!demo);
  const before = useRef(at);
  useEffect(() => {
    if (demo === undefined || (demo && !story.data)) return;
    if (story.data && at === '/' && !sessionStorage.getItem(landed)) navigate(storyOf(story.data).home, { replace: true });
    sessionStorage.setItem(landed, 'yes');
  }, [demo, story.data, at, navigate]);
  useEffect(() => {
    close();
    if (before.current === at) return;
    before.current = at;
    window.scrollTo(0, 0);
    document.getElementById('main')?.focus({ preventScroll: true });
  }, [at, close]);
  return (
    <AppShell header={{ height: 54 }} navbar={{ width: 216, breakpoint: 'md', collapsed: { mobile: !menu } }} padding={{ base: 'sm', sm: 'xl' }}>
      <a className="skip" href="#main">{t('nav.skip')}</a>
      <AppShell.Header style={{ background: 'var(--edge-card)', borderColor: 'var(--edge-line)' }}>
        <Group h="100%" px="md" gap="sm" wrap="nowrap" justify="space-between">
          <Group gap="sm" wrap="nowrap" style={{ minWidth: 0 }}>
            <Burger opened={menu} onClick={toggle} hiddenFrom="md" size="sm" aria-label={t('nav.menu')} aria-expanded={menu} />
            <Link href="/" aria-label="edgeward" style={{ display: 'flex', alignItems: 'center', gap: 10, textDecoration: 'none', color: 'inherit', fontWeight: 680, fontSize: '1.05rem' }}>
              <img src="/icon.svg" alt="" width={26} height={26} />
              <span className="brandname">edgeward</span>
            </Link>
          </Group>
          <Group gap={8} wrap="nowrap">
            <Live of={live} />
            <UnstyledButton onClick={() => window.dispatchEvent(new Event('edgeward:palette'))} className="search" aria-label={`${t('palette.open')} Ctrl K`}>
              <IconSearch size={17} />
              <span className="searchwords">{t('palette.open')} <Kbd size="xs">Ctrl K</Kbd></span>
            </UnstyledButton>
            <Scheme />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" style={{ background: 'var(--edge-card)', borderColor: 'var(--edge-line)', overflowY: 'auto' }} aria-label={t('nav.menu')}>
        <Menus at={at} />
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} style={{ outline: 'none' }}>
        <div style={{ maxWidth: 1180, margin: '0 auto' }}>
          {demo && <DemoBanner />}
          <Suspense fallback={<Skeleton height={200} />}><Pages /></Suspense>
        </div>
      </AppShell.Main>
      <Suspense fallback={null}><Palette /></Suspense>
    </AppShell>
  );
}

function Menus({ at }: { at: string }) {
  const here = (to: string) => (to === '/' ? at === '/' : at === to || at.startsWith(to + '/'));
  return (
    <>
      {places.map((p) => (
        <div key={p.head}>
          <div className="navhead" id={p.head}>{t(p.head)}</div>
          <ul className="nav" aria-labelledby={p.head}>
            {p.items.map((i) => (
              <li key={i.to}>
                <Link href={i.to} aria-current={here(i.to) ? 'page' : undefined}>
                  <i.icon size={18} stroke={1.7} />
                  {t(i.label)}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </>
  );
}

/** Whether what one sees is current. */
function Live({ of }: { of: Liveness }) {
  const state = of.live ? t('live.on') : of.since ? t('live.stale', { since: clock(of.since) }) : t('live.connecting');
  return (
    <Tooltip label={of.live ? t('live.onHelp') : t('live.staleHelp')}>
      <Badge color={of.live ? 'green' : of.since ? 'orange' : 'gray'} tabIndex={0} role="status" className="live">{state}</Badge>
    </Tooltip>
  );
}

function Account() {
  const me = useWho();
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const language = useLanguage();
  const groups = rows(me.groups);
  const out = async () => {
    await remove('/session').catch(() => undefined);
    client.clear();
    navigate('/login', { replace: true });
    location.reload();
  };
  const choose = (name: string) => {
    if (!name || name === me.group) return;
    group.set(name);
    location.assign('/');
  };
  return (
    <Menu position="bottom-end" width={250} withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('account.open', { name: me.name })}><IconUser size={21} stroke={1.7} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.name}{me.admin ? ` · ${t('account.admin')}` : ''}</Menu.Label>
        <div style={{ padding: '4px 12px 10px', display: 'grid', gap: 8 }}>
          <NativeSelect size="xs" label={t('account.group')} data={groups.length ? groups.map((g) => g.name) : [t('account.noGroup')]} value={me.group} onChange={(e) => choose(e.currentTarget.value)} disabled={groups.length < 2} />
          <NativeSelect size="xs" label={t('account.language')} data={Object.entries(languages).map(([value, label]) => ({ value, label }))} value={language} onChange={(e) => void speak(e.currentTarget.value as Language)} />
          <span className="quiet" style={{ fontSize: '0.78rem' }}>{me.site} · {me.node}</span>
        </div>
        <Menu.Divider />
        <Menu.Item onClick={() => navigate('/access')}>{t('account.password')}</Menu.Item>
        <Menu.Item onClick={() => window.dispatchEvent(new Event('edgeward:keys'))}>{t('keys.title')}</Menu.Item>
        <Menu.Item onClick={() => void out()}>{t('account.out')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
