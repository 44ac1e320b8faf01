// J18: servers join a fleet to whose hub no wire leads: a code comes by stick, a request goes back, and a bundle is the answer.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited, start } from './server.mjs';
import { field, inspect, signIn, until } from './walk.mjs';

/** Ports that are free now. Nobody listens on the second: it stands in the codes, and nothing may need it. */
const freePorts = async (n) => {
  const all = await Promise.all(Array.from({ length: n }, () => new Promise((ok) => {
    const s = net.createServer().listen(0, '127.0.0.1', () => ok(s));
  })));
  const ports = all.map((s) => s.address().port);
  await Promise.all(all.map((s) => new Promise((ok) => s.close(ok))));
  return ports;
};

/** inspect in all looks. */
async function everyLook(page, faults, name) {
  for (const [look, { colorScheme, viewport }] of Object.entries({ ...looks, 'dark-narrow': { ...looks.narrow, colorScheme: 'dark' } })) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    await inspect(page, faults, `${name}-${look}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(looks.light.viewport);
}

test('servers join by stick alone', async (t) => {
  const stick = fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-stick-'));
  const [port, nobody] = await freePorts(2);
  const hub = await inhabited({ set: [`fleet.address=127.0.0.1:${port}`, 'node.name=hub'] });
  const fresh = await start({ set: ['fleet.address=off', 'node.name=ward-3'] });
  const second = await inhabited({ set: ['fleet.address=off', 'node.name=ward-4'] });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await Promise.all([fresh.stop(), second.stop(), hub.stop()]);
    fs.rmSync(stick, { recursive: true, force: true });
  });
  await hub.run('fleet', 'init', 'hospital', '--keys', path.join(stick, 'keys'), '--hub-url', `https://127.0.0.1:${nobody}`);
  const on = async (page, what, file) => {
    const [d] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: what, exact: true }).click()]);
    await d.saveAs(path.join(stick, file));
    return path.join(stick, file);
  };
  const give = (page, file) => page.locator('input[type=file]').setInputFiles(file);

  // The hub's page makes the code.
  const at = await open(browser);
  await signIn(at.page, hub);
  at.faults.length = 0;
  await at.page.goto(`${hub.url}/fleet`);
  await at.page.getByRole('button', { name: 'Add a server' }).click();
  await field(at.page, 'Site').fill('north');
  await at.page.getByRole('dialog').getByLabel('For how many servers').fill('2');
  await at.page.getByRole('button', { name: 'Make a code' }).click();
  const code = path.join(stick, 'join-code');
  fs.writeFileSync(code, await at.page.getByText(/^ew1-/).textContent());

  // A server that is being set up.
  const { page, faults } = await open(browser);
  await page.goto(fresh.link);
  await field(page, 'Password').fill('a long enough sentence 42');
  await page.getByLabel('Password again').fill('a long enough sentence 42');
  await page.getByLabel('This server joins a fleet').check();
  await give(page, code);
  await page.getByText(`It leads to the hub https://127.0.0.1:${nobody}`).waitFor();
  await page.getByLabel('No wire leads to the hub').check();
  await everyLook(page, faults, 'j18-setup');
  await page.getByRole('button', { name: 'Create administrator and join' }).click();
  await page.getByText('Asked to join').waitFor({ timeout: 30_000 });
  assert.equal(new URL(page.url()).pathname, '/fleet');
  assert.ok(faults.splice(0).every((f) => f.includes('401'))); // nobody was signed in at first
  await everyLook(page, faults, 'j18-asked');
  const request = await on(page, 'Save the request', 'ward-3.edgebundle');

  // What is no answer: another file, a server's own request. The hub has nobody yet to answer to.
  assert.ok(await at.page.getByRole('button', { name: 'Bundle for the whole fleet' }).isDisabled());
  for (const [file, why] of [[code, 'this file is no bundle of edgeward'], [request, 'this file is for the hub, and this server is none']]) {
    await give(page, file);
    await page.getByRole('alert').getByText(why).first().waitFor();
    assert.ok(faults.splice(0).every((f) => /40[0-9]|422/.test(f)), file);
    await inspect(page, faults, `j18-refused-${path.basename(file)}`);
  }

  // The hub takes the request; a person lets the server in, and makes the answer.
  await give(at.page, request);
  await at.page.getByText('ward-3 asks to join at site north.').waitFor();
  await everyLook(at.page, at.faults, 'j18-hub');
  await at.page.getByRole('row', { name: /^ward-3/ }).getByRole('button', { name: 'Let in' }).click();
  await at.page.getByRole('dialog').getByRole('button', { name: 'Let in' }).click();
  await until('ward-3 to be a member', 20_000, async () => (await hub.api('GET', '/fleet/nodes')).items[0].standing === 'member');
  const answer = await on(at.page, 'Bundle for the whole fleet', 'answer.edgebundle');

  await give(page, answer);
  await page.getByText('Belongs to hospital, site north.').waitFor({ timeout: 30_000 });
  await everyLook(page, faults, 'j18-joined');

  // And its receipt goes to the hub.
  const receipt = await on(page, 'Receipt for the hub', 'receipt.edgebundle');
  await give(at.page, receipt);
  await at.page.getByText(/^ward-3: taken/).waitFor();
  await everyLook(at.page, at.faults, 'j18-receipt');

  await give(at.page, answer);
  await at.page.getByText('this bundle is for nodes, and this server is their hub').waitFor();
  at.faults.length = 0;

  // A server that is set up already: under Fleet.
  const there = await open(browser);
  await signIn(there.page, second);
  there.faults.length = 0;
  await there.page.goto(`${second.url}/fleet`);
  await there.page.getByRole('button', { name: 'Join a fleet' }).click();
  await field(there.page, 'Join code').fill(fs.readFileSync(code, 'utf8'));
  await there.page.getByLabel('No wire leads to the hub').check();
  await everyLook(there.page, there.faults, 'j18-form');
  await there.page.getByRole('button', { name: 'Join a fleet' }).last().click();
  await there.page.getByText('Asked to join').waitFor({ timeout: 30_000 });
  await give(at.page, await on(there.page, 'Save the request', 'ward-4.edgebundle'));
  await at.page.getByText('ward-4 asks to join at site north.').waitFor();
  await give(there.page, answer); // made before it was let in
  await there.page.getByText(/^the hub has not let this server in yet/).waitFor();
  await inspect(there.page, there.faults.splice(0).filter((f) => !f.includes('403')), 'j18-not-admitted');
  assert.deepEqual([...faults, ...at.faults, ...there.faults], []);
});
