// J11: scorings made in the page alone: a data set now and on a schedule, a file, messages. Then the schedule is edited and
// paused, a run is stopped, and a scoring is taken away. In German, too.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { drop, field, fileOf, inspect, signIn, until } from './walk.mjs';

const onnx = path.join(import.meta.dirname, '../../runtime/engine/enginetest/testdata/affine.onnx'); // y = 2 x0 - x1 + 0.5
const table = (n, head = 'valve,first_0,first_1') => `${head}\n` + Array.from({ length: n }, (_, i) => `v${i},${i},1\n`).join('');

test('scorings are made in the page', async (t) => {
  const server = await inhabited();
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await server.stop();
  });
  await server.run('model', 'import', onnx, 'valve-check');
  await server.run('endpoint', 'create', 'valve-check', '--model', 'valve-check');
  await server.run('deploy', 'promote', 'valve-check', '1', '--reason', 'the first one');
  await server.run('data', 'import', fileOf('valves.csv', table(50, 'valve,x_0,x_1')), 'valves');

  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  const choose = async (label, option) => {
    await page.getByRole('combobox', { name: label }).click();
    await page.getByRole('option', { name: option, exact: true }).click();
  };
  const make = (name) => page.getByRole('button', { name, exact: true });

  await t.test('a list without scorings says what one is and shows the way in', async () => {
    await page.goto(`${server.url}/scoring`);
    await page.getByRole('heading', { name: 'Nothing is scored yet.' }).waitFor();
    await page.getByRole('heading', { name: 'New scoring' }).waitFor();
    assert.equal(await make('Make it and run').getAttribute('aria-disabled'), 'true', 'no scoring without an endpoint');
    await inspect(page, faults, 'j11-empty');
  });

  await t.test('a data set is scored at once, and its result goes two ways', async () => {
    await choose(/^Endpoint/, 'valve-check');
    await choose(/^Data set( \*)?$/, 'valves');
    assert.equal(await field(page, 'Name').inputValue(), 'valve-check-valves');
    await field(page, 'Name').fill('nightly valves');
    assert.equal(await make('Make it and run').getAttribute('aria-disabled'), 'true', 'a bad name');
    await field(page, 'Name').fill('valves-nightly');
    await field(page, 'Next version of a data set').fill('valves');
    await page.getByText('Choose another data set than the one that is read.').waitFor();
    await field(page, 'Next version of a data set').fill('valves-scored');
    await page.getByLabel('MQTT', { exact: true }).check();
    await choose('When', 'every day');
    await page.getByLabel(/^Time( \*)?$/).fill('06:30');
    await page.getByLabel('Run it now, too').check();
    await inspect(page, faults, 'j11-new');
    const twin = await page.getByRole('group', { name: 'Command' }).first().innerText();
    assert.match(twin, /edgeward score create valves-nightly --endpoint valve-check --data valves --to data_set:valves-scored --to mqtt --schedule 'daily 06:30'/);
    await make('Make it and run').click();
    await page.getByRole('heading', { name: 'valves-nightly', level: 1 }).waitFor();
    const runs = page.getByRole('region', { name: 'Runs' });
    const [download] = await Promise.all([page.waitForEvent('download', { timeout: 60_000 }), runs.getByRole('link', { name: 'Download' }).click({ timeout: 60_000 })]);
    assert.equal(fs.readFileSync(await download.path(), 'utf8').trim().split('\n').length, 51);
    const sent = page.getByRole('region', { name: 'Deliveries' });
    await sent.getByText('delivered', { exact: true }).nth(1).waitFor({ timeout: 30_000 });
    await sent.locator('summary').first().click();
    await sent.getByRole('listitem').first().waitFor();
    await inspect(page, faults, 'j11-scored');
    const s = await server.api('GET', '/scorings/valves-nightly');
    assert.equal(s.schedule, 'daily 06:30');
    assert.equal((await server.api('GET', '/datasets/valves-scored')).latest.rows, 50);
  });

  await t.test('its schedule is edited, paused and resumed', async () => {
    await page.getByRole('button', { name: 'Schedule', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('combobox', { name: 'When' }).click();
    await page.getByRole('option', { name: 'every week', exact: true }).click();
    await dialog.getByRole('combobox', { name: 'Day' }).click();
    await page.getByRole('option', { name: 'Tuesday', exact: true }).click();
    await inspect(page, faults, 'j11-schedule');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByText(/^Tuesdays at 06:30/).waitFor();
    assert.equal((await server.api('GET', '/scorings/valves-nightly')).schedule, 'weekly tue 06:30');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    assert.ok(!(await server.api('GET', '/scorings/valves-nightly')).paused);
  });

  await t.test('a file whose columns are called otherwise; rows that fail are told; a long run is stopped', async () => {
    await page.goto(`${server.url}/scoring?endpoint=valve-check`);
    await page.getByRole('heading', { name: 'New scoring' }).waitFor();
    await page.getByText('file', { exact: true }).click();
    await drop(page, fileOf('today.csv', 'valve,pair\n' + Array.from({ length: 20 }, (_, i) => (i === 7 ? `v${i},"[1]"\n` : `v${i},"[${i}, 1]"\n`)).join('')));
    await page.getByText('One field of the endpoint has no column of its name.').waitFor();
    assert.equal(await make('Make it and run').getAttribute('aria-disabled'), 'true', 'no run without the column');
    await choose(/^Column for x/, 'pair');
    await inspect(page, faults, 'j11-file');
    await make('Make it and run').click();
    await page.getByRole('heading', { name: 'valve-check-file', level: 1 }).waitFor();
    const runs = page.getByRole('region', { name: 'Runs' });
    await runs.getByRole('link', { name: 'Download' }).waitFor({ timeout: 60_000 });
    await runs.getByText(/^One row of the last finished run has no answer/).click();
    await runs.getByRole('cell', { name: '7', exact: true }).waitFor();
    await inspect(page, faults, 'j11-failed-row');
    await drop(page, fileOf('much.csv', 'valve,pair\n' + Array.from({ length: 200_000 }, (_, i) => `v${i},"[${i}, 1]"\n`).join('')));
    await page.getByRole('button', { name: 'Stop' }).click({ timeout: 60_000 });
    await runs.getByText('stopped', { exact: true }).or(runs.getByText('cancelled', { exact: true })).first().waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Run now' }).waitFor();
    await inspect(page, faults, 'j11-stopped');
  });

  await t.test('messages are answered on the topic of this node', async () => {
    await page.goto(`${server.url}/scoring?endpoint=valve-check`);
    await page.getByText('MQTT messages', { exact: true }).first().click();
    await inspect(page, faults, 'j11-messages');
    await make('Make it').click();
    await page.getByRole('heading', { name: 'valve-check-mqtt', level: 1 }).waitFor();
    await page.getByText('Messages on this topic are answered as they come.').waitFor();
    await page.goto(`${server.url}/endpoints/valve-check`);
    await page.getByRole('tab', { name: 'Use it' }).click();
    await page.getByRole('tab', { name: 'mqtt', exact: true }).click();
    await inspect(page, faults, 'j11-mqtt');
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('tabpanel', { name: 'mqtt' }).getByRole('button', { name: 'Copy' }).click();
    const program = await page.evaluate(() => navigator.clipboard.readText());
    const said = await new Promise((ok, fail) => execFile('sh', ['-c', program], { timeout: 60_000 }, (e, out, err) => (e ? fail(new Error(`${e}\n${err}\n${program}`)) : ok(out))));
    assert.equal(JSON.parse(said).predictions[0].outputs.y, 0.5);
  });

  await t.test('it is taken away', async () => {
    await page.goto(`${server.url}/scoring/valve-check-mqtt`);
    await page.getByRole('button', { name: 'Remove the scoring' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
    await page.getByRole('heading', { name: 'Scoring', level: 1 }).waitFor();
    await until('two left', 10_000, async () => (await server.api('GET', '/scorings')).items.length === 2);
    faults.splice(0, faults.length, ...faults.filter((f) => !/status of 404/.test(f))); // the page may have been asking for what went
  });

  const storage = await context.storageState();
  for (const [name, look] of Object.entries(looks))
    await t.test(`German, ${name}`, async () => {
      const seen = await open(browser, look, storage);
      await seen.page.addInitScript(() => localStorage.setItem('edgeward-language', 'de'));
      for (const p of ['/scoring?endpoint=valve-check', '/scoring/valves-nightly', '/scoring/valve-check-file', '/endpoints', '/jobs']) {
        await seen.page.goto(server.url + p);
        await inspect(seen.page, seen.faults, `j11-de${p.replace(/\?.*/, '').replaceAll('/', '-')}-${name}`);
      }
      await seen.context.close();
    });
  assert.deepEqual(faults, []);
});
