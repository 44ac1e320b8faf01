// J10: an inference graph as its maker sees it: the drawing, the same in words, and what each node took of an answer.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { inspect, signIn } from './walk.mjs';

const onnx = path.join(import.meta.dirname, '../../runtime/engine/enginetest/testdata/affine.onnx');
const graph = {
  intended_use: 'Which valves a person looks at.',
  inputs: [{ name: 'valve', datatype: 'FP32', shape: [-1, 2] }],
  nodes: [
    { name: 'in-bar', step: 'scale', with: { divisor: [100, 1] }, inputs: { x: 'valve' } },
    { name: 'check', model: 'valve-check/1', inputs: { x: 'in-bar.y' } },
    { name: 'raw-check', model: 'valve-check', inputs: { x: 'valve' } },
    { name: 'both', step: 'vote', inputs: { a: 'check.y', b: 'raw-check.y' } },
    { name: 'sure', step: 'threshold', with: { at: [2] }, inputs: { x: 'both.y' } },
    { name: 'verdict', step: 'labels', with: { labels: ['sound', 'look at it'] }, inputs: { x: 'sure.y' } },
  ],
  outputs: [{ name: 'verdict', from: 'verdict.y' }, { name: 'score', from: 'both.y' }],
};

test('a graph is drawn, told in words and traced', async (t) => {
  const server = await inhabited();
  const browser = await launch();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'j10-'));
  t.after(async () => {
    await browser.close();
    await server.stop();
    fs.rmSync(dir, { recursive: true });
  });
  const file = path.join(dir, 'valves.json');
  fs.writeFileSync(file, JSON.stringify(graph));
  await server.run('model', 'import', onnx, 'valve-check');
  await server.run('model', 'graph', 'apply', file, 'valves');
  await server.run('endpoint', 'create', 'valves', '--model', 'valves');
  await server.run('deploy', 'promote', 'valves', '1', '--reason', 'the first graph');

  const { page, faults } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  await page.goto(`${server.url}/models/valves/versions/1`);
  await page.getByRole('img', { name: 'Drawing of 6 nodes' }).waitFor();
  await page.getByText('In words').click();
  await page.getByText('a ← check.y, b ← raw-check.y').waitFor();
  await inspect(page, faults, 'j10-graph');
  await page.setViewportSize(looks.narrow.viewport);
  await inspect(page, faults, 'j10-graph-narrow');
  await page.setViewportSize(looks.light.viewport);

  await page.goto(`${server.url}/endpoints/valves`);
  await page.getByRole('tab', { name: 'Try it' }).click();
  await page.getByLabel('valve', { exact: true }).fill('[[100, 1]]');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('look at it', { exact: true }).waitFor();
  await page.getByText('What each node took').click();
  await page.getByRole('rowheader', { name: 'verdict' }).waitFor();
  await inspect(page, faults, 'j10-trace');
  assert.deepEqual(faults, []);
});
