// Debian's Chromium, held to loopback: what every journey uses.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const axeSource = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const out = process.env.EDGEWARD_SHOTS ?? path.join(import.meta.dirname, 'out');

export const looks = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 860 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 860 } },
  narrow: { colorScheme: 'light', viewport: { width: 320, height: 720 } },
};

export function launch() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

const local = (u) => {
  const { protocol, hostname } = new URL(u);
  return ['data:', 'blob:'].includes(protocol) || /^(127\.|localhost$|\[::1\]$)/.test(hostname);
};

/** A page in one look. faults collects what must not happen: a console error, a thrown one, a request off loopback. */
export async function open(browser, look = looks.light, storage) {
  const context = await browser.newContext({ ...look, bypassCSP: false, storageState: storage, locale: 'en-GB', reducedMotion: 'reduce' });
  const page = await context.newPage();
  const faults = [];
  await context.route('**/*', (route) => {
    if (local(route.request().url())) return route.continue();
    faults.push(`request off this machine: ${route.request().url()}`);
    return route.abort();
  });
  page.on('pageerror', (e) => faults.push(`thrown: ${e}`));
  page.on('console', (m) => m.type() === 'error' && faults.push(`console: ${m.text()}`));
  return { context, page, faults };
}

/** Waits until the page has stopped loading: its skeletons are gone and its charts are drawn. */
export async function settled(page) {
  await page.waitForSelector('h1', { timeout: 15_000 });
  await page.waitForFunction(() => !document.querySelector('.mantine-Skeleton-root, .mantine-Loader-root'), null, { timeout: 15_000 });
  await page.waitForTimeout(250);
}

/** What axe says against WCAG 2.2 A and AA and its best practices (or these rules alone), as lines. The policy forbids inline scripts, so axe comes by the debugger. */
export async function axe(page, rules) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Runtime.evaluate', { expression: `window.axe || (${'function(){'}${axeSource}${'}'}).call(window)` });
  const result = await page.evaluate((runOnly) => window.axe.run(document, { runOnly }), rules ?? ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);
  await cdp.detach();
  return result.violations.flatMap((v) => v.nodes.map((n) => `axe ${v.id}: ${n.html.slice(0, 160)} | ${(n.failureSummary ?? '').replaceAll('\n', ' ').slice(0, 200)}`));
}

/** Text that sticks out to the side: at 320 px nothing may need sideways scrolling but tables in their own box. */
export const sideways = (page) =>
  page.evaluate(() => (document.documentElement.scrollWidth > innerWidth + 1 ? [`the page is ${document.documentElement.scrollWidth} px wide in ${innerWidth}`] : []));

export async function shot(page, name) {
  fs.mkdirSync(out, { recursive: true });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: path.join(out, `${name}.png`), fullPage: true });
}
