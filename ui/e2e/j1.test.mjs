// J1: from the printed link to an overview that says what to do next.
import assert from 'node:assert/strict';
import test from 'node:test';
import { launch, open } from './browser.mjs';
import { start } from './server.mjs';
import { field, inspect, tabs } from './walk.mjs';

test('the printed link makes the first administrator and ends on the overview', async () => {
  const server = await start();
  const browser = await launch();
  try {
    const { page, faults } = await open(browser);
    const refused = (f) => !/status of 401/.test(f); // nobody is signed in yet: the browser says so by itself
    await page.goto(server.link);
    await page.getByRole('heading', { name: 'Set up this server' }).waitFor();
    await inspect(page, faults, 'j1-setup');
    await tabs(page, 6);
    await field(page, 'Password').fill('short');
    await page.getByLabel('Password again').fill('short');
    await page.getByRole('button', { name: 'Create administrator' }).click();
    await page.getByRole('alert').waitFor();
    faults.length = 0; // the refusal is the point
    await field(page, 'Password').fill('a long enough sentence 42');
    await page.getByLabel('Password again').fill('a long enough sentence 42');
    await page.getByRole('button', { name: 'Create administrator' }).click();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    await page.getByText('Bring your own file').waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    assert.equal(await page.evaluate(() => location.hash), '', 'the secret has left the address');
    await inspect(page, faults.splice(0, faults.length, ...faults.filter(refused)) && faults, 'j1-overview');
    // By keyboard alone: the palette finds a page.
    await page.keyboard.press('Control+k');
    await page.getByPlaceholder('Go to a page').fill('models');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor();
    await inspect(page, faults, 'j1-jobs-empty');
    // The link has done its work.
    await page.goto(server.link);
    await page.getByText('has its first administrator already').waitFor();
  } finally {
    await browser.close();
    await server.stop();
  }
});
