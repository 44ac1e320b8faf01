// J2 and J4: the demonstration. Every page in light, dark and at 320 px; then what its drift led to.
import assert from 'node:assert/strict';
import test from 'node:test';
import { launch, looks, open, settled } from './browser.mjs';
import { inhabited } from './server.mjs';
import { inspect, signIn, tabs, until } from './walk.mjs';

test('the demonstration in all looks', async (t) => {
  const server = await inhabited({ demo: true });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await server.stop();
  });
  await until('a first forecast', 90_000, async () => (await server.api('GET', '/endpoints/er-attendance/forecast').catch(() => undefined))?.groups?.some((g) => g.recent?.length > 20));

  await t.test('sign-in lands on the forecast, in plain words, while days are replayed', async () => {
    const { page, faults, context } = await open(browser);
    await page.goto(`${server.url}/`);
    await page.getByRole('heading', { name: 'Sign in to edgeward' }).waitFor();
    faults.length = 0;
    await inspect(page, faults, 'j2-login');
    await signIn(page, server);
    faults.length = 0;
    await page.getByRole('heading', { name: 'Forecast', level: 1 }).waitFor();
    await page.getByText(/8 of 10 such days lie between/).first().waitFor();
    await page.getByText('Hospital de Puerto Montt').first().waitFor();
    await page.getByText(/Replay of real days/).waitFor();
    await inspect(page, faults, 'j2-forecast-playing');
    await page.getByRole('button', { name: 'Show as table' }).first().click();
    await page.getByRole('columnheader', { name: 'what happened' }).first().waitFor();
    await page.getByRole('button', { name: 'This looks wrong' }).first().click();
    await page.getByLabel('What looks wrong?').fill('There was a strike that day.');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Thank you, it is recorded.').waitFor();
    await context.close();
  });

  await until('the end of the demonstration', 240_000, async () => {
    const d = await server.api('GET', '/demo');
    assert.ok(!d.error, d.error);
    return !d.running && d.report;
  });
  const items = async (p) => (await server.api('GET', p)).items ?? [];
  const [jobs, predictions, candidates] = [await items('/jobs'), await items('/endpoints/er-attendance/predictions?limit=1'), await items('/candidates')];
  const pages = ['/forecast', '/', '/data', `/data/${(await items('/datasets'))[0].name}`, '/models', '/models/er-attendance', '/models/er-attendance/versions/1', '/endpoints', '/endpoints/er-attendance', '/endpoints/digits', `/predictions/${predictions[0].id}`, '/drift', '/drift/er-attendance', '/candidates', '/jobs', `/jobs/${jobs[0].id}`, '/audit', '/access', '/settings', '/nowhere'];

  for (const [look, options] of Object.entries(looks)) {
    await t.test(`every page, ${look}`, async () => {
      const { page, faults, context } = await open(browser, options);
      await signIn(page, server);
      faults.length = 0; // the 401 before sign-in
      const found = [];
      for (const p of pages) {
        await page.goto(server.url + p);
        await inspect(page, faults, `j2${p.replace(/\/(01[0-9A-Z]{10,})$/, '/one').replaceAll('/', '-').replace(/-$/, '-overview')}-${look}`, look === 'dark' ? ['color-contrast'] : undefined).catch((e) => found.push(...(e.actual ?? [e.message]).map((f) => `${p}: ${f}`)));
      }
      await context.close();
      assert.deepEqual(found, []);
    });
  }

  await t.test('J4: the alert, the loop and each verdict are told in words', async () => {
    const { page, context } = await open(browser);
    await signIn(page, server);
    assert.ok(candidates.length > 0, 'the demonstration has candidates');
    await page.goto(`${server.url}/candidates`);
    await page.getByText(/better beyond doubt/).first().waitFor();
    assert.equal(await page.locator('svg[aria-label*="with 95 % confidence"]').count(), candidates.filter((c) => c.days > 0).length, 'one interval for each verdict');
    await page.goto(`${server.url}/drift/er-attendance`);
    await page.getByText('Its errors have grown beyond chance').first().waitFor();
    await page.getByRole('heading', { name: 'Reports sent over MQTT' }).waitFor();
    await tabs(page);
    await page.goto(`${server.url}/audit`);
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByText(/The log is as it was written/).waitFor();
    // Draw a digit and ask.
    await page.goto(`${server.url}/endpoints/digits`);
    await page.getByRole('tab', { name: 'Try it' }).click();
    const box = await page.locator('canvas.pixels').boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 20, { steps: 12 });
    await page.mouse.up();
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.getByRole('heading', { name: 'Answer' }).waitFor();
    await context.close();
  });

  await t.test('one button takes the demonstration away', async () => {
    const { page, context } = await open(browser);
    await signIn(page, server);
    await page.getByRole('button', { name: 'Remove the demo' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove the demo' }).click();
    await until('nothing of the demo', 60_000, async () => !(await server.api('GET', '/demo')).present);
    await page.goto(`${server.url}/`);
    await settled(page);
    await page.getByText('Bring your own file').waitFor({ timeout: 20_000 });
    assert.equal(await page.getByText('Demo', { exact: true }).count(), 0);
    await context.close();
  });
});
