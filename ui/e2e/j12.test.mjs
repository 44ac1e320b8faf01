// J12: the demonstration of the beds in the browser: what it answers, how right it was, and that all of it says it is synthetic.
import assert from 'node:assert/strict';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { inspect, signIn, until } from './walk.mjs';

test('the demonstration of the beds', async (t) => {
  const server = await inhabited({ demo: 'beds' });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await server.stop();
  });
  await until('the end of the demonstration', 240_000, async () => {
    const d = await server.api('GET', '/demo');
    assert.ok(!d.error, d.error);
    return !d.running && d.report;
  });
  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  await page.getByRole('heading', { name: 'Beds tomorrow (simulated ward)', level: 1 }).waitFor(); // a visit begins where the demonstration is
  const right = page.getByRole('region', { name: 'How right it was' });
  await right.getByRole('row').nth(2).waitFor(); // both versions of the graph
  await page.getByText(/Synthetic patients/).first().waitFor();
  const prediction = (await server.api('GET', '/endpoints/beds-tomorrow/predictions?limit=1')).items[0];
  const storage = await context.storageState();
  for (const [name, look, language] of [['light', looks.light, 'en'], ['dark', looks.dark, 'de'], ['narrow', looks.narrow, 'de']])
    await t.test(`its pages, ${name}, ${language}`, async () => {
      const seen = await open(browser, look, storage);
      await seen.page.addInitScript((l) => localStorage.setItem('edgeward-language', l), language);
      const found = [];
      for (const p of ['/', '/forecast', '/models/beds-tomorrow', '/models/beds-tomorrow/versions/2', '/endpoints', '/endpoints/beds-tomorrow', `/predictions/${prediction.id}`, '/drift', '/data/ward-vitals-synthetic']) {
        await seen.page.goto(server.url + p);
        await inspect(seen.page, seen.faults, `j12${p.replace(prediction.id, 'one').replaceAll('/', '-').replace(/-$/, '-overview')}-${name}`, name === 'dark' ? ['color-contrast'] : undefined).catch((e) => found.push(...(e.actual ?? [e.message]).map((f) => `${p}: ${f}`)));
      }
      await seen.context.close();
      assert.deepEqual(found, []);
    });
  assert.deepEqual(faults, []);
});
