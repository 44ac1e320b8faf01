// J16: a new server joins a fleet on its first page, by a code in a file; the hub's page gives it tags, and takes them back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { freePort, inhabited, start } from './server.mjs';
import { field, inspect, signIn, until } from './walk.mjs';

test('a server joins a fleet while it is set up, and its tags are changed', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-join-'));
  const hub = await inhabited({ set: [`fleet.address=127.0.0.1:${await freePort()}`, 'node.name=hub'] });
  const fresh = await start({ set: ['fleet.address=off', 'node.name=ward-3'] });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await fresh.stop();
    await hub.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  });
  await hub.run('fleet', 'init', 'hospital', '--keys', path.join(dir, 'keys'));
  const code = path.join(dir, 'join-code');
  fs.writeFileSync(code, await hub.run('fleet', 'code', 'create', '--site', 'north', '--auto'));

  const { page, faults } = await open(browser);
  await page.goto(fresh.link);
  await field(page, 'Password').fill('a long enough sentence 42');
  await page.getByLabel('Password again').fill('a long enough sentence 42');
  await page.getByLabel('This server joins a fleet').check();
  const go = page.getByRole('button', { name: 'Create administrator and join' });
  assert.ok(await go.isDisabled()); // there is no code yet
  await field(page, 'Join code').fill('ew1-nonsense');
  await page.getByText('This is no join code.').waitFor();
  await inspect(page, faults, 'j16-no-code');
  await field(page, 'Join code').fill('');
  await page.locator('input[type=file]').setInputFiles(code);
  await page.getByText(/^It leads to the hub https:\/\/127\.0\.0\.1:/).waitFor();
  await inspect(page, faults, 'j16-code');
  await page.emulateMedia({ colorScheme: 'dark' });
  await inspect(page, faults, 'j16-code-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(looks.narrow.viewport);
  await inspect(page, faults, 'j16-code-narrow');
  await page.setViewportSize(looks.light.viewport);
  await go.click();
  await page.getByText(/^Belongs to|hospital/).first().waitFor({ timeout: 30_000 });
  assert.equal(new URL(page.url()).pathname, '/fleet');
  assert.ok(faults.splice(0).every((f) => f.includes('401'))); // nobody was signed in at first

  // At the hub: the node's page, in both looks.
  const admin = await open(browser);
  await signIn(admin.page, hub);
  admin.faults.length = 0;
  const dark = await open(browser, looks.dark, await admin.context.storageState());
  const { items } = await hub.api('GET', '/fleet/nodes');
  const at = `${hub.url}/fleet/nodes/${items[0].id}`;
  await admin.page.goto(at);
  await admin.page.getByRole('heading', { name: 'ward-3', level: 1 }).waitFor();
  await admin.page.getByRole('button', { name: 'Change' }).click();
  const dialog = admin.page.getByRole('dialog');
  const tags = dialog.getByLabel('Tags', { exact: true });
  await tags.fill('line=3');
  await tags.press('Enter');
  await tags.fill('nonsense');
  await tags.press('Enter');
  await dialog.getByText('nonsense is no tag').waitFor();
  await inspect(admin.page, admin.faults, 'j16-tags');
  await tags.press('Backspace');
  await dialog.getByText('edgeward fleet node tag ward-3 line=3').waitFor();
  await dialog.getByRole('button', { name: 'Save tags' }).click();
  await until('the tag to be there', 20_000, async () => (await hub.api('GET', `/fleet/nodes/${items[0].id}`)).tags?.line === '3');
  await admin.page.getByText('The tags were changed.').waitFor();
  await inspect(admin.page, admin.faults, 'j16-node');
  await dark.page.goto(at);
  await dark.page.getByText('line=3').waitFor();
  await inspect(dark.page, dark.faults, 'j16-node-dark');
  await admin.page.getByRole('button', { name: 'Undo' }).click();
  await until('the tag to be gone', 20_000, async () => !(await hub.api('GET', `/fleet/nodes/${items[0].id}`)).tags?.line);

  // Somebody else is quicker: nothing of theirs is undone.
  await admin.page.getByRole('button', { name: 'Change' }).click();
  await admin.page.getByRole('dialog').waitFor();
  await hub.run('fleet', 'node', 'tag', 'ward-3', 'kind=press');
  await tags.fill('line=4');
  await tags.press('Enter');
  await dialog.getByRole('button', { name: 'Save tags' }).click();
  await dialog.getByRole('alert').waitFor();
  assert.ok(admin.faults.splice(0).every((f) => f.includes('412'))); // that was asked for
  assert.deepEqual((await hub.api('GET', `/fleet/nodes/${items[0].id}`)).tags, { kind: 'press' });
  assert.deepEqual([...faults, ...admin.faults, ...dark.faults], []);
});
