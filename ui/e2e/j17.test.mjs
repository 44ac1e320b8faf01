// J17: a binary of edgeward is rolled out, and a bad one that the node takes back; a node promotes a version of its own, and the hub adopts it or has it return.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { freePort, inhabited } from './server.mjs';
import { inspect, signIn, tabs, until } from './walk.mjs';

const binary = process.env.EDGEWARD_BIN ?? path.join(import.meta.dirname, '../../bin/edgeward');

/** A program that says all that one must say before its trial, and then does not serve. */
function badBinary(dir, endpoint) {
  const { formats } = JSON.parse(execFileSync(binary, ['version', '--json']));
  const source = path.join(dir, 'bad.go');
  fs.writeFileSync(source, `package main
import ("fmt"; "os")
func main() {
	switch os.Args[1] {
	case "version": fmt.Print(${JSON.stringify(JSON.stringify({ version: '99.0.1', formats }))})
	case "self-test": fmt.Print(${JSON.stringify(JSON.stringify({ version: '99.0.1', golden: true, endpoints: [{ endpoint, state: 'ready' }] }))})
	default: os.Exit(1)
	}
}`);
  const out = path.join(dir, 'edgeward-bad');
  execFileSync('go', ['build', '-o', out, source], { cwd: dir });
  return out;
}

test('binaries by the page, and what a node promotes by itself', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-j17-'));
  const hub = await inhabited({ set: [`fleet.address=127.0.0.1:${await freePort()}`, 'node.name=hub'] });
  const node = await inhabited({ supervised: true, set: ['fleet.address=off', 'node.name=ward-3'] });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await node.stop();
    await hub.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  });
  await hub.run('fleet', 'init', 'hospital', '--keys', path.join(dir, 'k'));
  const keys = ['author', 'approver'].flatMap((person) => ['--key', path.join(dir, 'k', `${person}.key`)]);
  await node.run('join', (await hub.run('fleet', 'code', 'create', '--site', 'north', '--auto')).trim());
  const ward = await until('the node', 30_000, async () => (await hub.api('GET', '/fleet/nodes')).items?.[0]);

  const at = await open(browser);
  await signIn(at.page, hub);
  at.faults.length = 0; // the 401 before sign-in
  const { page } = at;
  const look = async (name) => {
    await inspect(page, at.faults, `j17-${name}`);
    await page.emulateMedia({ colorScheme: 'dark' });
    await inspect(page, at.faults, `j17-${name}-dark`);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(looks.narrow.viewport);
    await inspect(page, at.faults, `j17-${name}-narrow`);
    await page.setViewportSize(looks.light.viewport);
  };

  // A model is on the node first, so that the binaries have something to answer for.
  const train = async (server, seed) => {
    const csv = path.join(dir, `roasts-${seed}.csv`);
    const origins = ['Huila', 'Sidamo', 'Cerrado'];
    const rows = Array.from({ length: 400 }, (_, i) => {
      const [temp, min, o] = [190 + ((i * 37 + seed * 11) % 400) / 10, 8 + ((i * 53) % 80) / 10, i % 3];
      return `${temp},${min},${origins[o]},${(80 + 4 * o - Math.abs(temp - 212) / 6 - Math.abs(min - 12) / 2 + ((i * 29 + seed) % 17) / 20).toFixed(2)}`;
    });
    fs.writeFileSync(csv, `roast_c,minutes,origin,cupping\n${rows.join('\n')}\n`);
    await server.run('data', 'import', csv, 'roasts');
    const { recipe } = await server.api('POST', '/datasets/roasts/versions/1/recipe', { kind: 'table', target: 'cupping' });
    const job = await server.api('POST', '/models/roast-score/train', { data_set: 'roasts', recipe });
    await until('the training', 120_000, async () => {
      const j = await server.api('GET', `/jobs/${job.id}`);
      assert.ok(!['failed', 'lost'].includes(j.state), JSON.stringify(j));
      return j.state === 'succeeded';
    });
  };
  const standing = async () => (await node.api('GET', '/fleet/membership')).endpoints?.find((s) => s.name === 'score') ?? {};
  await train(hub, 1);
  await hub.run('fleet', 'sign', 'roast-score/1', ...keys, '--yes');
  await hub.run('fleet', 'rollout', 'start', 'roast-score/1', '--endpoint', 'score', '--reason', 'the first', '--soak', '1s', '--probation', '2s');
  await until('the version on the node', 120_000, async () => (await standing()).phase === 'committed');

  // A good binary: the same program with a byte behind it.
  const next = path.join(dir, 'edgeward-next');
  fs.copyFileSync(binary, next);
  fs.appendFileSync(next, '\n');
  await hub.run('fleet', 'binary', 'sign', next, ...keys, '--yes');
  await page.goto(`${hub.url}/fleet`);
  await page.getByRole('button', { name: 'Roll a version out' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'Signed version' }).click();
  await page.getByRole('option', { name: /^edgeward / }).click();
  await dialog.getByText('First one node, then a tenth').waitFor();
  await dialog.getByLabel(/^Reason/).fill('the fix of the batch queue');
  await look('start');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  const good = (await hub.api('GET', '/fleet/binaries')).items[0].digest;
  await hub.run('fleet', 'rollout', 'start', '--binary', good, '--reason', 'the fix of the batch queue', '--soak', '1s'); // the page's waves are watched for minutes
  await page.reload();
  const rollouts = page.getByRole('region', { name: 'Rollouts' });
  await rollouts.getByText(/^edgeward linux-/).first().waitFor();
  await until('the binary on the node', 120_000, async () => (await hub.api('GET', '/fleet/rollouts')).items.find((r) => r.endpoint.group === '~')?.state === 'succeeded');
  await rollouts.getByText('succeeded', { exact: true }).first().waitFor();
  await page.getByRole('region', { name: 'Versions' }).waitFor();
  await tabs(page, 12);
  await look('binary');

  // A bad one goes back by itself and ends the rollout.
  const group = (await node.api('GET', '/me')).group_id;
  await hub.run('fleet', 'binary', 'sign', badBinary(dir, `${group}/score`), ...keys, '--yes');
  const digest = (await hub.api('GET', '/fleet/binaries')).items.find((b) => b.version === '99.0.1').digest;
  await hub.run('fleet', 'rollout', 'start', '--binary', digest, '--reason', 'a bad one', '--soak', '1s');
  await page.reload();
  await rollouts.getByRole('alert').filter({ hasText: 'went back' }).waitFor({ timeout: 120_000 });
  await look('bad');
  await page.goto(`${hub.url}/fleet/nodes/${ward.id}`);
  await page.getByRole('heading', { name: 'ward-3', level: 1 }).waitFor();
  await page.getByText(/^edgeward linux-/).waitFor();
  await look('node');

  // The node's own version, on the node's page of the endpoint.
  const there = await open(browser);
  await signIn(there.page, node);
  there.faults.length = 0;
  await there.page.goto(`${node.url}/endpoints/score`);
  await there.page.getByRole('heading', { name: 'The fleet hospital decides here' }).waitFor();
  await there.page.getByText('Another version comes by a rollout of the hub.').waitFor();
  await inspect(there.page, there.faults, 'j17-managed');
  const policy = path.join(dir, 'policy.yaml');
  fs.writeFileSync(policy, 'kind: autonomy\nautonomy: local-promote\nalways: true\n');
  await hub.run('apply', '-f', policy, '--reason', 'a test', '--yes');
  await train(node, 7);
  const own = Math.max(...(await node.api('GET', '/models/roast-score')).versions.map((v) => v.number));
  const promote = async (reason) => {
    await there.page.getByRole('button', { name: 'Promote a version of this server' }).click();
    const ask = there.page.getByRole('dialog');
    await ask.getByRole('combobox', { name: 'Version' }).click();
    await there.page.getByRole('option', { name: new RegExp(`${own}$`) }).click();
    await ask.getByLabel(/^Reason/).fill(reason);
    await inspect(there.page, there.faults, 'j17-promote');
    await ask.getByRole('button', { name: 'Confirm' }).click();
    await there.page.getByText(`Version ${own} of this server answers`).waitFor({ timeout: 120_000 });
  };
  await there.page.getByText('may promote a version that was trained here').waitFor({ timeout: 90_000 });
  await promote('drift since monday');
  await until('its own version answers', 120_000, async () => { const s = await standing(); return s.local === 1 && s.phase === 'committed'; });
  await inspect(there.page, there.faults, 'j17-own');
  await there.page.emulateMedia({ colorScheme: 'dark' });
  await inspect(there.page, there.faults, 'j17-own-dark');
  await there.page.setViewportSize(looks.narrow.viewport);
  await inspect(there.page, there.faults, 'j17-own-narrow');

  // At the hub: shown as a difference, then adopted.
  const locals = page.getByRole('region', { name: 'Promoted by the node itself' });
  await locals.getByRole('button', { name: 'Adopt' }).waitFor({ timeout: 60_000 });
  await look('local');
  await locals.getByRole('button', { name: 'Adopt' }).click();
  await page.getByRole('dialog').getByLabel(/^Reason/).fill('better everywhere');
  await inspect(page, at.faults, 'j17-adopt');
  await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
  await locals.getByText(/^here as version/).waitFor({ timeout: 60_000 });
  await inspect(page, at.faults, 'j17-adopted');
  await locals.getByRole('button', { name: "Return to the hub's version" }).click();
  await page.getByRole('dialog').getByLabel(/^Reason/).fill('one site, one opinion');
  await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
  await locals.getByText('ended', { exact: true }).waitFor({ timeout: 60_000 });
  await inspect(page, at.faults, 'j17-returned');
  await there.page.getByText('What answers is what the hub wants.').waitFor({ timeout: 60_000 });
  assert.deepEqual([...at.faults, ...there.faults], []);
});
