// J3: a file of one's own becomes a forecast that answers, by the pages alone. Nothing in it occurs in the demonstration.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { launch, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { drop, fileOf, inspect, signIn } from './walk.mjs';

/** Two bakeries' daily loaves for two years: a weekly shape, a slow season, noise, nine days missing. */
function bakeries() {
  const lines = ['sold_on,shop,loaves'];
  let seed = 11;
  const noise = () => ((seed = (seed * 16807) % 2147483647) / 2147483647 - 0.5) * 14;
  for (let d = 0; d < 730; d++) {
    const at = new Date(Date.UTC(2023, 0, 2 + d));
    for (const [shop, level] of [['harbour', 140], ['station', 90]]) {
      if (shop === 'station' && d >= 300 && d < 309) continue;
      const week = [1, 0.95, 0.97, 1.02, 1.2, 1.45, 0.6][(at.getUTCDay() + 6) % 7];
      lines.push(`${at.toISOString().slice(0, 10)},${shop},${Math.round(level * week * (1 + 0.08 * Math.sin(d / 58)) + noise())}`);
    }
  }
  return fileOf('Loaves sold.csv', lines.join('\n') + '\n');
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

test('a CSV file of one’s own: dropped, profiled, trained, deployed, asked, corrected', async () => {
  const { page, faults } = await open(browser);
  await signIn(page, server);
  faults.length = 0;
  await page.getByRole('link', { name: 'Import a file' }).click();
  await page.locator('.drop').waitFor();
  await drop(page, bakeries());
  assert.equal(await page.getByLabel('Name of the data set').inputValue(), 'loaves-sold');
  await page.getByRole('button', { name: 'Import', exact: true }).click();

  // The profile: columns, roles that were guessed, and the nine missing days.
  await page.getByRole('heading', { name: 'loaves-sold', level: 1 }).waitFor({ timeout: 60_000 });
  await page.getByRole('heading', { name: 'Gaps in time' }).waitFor();
  const station = page.getByRole('row', { name: /station/ }).first();
  assert.match((await station.textContent()) ?? '', /9/, 'nine days are missing');
  await inspect(page, faults, 'j3-profile');
  await page.getByRole('tab', { name: 'Rows' }).click();
  await page.getByText(/of 1,451 rows/).waitFor();
  await inspect(page, faults, 'j3-rows');
  await page.getByRole('tab', { name: 'SQL' }).click();
  await page.getByLabel('Question').fill('SELECT shop, max(loaves) AS most FROM data GROUP BY shop');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByRole('heading', { name: 'Answer' }).waitFor();
  await inspect(page, faults, 'j3-sql');

  // Recipe and training.
  await page.getByRole('button', { name: 'Train a model from this' }).click();
  await page.getByRole('combobox', { name: /^Target/ }).click();
  await page.getByRole('option', { name: 'loaves' }).click();
  await page.getByRole('button', { name: 'Suggest a recipe' }).click();
  await page.getByText('What was guessed').waitFor();
  await page.getByLabel('Name of the model').fill('loaves-tomorrow');
  await page.getByLabel('Unit').fill('loaves');
  await inspect(page, faults, 'j3-recipe');
  await page.getByRole('button', { name: 'Train', exact: true }).click();
  await page.getByRole('heading', { name: 'loaves-tomorrow, version 1', level: 1 }).waitFor({ timeout: 120_000 });
  await page.getByText('The served graph answers like the trained model').waitFor();
  await inspect(page, faults, 'j3-version');

  // Deployment needs a reason.
  await page.getByRole('button', { name: 'Deploy' }).click();
  const dialog = page.getByRole('dialog');
  assert.ok(await dialog.getByRole('button', { name: 'Let it answer' }).isDisabled(), 'no deployment without a reason');
  await dialog.getByLabel('Title').fill('Loaves to bake');
  await dialog.getByLabel('Reason').fill('First version, better than last week’s number.');
  await inspect(page, faults, 'j3-deploy');
  await dialog.getByRole('button', { name: 'Let it answer' }).click();
  await page.getByRole('heading', { name: 'Loaves to bake', level: 1 }).waitFor();
  await page.getByText('ready', { exact: true }).first().waitFor({ timeout: 30_000 });

  // Try it and tell the truth.
  await page.getByRole('tab', { name: 'Try it' }).click();
  await page.getByLabel('Step to forecast').fill('2025-01-01');
  await page.getByRole('button', { name: 'Fill in from the data' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('label')].some((l) => l.textContent === 'lag_1' && l.control.value !== ''));
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByRole('heading', { name: 'Answer' }).waitFor();
  assert.equal(await page.getByText('Demo', { exact: true }).count(), 0, 'nothing of one’s own wears the Demo mark');
  await page.getByLabel('True value').fill('151');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('Thank you, it is recorded.').waitFor();
  await inspect(page, faults, 'j3-try');
  await page.getByRole('tab', { name: 'Predictions' }).click();
  await page.getByRole('cell', { name: '151' }).waitFor();
  await page.getByRole('tab', { name: 'Use it' }).click();
  await page.locator('.code', { hasText: 'loaves-tomorrow' }).first().waitFor();
  await inspect(page, faults, 'j3-use');
});

test('a file that is damaged is refused with the reason', async () => {
  const { page } = await open(browser);
  await signIn(page, server);
  await page.goto(`${server.url}/data`);
  await page.getByRole('button', { name: 'Import a file' }).click();
  await page.locator('.drop').waitFor();
  await drop(page, fileOf('broken.parquet', 'PAR1 this is no table PAR1'));
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByRole('alert').waitFor({ timeout: 60_000 });
  assert.ok(((await page.getByRole('alert').textContent()) ?? '').length > 20);
});
