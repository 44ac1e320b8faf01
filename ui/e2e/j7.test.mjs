// J7: one endpoint as its operator sees it: a shadow that is compared, a canary whose share moves, limits, the programs
// that ask it, and the way back. Clients ask all the while.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { field, inspect, signIn, until } from './walk.mjs';

const onnx = path.join(import.meta.dirname, '../../runtime/engine/enginetest/testdata/affine.onnx');

test('an endpoint is run from its page', async (t) => {
  const server = await inhabited();
  const browser = await launch();
  let asking = true;
  t.after(async () => {
    asking = false;
    await browser.close();
    await server.stop();
  });
  for (const use of ['first', 'second', 'third']) await server.run('model', 'import', onnx, 'valve-leak', '--intended-use', use);
  await server.run('endpoint', 'create', 'valve-leak', '--model', 'valve-leak', '--title', 'Leaks of valves');
  await server.run('deploy', 'promote', 'valve-leak', '1', '--reason', 'the first one');
  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  await page.goto(`${server.url}/endpoints/valve-leak`);
  await page.getByRole('heading', { name: 'Leaks of valves', level: 1 }).waitFor();
  await page.getByText('No request since the server started.').waitFor();
  await page.getByText('No run yet.').waitFor();
  await inspect(page, faults, 'j7-idle');

  const clients = (async () => {
    for (let i = 0; asking; i++) {
      await server.api('POST', '/endpoints/valve-leak/predict', { rows: Array.from({ length: 5 }, (_, k) => ({ x: [i % 7, k] })) }).catch((e) => asking && assert.fail(e));
      await new Promise((ok) => setTimeout(ok, 40));
    }
  })();

  const dialog = page.getByRole('dialog');
  const because = async (reason) => {
    await dialog.getByLabel('Reason').fill(reason);
    await dialog.getByRole('button', { name: 'Confirm' }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  const spec = async () => (await server.api('GET', '/endpoints/valve-leak')).spec;

  await t.test('the rate and the quantiles of the last minute are live', async () => {
    const now = page.getByRole('region', { name: 'Now', exact: true });
    await until('a rate', 20_000, async () => /[1-9][\d.]*\s*requests a second/.test((await now.innerText()).replaceAll('\n', ' ')));
    await until('a p95', 20_000, async () => /[\d.]+ ms\s*p95/.test((await now.innerText()).replaceAll('\n', ' ')));
    await page.getByRole('heading', { name: 'Batches and queue' }).waitFor();
  });

  await t.test('a shadow is compared with what clients got', async () => {
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Shadow' }).click();
    await dialog.getByRole('combobox', { name: /^Version/ }).click();
    await page.getByRole('option', { name: 'v2', exact: true }).or(page.getByRole('option', { name: /2$/ })).first().click();
    await inspect(page, faults, 'j7-shadow');
    await because('Is it the same?');
    const compared = page.getByRole('region', { name: 'Shadow comparison' });
    await compared.getByRole('row').nth(1).waitFor({ timeout: 20_000 });
    await until('equal answers', 20_000, async () => /\b0\s?%/.test(await compared.getByRole('row').nth(1).innerText()));
    await inspect(page, faults, 'j7-compared');
  });

  await t.test('the shadow becomes a canary, whose share moves in place', async () => {
    await page.getByRole('button', { name: 'Change version 2' }).click();
    await page.getByRole('menuitem', { name: 'Canary' }).click();
    await because('It is.');
    const share = page.getByLabel('Share of version 2');
    await share.waitFor();
    await share.fill('25');
    await page.getByRole('button', { name: 'Save the shares' }).click();
    await inspect(page, faults, 'j7-weights');
    await because('No errors at ten percent.');
    await until('the share in the spec', 10_000, async () => (await spec()).targets.find((x) => x.version === 2)?.weight === 2500);
    await page.getByRole('img', { name: /75%.*25%/ }).waitFor();
  });

  await t.test('a variant gets its name, limits their numbers', async () => {
    await page.getByRole('button', { name: 'Change version 2' }).click();
    await page.getByRole('menuitem', { name: 'Variant' }).click();
    await field(page, 'Name').fill('sharper');
    await because('B of the test.');
    await until('the variant', 10_000, async () => (await spec()).variants?.[0]?.name === 'sharper');
    await page.getByRole('region', { name: 'Limits and policies' }).getByRole('button', { name: 'Change' }).click();
    await dialog.getByLabel('All callers together').fill('5000');
    await dialog.getByLabel('Rows of several requests in one run').fill('8');
    await dialog.getByText('Cache, memory, shadow and words').click();
    await dialog.getByLabel('Answers kept for equal requests').fill('100');
    await dialog.getByLabel('Minutes until the memory is freed').fill('15');
    await dialog.getByLabel('callers wait').check();
    await dialog.getByText('edgeward endpoint set valve-leak --rate 5000 --max-batch 8 --cache 100 --shadow-wait --idle-unload 900s').waitFor();
    await inspect(page, faults, 'j7-limits');
    await because('More than that is a mistake.');
    await page.getByText('5,000 requests a second').waitFor();
    await page.getByText('at most 8', { exact: true }).waitFor();
    const x = (await server.api('GET', '/endpoints/valve-leak')).endpoint;
    assert.deepEqual([x.max_batch, x.cache, x.idle_unload_s, x.shadow_wait], [8, 100, 900, true]);
  });

  await t.test('one tries it, and takes the program along', async () => {
    await page.getByRole('tab', { name: 'Try it' }).click();
    await page.getByLabel('x', { exact: true }).fill('[3, 1]');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.getByRole('heading', { name: 'Answer' }).waitFor();
    await page.getByText('5.5', { exact: true }).waitFor();
    await page.getByRole('tab', { name: 'Use it' }).click();
    await page.getByRole('tab', { name: 'python', exact: true }).click();
    await page.getByText('urllib.request.urlopen').waitFor();
    await inspect(page, faults, 'j7-programs');
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('tabpanel', { name: 'python' }).getByRole('button', { name: 'Copy' }).click();
    const taken = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(taken, new RegExp(`${server.url}/api/v1/endpoints/valve-leak/predict`));
    await page.getByRole('tab', { name: 'State' }).click();
  });

  await t.test('promote and roll back take one click and a reason each', async () => {
    await page.getByRole('button', { name: 'Change version 2' }).click();
    await page.getByRole('menuitem', { name: 'Promote' }).click();
    await because('It serves well.');
    await until('version 2', 20_000, async () => (await server.api('GET', '/endpoints/valve-leak')).status.live === 2);
    await page.getByRole('button', { name: 'Roll back' }).click();
    await because('It does not.');
    await until('version 1 again', 20_000, async () => (await server.api('GET', '/endpoints/valve-leak')).status.live === 1);
    await until('only version 1', 10_000, async () => (await spec()).targets.length === 1 && !(await spec()).variants);
  });

  for (const [look, options] of Object.entries(looks))
    await t.test(`the page, ${look}`, async () => {
      const seen = await open(browser, options);
      await signIn(seen.page, server);
      seen.faults.length = 0;
      await server.run('deploy', 'canary', 'valve-leak', '3', '--share', '0.1', '--reason', 'for the picture');
      await server.run('deploy', 'shadow', 'valve-leak', '2', '--reason', 'for the picture');
      await seen.page.goto(`${server.url}/endpoints/valve-leak`);
      await seen.page.getByRole('heading', { name: 'Shadow comparison' }).waitFor();
      await inspect(seen.page, seen.faults, `j7-endpoint-${look}`);
      await seen.context.close();
    });
  assert.ok(await server.api('GET', '/endpoints/valve-leak').then((e) => e.metrics.versions.every((c) => c.errors === 0)), 'no request failed because of a change');
  asking = false;
  await clients;
  await context.close();
});
