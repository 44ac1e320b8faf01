// What every journey does on a page.
import assert from 'node:assert/strict';
import { axe, settled, shot, sideways } from './browser.mjs';

/** A form field by its whole label; what is required carries a star. */
export const field = (page, label) => page.getByLabel(new RegExp(`^${label}( \\*)?$`));

export async function signIn(page, server) {
  await page.goto(`${server.url}/login`);
  await field(page, 'Name').fill(server.person.name);
  await field(page, 'Password').fill(server.person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Menu' }).waitFor({ state: 'attached' });
}

/** Holds the page as it stands to what every page owes: axe finds nothing, no fault, no sideways scrolling; and takes a picture. */
export async function inspect(page, faults, name) {
  await settled(page);
  await shot(page, name);
  assert.deepEqual([...(await axe(page)), ...(await sideways(page)), ...faults.splice(0)], [], `${name} (${new URL(page.url()).pathname})`);
}

/** Goes from Tab stop to Tab stop: each is visible, named and marked. */
export async function tabs(page, count = 25) {
  const bad = [];
  for (let i = 0; i < count; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return undefined;
      const s = getComputedStyle(e);
      const box = e.getBoundingClientRect();
      const label = e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent?.trim() || e.getAttribute('placeholder') || (e.labels?.length ? 'label' : '');
      return { html: e.outerHTML.slice(0, 100), marked: s.outlineStyle !== 'none' || s.boxShadow !== 'none' || s.borderColor !== '', named: !!label, seen: box.width > 0 && box.height > 0 };
    });
    if (at && !(at.marked && at.named && at.seen)) bad.push(at);
  }
  assert.deepEqual(bad, []);
}
