// J8: rows that are scored without a caller, as an operator sees them: run, result, where it went, and a pause.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { inspect, signIn } from './walk.mjs';

const onnx = path.join(import.meta.dirname, '../../runtime/engine/enginetest/testdata/affine.onnx');

test('a scoring is run from its page', async (t) => {
  const server = await inhabited();
  const browser = await launch();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'j8-'));
  t.after(async () => {
    await browser.close();
    await server.stop();
    fs.rmSync(dir, { recursive: true });
  });
  const file = path.join(dir, 'valves.csv');
  fs.writeFileSync(file, 'valve,x_0,x_1\n' + Array.from({ length: 50 }, (_, i) => `v${i},${i},1\n`).join(''));
  await server.run('data', 'import', file, 'valves');
  await server.run('model', 'import', onnx, 'valve-check');
  await server.run('endpoint', 'create', 'valve-check', '--model', 'valve-check');
  await server.run('deploy', 'promote', 'valve-check', '1', '--reason', 'the first one');
  await server.run('score', 'create', 'valves-nightly', '--endpoint', 'valve-check', '--data', 'valves', '--schedule', 'daily 06:30', '--to', 'data_set:valves-scored', '--to', 'mqtt');

  const { page, faults } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  await page.goto(`${server.url}/scoring`);
  await page.getByRole('link', { name: 'valves-nightly' }).waitFor();
  await inspect(page, faults, 'j8-scorings');
  await page.getByRole('link', { name: 'valves-nightly' }).click();
  await page.getByRole('heading', { name: 'valves-nightly', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Run now' }).click();
  const runs = page.getByRole('region', { name: 'Runs' });
  await runs.getByText('done').or(runs.getByRole('link', { name: 'Download' })).first().waitFor({ timeout: 30_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), runs.getByRole('link', { name: 'Download' }).click()]);
  const lines = fs.readFileSync(await download.path(), 'utf8').trim().split('\n');
  assert.equal(lines.length, 51);
  assert.match(lines[0], /^valve,x_0,x_1,y,prediction_id,/);
  const sent = page.getByRole('region', { name: 'Deliveries' });
  await sent.getByText('delivered', { exact: true }).nth(1).waitFor({ timeout: 30_000 });
  await inspect(page, faults, 'j8-scoring');
  await page.setViewportSize(looks.narrow.viewport);
  await inspect(page, faults, 'j8-scoring-narrow');
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  assert.equal((await server.api('GET', '/scorings/valves-nightly')).paused, true);
  assert.deepEqual(faults, []);
});
