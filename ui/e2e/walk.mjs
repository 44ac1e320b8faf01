// What every journey does on a page.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { axe, settled, shot, sideways } from './browser.mjs';

/** A form field by its whole label; what is required carries a star. */
export const field = (page, label) => page.getByLabel(new RegExp(`^${label}( \\*)?$`));

export async function signIn(page, server, person = server.person) {
  await page.goto(`${server.url}/login`);
  await field(page, 'Name').fill(person.name);
  await field(page, 'Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Menu' }).waitFor({ state: 'attached' });
}

/** Holds the page as it stands to what every page owes: axe finds nothing, no fault, no sideways scrolling; and takes a picture. */
export async function inspect(page, faults, name, rules) {
  await settled(page);
  await shot(page, name);
  assert.deepEqual([...(await axe(page, rules)), ...(await sideways(page)), ...faults.splice(0)], [], `${name} (${new URL(page.url()).pathname})`);
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

/** A file of this name in a folder of its own. */
export function fileOf(name, content) {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-file-')), name);
  fs.writeFileSync(file, content);
  return file;
}

/** Gives a file to the drop area as a browser does when a person drops it there. */
export async function drop(page, file) {
  const data = await page.evaluateHandle(
    ([name, base64]) => {
      const d = new DataTransfer();
      d.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
      return d;
    },
    [path.basename(file), fs.readFileSync(file).toString('base64')],
  );
  await page.dispatchEvent('.drop', 'drop', { dataTransfer: data });
}

/** Asks until it is so. */
export async function until(what, ms, ask) {
  for (const end = Date.now() + ms; ; await new Promise((ok) => setTimeout(ok, 500))) {
    const x = await ask();
    if (x) return x;
    assert.ok(Date.now() < end, `waited ${ms / 1000} s for ${what}`);
  }
}
