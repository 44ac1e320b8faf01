// J14: a server becomes a hub, another joins it by a code, and a signed version is rolled out, paused and taken back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { freePort, inhabited } from './server.mjs';
import { field, inspect, signIn } from './walk.mjs';

const onnx = path.join(import.meta.dirname, '../../node/demo/data/digits/digits-cnn.onnx');

test('a fleet of two servers, by the page', async (t) => {
  const keys = fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-keys-'));
  const hub = await inhabited({ set: [`fleet.address=127.0.0.1:${await freePort()}`, 'node.name=hub'] });
  const node = await inhabited({ set: ['fleet.address=off', 'node.name=ward'] });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await node.stop();
    await hub.stop();
    fs.rmSync(keys, { recursive: true, force: true });
  });
  const at = await open(browser);
  const there = await open(browser);
  await signIn(at.page, hub);
  await signIn(there.page, node);
  at.faults.length = there.faults.length = 0; // the 401 before sign-in

  await there.page.goto(`${node.url}/fleet`);
  await there.page.getByRole('heading', { name: 'This server is the hub of no fleet' }).waitFor();
  await inspect(there.page, there.faults, 'j14-none');

  await hub.run('fleet', 'init', 'hospital', '--keys', path.join(keys, 'k'));
  await at.page.goto(`${hub.url}/fleet`);
  await at.page.getByRole('heading', { name: 'Hub of hospital' }).waitFor();
  await at.page.getByText('needs the signatures of two persons').waitFor();
  await at.page.getByRole('button', { name: 'Add a server' }).click();
  await field(at.page, 'Site').fill('north');
  await at.page.getByLabel('Let them in without asking me').check();
  await inspect(at.page, at.faults, 'j14-code');
  await at.page.getByRole('button', { name: 'Make a code' }).click();
  const code = (await at.page.getByText(/^ew1-/).textContent()).trim();

  await there.page.getByRole('button', { name: 'Join a fleet' }).click();
  await field(there.page, 'Join code').fill(code);
  await there.page.getByRole('button', { name: 'Join a fleet' }).last().click();
  await there.page.getByText('Belongs to hospital, site north.').waitFor();
  await inspect(there.page, there.faults, 'j14-member');
  await at.page.getByRole('cell', { name: /^ward/ }).waitFor();

  await hub.run('model', 'import', onnx, 'digits', '--task', 'image');
  for (const person of ['author', 'approver']) await hub.run('fleet', 'sign', 'digits/1', '--key', path.join(keys, 'k', `${person}.key`), '--yes');
  await at.page.reload();
  await at.page.getByRole('button', { name: 'Roll a version out' }).click();
  await at.page.getByRole('combobox', { name: 'Signed version' }).click();
  await at.page.getByRole('option', { name: 'digits/1' }).click();
  await at.page.getByLabel(/^Reason/).fill('the first of the fleet');
  await at.page.getByLabel('Minutes that each wave is watched').fill('0.5');
  await at.page.getByText(/rollout start digits\/1 --endpoint digits --soak 30s/).waitFor();
  await inspect(at.page, at.faults, 'j14-start');
  await at.page.getByRole('button', { name: 'Start', exact: true }).click();
  await at.page.getByText('running', { exact: true }).waitFor();
  assert.deepEqual((await hub.api('GET', '/fleet/rollouts')).items[0].plan.waves.map((w) => w.soak_ns), [30e9, 30e9, 30e9, 30e9]);
  for (const [word, state] of [['Pause', 'paused'], ['Resume', 'running'], ['Abort', 'aborted']]) {
    await at.page.getByRole('button', { name: word, exact: true }).click();
    const dialog = at.page.getByRole('dialog');
    await dialog.getByLabel(/^Reason/).fill(`we ${word.toLowerCase()}`);
    await dialog.getByRole('button', { name: word, exact: true }).click();
    await at.page.getByText(state, { exact: true }).first().waitFor();
  }
  await inspect(at.page, at.faults, 'j14-aborted');

  // The node's page: its machine, and its log by request.
  await at.page.getByRole('link', { name: 'ward', exact: true }).first().click();
  await at.page.getByRole('heading', { name: 'ward', level: 1 }).waitFor();
  await at.page.getByText('Processor', { exact: true }).waitFor();
  await at.page.getByRole('button', { name: 'Log', exact: true }).click();
  await at.page.getByRole('dialog').getByLabel(/^Reason/).fill('ticket 4711');
  await at.page.getByRole('dialog').getByRole('button', { name: 'Ask', exact: true }).click();
  await at.page.getByText('here', { exact: true }).nth(1).waitFor();
  await at.page.getByRole('link', { name: 'Save' }).waitFor();
  await inspect(at.page, at.faults, 'j14-node');

  await at.page.goto(`${hub.url}/fleet/models/main/digits`);
  await at.page.getByRole('heading', { name: 'digits on all nodes' }).waitFor();
  await inspect(at.page, at.faults, 'j14-monitor');
  await at.page.goto(`${hub.url}/fleet`);
  await at.page.getByRole('heading', { name: 'Hub of hospital' }).waitFor();
  await at.page.emulateMedia({ colorScheme: 'dark' });
  await inspect(at.page, at.faults, 'j14-dark');
  await at.page.emulateMedia({ colorScheme: 'light' });
  await at.page.setViewportSize(looks.narrow.viewport);
  await inspect(at.page, at.faults, 'j14-narrow');
  assert.deepEqual([...at.faults, ...there.faults], []);
});
