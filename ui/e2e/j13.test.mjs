// J13: a model that takes pictures: declared where it is imported, shown on its version, asked with a file.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { drop, field, fileOf, inspect, signIn } from './walk.mjs';

const onnx = path.join(import.meta.dirname, '../../runtime/engine/enginetest/testdata/scene.onnx');
// A red dot of 1 by 1.
const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==', 'base64');

test('a picture is declared, sent and answered', async (t) => {
  const server = await inhabited();
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await server.stop();
  });
  const { page, faults } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  await page.goto(`${server.url}/models`);
  await drop(page, onnx);
  await field(page, 'Name of the model').fill('scene');
  await page.getByLabel('It takes pictures (JPEG, PNG)').check();
  await page.getByText('--image scale=1/255').waitFor();
  await inspect(page, faults, 'j13-import');
  await page.setViewportSize(looks.narrow.viewport);
  await inspect(page, faults, 'j13-import-narrow');
  await page.setViewportSize(looks.light.viewport);
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.waitForURL('**/models/scene/versions/1');
  await page.getByRole('heading', { name: 'Pictures', level: 2 }).waitFor();
  await page.getByText('To the input\'s size, 16 × 16, bilinear').waitFor();
  await inspect(page, faults, 'j13-version');

  await server.run('endpoint', 'create', 'scene', '--model', 'scene');
  await server.run('deploy', 'promote', 'scene', '1', '--reason', 'the first version');
  await page.goto(`${server.url}/endpoints/scene`);
  await page.getByRole('tab', { name: 'Try it' }).click();
  await page.getByText('The server prepares it: upright by EXIF, rgb').waitFor();
  await drop(page, fileOf('dot.png', png));
  await page.getByRole('img', { name: 'The picture dot.png' }).waitFor();
  await inspect(page, faults, 'j13-photo');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByRole('heading', { name: 'Answer' }).waitFor();
  await inspect(page, faults, 'j13-answer');
  await page.setViewportSize(looks.narrow.viewport);
  await inspect(page, faults, 'j13-answer-narrow');

  await drop(page, fileOf('note.png', 'no picture'));
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('neither a JPEG nor a PNG').waitFor();
  assert.ok(faults.splice(0).every((f) => f.includes('422'))); // that was asked for
  await inspect(page, faults, 'j13-refused');
  assert.deepEqual(faults, []);
});
