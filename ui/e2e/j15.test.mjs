// J15: an engine from a runtime pack: none is there, one is refused, added, chosen for an endpoint, in use, given up and removed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { pack } from './pack.mjs';
import { inhabited } from './server.mjs';
import { field, inspect, signIn, until } from './walk.mjs';

const onnx = path.join(import.meta.dirname, '../../runtime/engine/enginetest/testdata/affine.onnx');
const name = 'onnxruntime-again';

test('a runtime pack is added, chosen and removed', async (t) => {
  const server = await inhabited();
  const browser = await launch();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-pack-'));
  t.after(async () => {
    await browser.close();
    await server.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  });
  await server.run('model', 'import', onnx, 'affine');
  await server.run('endpoint', 'create', 'affine', '--model', 'affine');
  await server.run('deploy', 'promote', 'affine', '1', '--reason', 'the first version');
  const file = path.join(dir, 'again.pack');
  const digest = pack(server.data, file);
  const broken = path.join(dir, 'broken.pack');
  fs.writeFileSync(broken, fs.readFileSync(file).subarray(0, 1 << 20));

  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  const dark = await open(browser, looks.dark, await context.storageState());
  const settings = (p = page) => p.goto(`${server.url}/settings`);
  const both = async (shot) => {
    await inspect(page, faults, `j15-${shot}`);
    await settings(dark.page);
    await dark.page.getByText('Models run on the processor.').waitFor();
    await inspect(dark.page, dark.faults, `j15-${shot}-dark`);
  };

  await settings();
  await page.getByText('No runtime pack was added.').waitFor();
  await both('none');

  const add = async (of, trusted) => {
    await page.getByRole('button', { name: 'Add a runtime pack' }).click();
    const dialog = page.getByRole('dialog');
    assert.ok(await dialog.getByRole('button', { name: 'Trust and add' }).isDisabled()); // nothing is trusted yet
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), dialog.getByLabel(/^File/).click()]);
    await chooser.setFiles(of);
    await field(dialog, 'Digest that you trust').fill(trusted);
    await dialog.getByText(`edgeward runtime add ${path.basename(of)} --digest ${trusted}`).waitFor();
    return dialog;
  };
  let dialog = await add(broken, digest);
  await inspect(page, faults, 'j15-add');
  await dialog.getByRole('button', { name: 'Trust and add' }).click();
  await dialog.getByText('this is no runtime pack, or a damaged one').waitFor();
  assert.ok(faults.splice(0).every((f) => /40\d|422/.test(f))); // that was asked for
  await inspect(page, faults, 'j15-refused');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  dialog = await add(file, digest);
  await dialog.getByRole('button', { name: 'Trust and add' }).click();
  await page.getByText(`${name} 1.31.1 was added`).waitFor();
  await page.getByRole('cell', { name: 'not in use' }).waitFor();
  await both('added');
  await page.setViewportSize(looks.narrow.viewport);
  await inspect(page, faults, 'j15-added-narrow');
  await page.setViewportSize(looks.light.viewport);

  // The endpoint's settings name it, and what answers tells that it runs there.
  await page.goto(`${server.url}/endpoints/affine`);
  await page.getByRole('region', { name: 'Limits and policies' }).getByRole('button', { name: 'Change' }).click();
  await page.getByText('Cache, memory, shadow and words').click();
  const wish = page.getByRole('textbox', { name: 'Runs on' }).or(page.getByRole('combobox', { name: 'Runs on' }));
  await wish.fill('again');
  await page.getByRole('option', { name: `cpu@${name}@1.31.1` }).click();
  await page.getByLabel(/^Reason/).fill('the engine that was brought');
  await inspect(page, faults, 'j15-choose');
  await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
  await until('it to run on the pack', 60_000, async () => {
    const all = (await server.api('GET', '/endpoints/affine')).status.versions ?? [];
    return all.some((v) => v.loaded && v.choice?.tried?.some((x) => x.chosen && x.runtime === `${name}@1.31.1`));
  });
  await settings();
  await page.getByRole('group', { name: 'Engines and devices' }).getByRole('cell', { name: /^affine/ }).waitFor();
  await both('in-use');
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('dialog').getByText(/models run on the runtime/).waitFor();
  assert.ok(faults.splice(0).every((f) => f.includes('409'))); // that was asked for
  await inspect(page, faults, 'j15-kept');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

  await server.run('endpoint', 'set', 'affine', '--device', 'cpu', '--reason', 'back again');
  await page.getByRole('cell', { name: 'not in use' }).waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText(`edgeward runtime remove ${name}@1.31.1`).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('No runtime pack was added.').waitFor();
  await both('removed');
  assert.deepEqual([...faults, ...dark.faults], []);
});
