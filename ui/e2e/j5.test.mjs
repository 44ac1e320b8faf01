// J5: a table without time, an ONNX file, a candidate that waits for a person, and who may do what: by the pages, on one
// server. Nothing in it occurs in the demonstration.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { launch, looks, open, settled } from './browser.mjs';
import { inhabited } from './server.mjs';
import { drop, field, fileOf, inspect, signIn, until } from './walk.mjs';

const onnx = fs.readFileSync(path.join(import.meta.dirname, '../../runtime/engine/enginetest/testdata/affine.onnx')); // y = 2 x0 - x1 + 0.5

function random(seed) {
  return () => (seed = (seed * 16807) % 2147483647) / 2147483647;
}

/** What a nursery knows of 800 seedlings, and which bed each went to. A tenth of the heights was not measured. */
function seedlings() {
  const r = random(90210);
  const lines = ['height_mm,leaves,soil,watered_ml,bed'];
  for (let i = 0; i < 800; i++) {
    const [height, leaves, soil, water] = [40 + 160 * r(), 2 + Math.floor(9 * r()), ['loam', 'peat', 'sand'][Math.floor(3 * r())], 20 + 80 * r()];
    const strength = height / 20 + leaves + (soil === 'loam' ? 2 : 0) + r();
    lines.push([i % 10 ? height.toFixed(1) : '', leaves, soil, water.toFixed(0), strength > 15 ? 'sale' : strength > 11 ? 'cold frame' : 'greenhouse'].join(','));
  }
  return lines.join('\n') + '\n';
}

/** Cars on two ferries a day for three years; from 2023-03-01 the northern one takes half as many again. */
function ferries() {
  const r = random(4242);
  const lines = ['sailed,route,cars'];
  for (let d = 0; d < 1096; d++) {
    const at = new Date(Date.UTC(2021, 0, 1 + d));
    const day = at.toISOString().slice(0, 10);
    const week = [0.7, 1, 0.95, 0.95, 1, 1.3, 1.15][at.getUTCDay()] * (1 + 0.1 * Math.sin(d / 58.1));
    for (const [route, level] of [['north', day >= '2023-03-01' ? 210 : 140], ['south', 70]]) lines.push(`${day},${route},${Math.round(level * week + 26 * (r() + r() - 1))}`);
  }
  return lines.join('\n') + '\n';
}

let server, browser;
before(async () => {
  server = await inhabited();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Deploys the version whose page is open, and waits until it answers. */
async function deploy(page, title, reason) {
  await page.getByRole('button', { name: 'Deploy' }).click();
  const dialog = page.getByRole('dialog');
  assert.ok(await dialog.getByRole('button', { name: 'Let it answer' }).isDisabled(), 'no deployment without a reason');
  await dialog.getByLabel('Title').fill(title);
  await dialog.getByLabel('Reason').fill(reason);
  await dialog.getByRole('button', { name: 'Let it answer' }).click();
  await page.getByRole('heading', { name: title, level: 1 }).waitFor();
  await page.getByText('ready', { exact: true }).first().waitFor({ timeout: 30_000 });
}

test('a plain table becomes a classifier that answers in classes and is told the true one', async () => {
  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  await page.goto(`${server.url}/data`);
  await drop(page, fileOf('Seedlings 2024.csv', seedlings()));
  assert.equal(await page.getByLabel('Name of the data set').inputValue(), 'seedlings-2024', 'the name comes from the file');
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByRole('heading', { name: 'seedlings-2024', level: 1 }).waitFor({ timeout: 60_000 });
  assert.equal(await page.getByRole('heading', { name: 'Gaps in time' }).count(), 0, 'a table without time has no gaps in time');
  await page.getByRole('heading', { name: 'height_mm' }).waitFor();
  await page.getByText(/80 \(10%\)/).waitFor();
  await inspect(page, faults, 'j5-table-profile');

  await page.getByRole('button', { name: 'Train a model from this' }).click();
  await page.getByRole('combobox', { name: /^Target/ }).click();
  await page.getByRole('option', { name: 'bed' }).click();
  await page.getByRole('button', { name: 'Suggest a recipe' }).click();
  await page.getByLabel('Name of the model').fill('bed-of-a-seedling');
  await inspect(page, faults, 'j5-table-recipe');
  await page.getByRole('button', { name: 'Train', exact: true }).click();
  await page.getByRole('heading', { name: 'bed-of-a-seedling, version 1', level: 1 }).waitFor({ timeout: 120_000 });
  await page.getByText('The served graph answers like the trained model').waitFor();
  await inspect(page, faults, 'j5-table-version');
  await deploy(page, 'Which bed', 'Nine of ten beds right is enough to try.');

  await page.getByRole('tab', { name: 'Try it' }).click();
  await page.getByLabel('height_mm').fill('190');
  await page.getByLabel('leaves').fill('10');
  await page.getByRole('combobox', { name: 'soil' }).click();
  await page.getByRole('option', { name: 'loam' }).click();
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByRole('heading', { name: 'Answer' }).waitFor();
  await page.locator('dd').getByText('sale', { exact: true }).first().waitFor();
  await page.getByRole('combobox', { name: 'True class' }).click();
  await page.getByRole('option', { name: 'cold frame' }).click();
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('Thank you, it is recorded.').waitFor();
  await inspect(page, faults, 'j5-table-try');
  await page.getByRole('tab', { name: 'Predictions' }).click();
  await page.getByRole('cell', { name: 'cold frame' }).waitFor();
  await inspect(page, faults, 'j5-table-predictions');
  await context.close();
});

test('a model file: dropped in, tried by every engine, served, asked, corrected; what is no model is refused in German', async () => {
  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  faults.length = 0;
  await page.goto(`${server.url}/models`);
  await page.getByRole('button', { name: 'Import a model file' }).click();
  await drop(page, fileOf('Leak Finder.onnx', onnx));
  assert.equal(await page.getByLabel('Name of the model').inputValue(), 'leak-finder');
  await page.getByLabel('Intended use').fill('Says how likely a joint leaks.');
  await inspect(page, faults, 'j5-onnx-import');
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByRole('heading', { name: 'leak-finder, version 1', level: 1 }).waitFor({ timeout: 60_000 });
  await page.getByText('ONNX Runtime', { exact: true }).first().waitFor();
  await page.getByText('OpenVINO', { exact: true }).first().waitFor();
  await inspect(page, faults, 'j5-onnx-version');
  await deploy(page, 'Leaks', 'The supplier has tested it.');
  await page.getByRole('tab', { name: 'Try it' }).click();
  await page.getByRole('textbox', { name: 'x' }).fill('[[3, 1]]');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByRole('heading', { name: 'Answer' }).waitFor();
  await page.locator('dd').getByText('5.5', { exact: true }).waitFor();
  await page.getByText('Looks wrong', { exact: true }).click();
  await field(page, 'Note').fill('That joint is new.');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('Thank you, it is recorded.').waitFor();
  await inspect(page, faults, 'j5-onnx-try');

  // The page in German says in German what the server refused, and the server's own words beside it.
  await page.evaluate(() => localStorage.setItem('edgeward-language', 'de'));
  await page.goto(`${server.url}/models`);
  await page.getByRole('button', { name: 'Modelldatei einspielen' }).click();
  await drop(page, fileOf('notes.onnx', 'this is a letter, not a model'));
  await page.getByRole('button', { name: 'Einspielen', exact: true }).click();
  const alert = page.getByRole('alert');
  await alert.getByText('Das ist kein Modell, das eine Engine hier liest.').waitFor({ timeout: 60_000 });
  await alert.getByText(/Exportieren Sie das Modell als ONNX/).waitFor();
  await alert.getByText(/this is no ONNX model/).waitFor();
  faults.length = 0; // the refusal is the point
  await inspect(page, faults, 'j5-onnx-refused');
  await context.close();
});

test('a candidate waits for a person, who lets it answer and rolls it back', async () => {
  // The past, by the interfaces that programs use; the decision is the page's.
  const model = 'cars-tomorrow';
  await server.run('data', 'import', fileOf('ferries.csv', ferries()), 'ferries');
  const recipe = fileOf('recipe.json', '');
  fs.rmSync(recipe);
  await server.run('data', 'recipe', 'ferries', '--target', 'cars', '-o', recipe);
  await server.run('model', 'train', model, '--data', 'ferries', '--recipe', recipe, '--to', '2022-11-30', '--unit', 'cars');
  await server.run('endpoint', 'create', model, '--model', model, '--title', 'Cars to ship');
  await server.run('deploy', 'promote', model, '1', '--reason', 'first version');
  await server.run('endpoint', 'policy', model, '--canary-share', '0.5', '--reason', 'four sailings a week are few');
  await server.run('replay', model, '--data', 'ferries', '--from', '2022-12-01', '--to', '2023-08-31');
  await until('a candidate that waits', 30_000, async () => (await server.api('GET', '/candidates')).items.some((c) => c.phase === 'approval'));

  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  faults.length = 0;
  await page.getByRole('region', { name: 'What needs you' }).getByText(/waits/).first().waitFor();
  await inspect(page, faults, 'j5-needs');
  await page.goto(`${server.url}/candidates`);
  await page.getByText('It has won. May it answer?').waitFor();
  await page.getByText(/better beyond doubt/).first().waitFor();
  await inspect(page, faults, 'j5-candidate');
  await page.getByRole('button', { name: 'Approve' }).click();
  const dialog = page.getByRole('dialog');
  assert.ok(await dialog.getByRole('button', { name: 'Confirm' }).isDisabled(), 'no approval without a reason');
  await dialog.getByLabel('Reason').fill('The new ship came in March.');
  await inspect(page, faults, 'j5-approve');
  await dialog.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('It has won. May it answer?').waitFor({ state: 'detached', timeout: 15_000 });
  await server.run('replay', model, '--data', 'ferries', '--from', '2023-09-01', '--to', '2023-12-30');
  const live = async () => (await server.api('GET', `/endpoints/${model}`)).status.live;
  const promoted = await until('its promotion', 60_000, async () => (await live()) > 1 && (await live()));
  await page.getByText(/The new ship came in March/).first().waitFor({ timeout: 15_000 });
  await inspect(page, faults, 'j5-promoted');

  await page.goto(`${server.url}/endpoints/${model}`);
  await page.getByRole('button', { name: 'Roll back' }).click();
  await page.getByText('Version 1 answers again').waitFor();
  await page.getByRole('dialog').getByLabel('Reason').fill('We sell fewer tickets again.');
  await inspect(page, faults, 'j5-rollback');
  await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
  await until('version 1 to answer again', 30_000, async () => (await live()) === 1);
  await page.getByText(/We sell fewer tickets again/).first().waitFor();
  assert.ok(promoted > 1);
  await inspect(page, faults, 'j5-rolled-back');
  await context.close();
});

test('people and their roles: made in the page, held to what they may, shut out at once', async () => {
  const admin = await open(browser);
  await signIn(admin.page, server);
  admin.faults.length = 0;
  await admin.page.goto(`${server.url}/access`);
  const people = { olga: { name: 'olga-op', password: 'the boats leave at seven', role: 'operator' }, ravi: { name: 'ravi-rev', password: 'who checks the checkers', role: 'reviewer' } };
  for (const p of Object.values(people)) {
    await admin.page.getByRole('button', { name: 'Add a person' }).click();
    const dialog = admin.page.getByRole('dialog');
    await field(dialog, 'Name').fill(p.name);
    await field(dialog, 'Password').fill(p.password);
    await dialog.getByRole('combobox', { name: 'Roles' }).click({ force: true }); // its field lies over it
    if (p.role !== 'operator') for (const r of ['operator', p.role]) await admin.page.getByRole('option', { name: r }).click();
    await admin.page.keyboard.press('Escape');
    if (p.role === 'operator') await inspect(admin.page, admin.faults, 'j5-add-person');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await admin.page.getByRole('row', { name: new RegExp(`${p.name}.*${p.role}`) }).waitFor();
  }
  await inspect(admin.page, admin.faults, 'j5-people');

  /** Whether a button is there and may be used. Who may not sees it greyed, with the reason. */
  const may = async (page, name) => {
    const button = page.getByRole('button', { name, exact: true }).first();
    await button.waitFor();
    if ((await button.getAttribute('aria-disabled')) !== 'true') return true;
    await button.focus();
    await page.getByRole('tooltip').getByText(/do not allow you/).first().waitFor();
    await button.blur();
    return false;
  };
  const status = (page, method, p) => page.evaluate(async ([m, at]) => (await fetch(`/api/v1${at}`, { method: m, headers: { 'Content-Type': 'application/json' }, body: m === 'GET' ? undefined : '{"reason":"no right"}' })).status, [method, p]);
  const expected = {
    olga: { 'Import a file': false, Deploy: true, 'Roll back': true, 'Retrain now': false },
    ravi: { 'Import a file': false, Deploy: false, 'Roll back': false, 'Retrain now': false },
  };
  const where = { 'Import a file': '/data', Deploy: '/models/leak-finder/versions/1', 'Roll back': '/endpoints/cars-tomorrow', 'Retrain now': '/drift/cars-tomorrow' };
  const pages = {};
  for (const [who, p] of Object.entries(people)) {
    const { page, faults } = (pages[who] = await open(browser, who === 'ravi' ? looks.dark : looks.light));
    await signIn(page, server, p);
    faults.length = 0;
    const got = {};
    for (const [button, at] of Object.entries(where)) {
      await page.goto(server.url + at);
      await settled(page);
      got[button] = await may(page, button);
    }
    assert.deepEqual(got, expected[who], who);
    await inspect(page, faults, `j5-drift-${p.role}`);
    await page.goto(`${server.url}/access`);
    await settled(page);
    assert.equal(await page.getByRole('tab', { name: 'People' }).count(), 0, `${who} sees no list of people`);
    await inspect(page, faults, `j5-access-${p.role}`);
    await page.goto(`${server.url}/settings`);
    await settled(page);
    assert.equal(await page.getByRole('heading', { name: 'Configuration' }).count(), 0, `${who} sees no configuration`);
    await page.getByText('encrypted at rest, AES-256-GCM').waitFor();
    await page.getByText('record.key, in the data directory').waitFor();
    // What the page greys, the server refuses.
    assert.equal(await status(page, 'GET', '/users'), 403);
    assert.equal(await status(page, 'POST', '/endpoints/cars-tomorrow/retrain'), 403);
    if (who === 'ravi') assert.equal(await status(page, 'DELETE', '/endpoints/cars-tomorrow'), 403);
    faults.length = 0; // the refusals are the point
  }

  // Shut out: the open page ends at its next look, and the door stays shut.
  await admin.page.getByRole('row', { name: /olga-op/ }).getByRole('button', { name: 'Disable' }).click();
  await admin.page.getByRole('dialog').getByLabel('Reason').fill('She left the company.');
  await admin.page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
  await admin.page.getByRole('row', { name: /olga-op.*disabled/ }).waitFor();
  const out = pages.olga.page;
  await out.getByRole('link', { name: 'Jobs', exact: true }).click({ timeout: 5_000 }).catch(() => {}); // unless the page has looked by itself and is shut already
  await out.getByRole('heading', { name: 'Sign in to edgeward' }).waitFor({ timeout: 15_000 });
  await field(out, 'Name').fill(people.olga.name);
  await field(out, 'Password').fill(people.olga.password);
  await out.getByRole('button', { name: 'Sign in' }).click();
  await out.getByRole('alert').getByText('name or password is wrong').waitFor();
  pages.olga.faults.length = 0;
  await inspect(out, pages.olga.faults, 'j5-shut-out');
  await admin.page.goto(`${server.url}/audit`);
  await admin.page.getByText('She left the company.').first().waitFor();
});
