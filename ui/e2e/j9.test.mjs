// J9: the operator of a line, with gloves, on a telephone too: sees the part and the verdict, confirms, corrects, calls.
import assert from 'node:assert/strict';
import test from 'node:test';
import { launch, looks, open } from './browser.mjs';
import { inhabited } from './server.mjs';
import { inspect, signIn, tabs, until } from './walk.mjs';

/** A panel on the shop floor. */
const touch = { colorScheme: 'light', viewport: { width: 1024, height: 768 }, hasTouch: true };

/** What of the page's own targets a glove misses: all that is pressed below the head, whatever its class,
 * but for the bar of the demonstration, which is not the operator's. */
const small = (page) =>
  page.locator('main :is(button, a, input, select, [role=button])').evaluateAll((all) => all.filter((b) => !b.closest('.demobar')).map((b) => [b.textContent || b.getAttribute('aria-label'), b.getBoundingClientRect()]).filter(([, r]) => r.width > 0 && (r.height < 56 || r.width < 56)).map(([n, r]) => `${n} ${Math.round(r.width)}x${Math.round(r.height)}`));

test('the operator of a line judges parts', async (t) => {
  const server = await inhabited({ demo: 'factory' });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await server.stop();
  });
  await until('the demonstration has ended', 240_000, async () => {
    const d = await server.api('GET', '/demo').catch(() => ({}));
    assert.ok(!d.error, d.error);
    return d.report;
  });
  const { page, faults, context } = await open(browser);
  await signIn(page, server);
  faults.length = 0; // the 401 before sign-in
  await page.goto(`${server.url}/line`);
  await page.getByRole('heading', { name: 'Weld inspection', level: 1 }).waitFor();
  await page.getByText('Generated images', { exact: true }).waitFor();

  await t.test('the picture is the one that was asked', async () => {
    const picture = page.getByRole('img', { name: /^Picture of the part/ });
    await picture.waitFor();
    await until('grey points', 10_000, () => picture.evaluate((c) => new Set(c.getContext('2d').getImageData(0, 0, 48, 48).data).size > 30));
    await inspect(page, faults, 'j9-line');
  });
  await t.test('every target is at least 56 px high', async () => {
    assert.deepEqual(await small(page), []);
    assert.equal(await page.locator('.stripped').count(), 10);
  });
  const newest = async () => (await server.api('GET', '/endpoints/weld-inspection/predictions?limit=10')).items;
  const said = async (id) => (await server.api('GET', `/predictions/${id}`)).feedback.filter((f) => f.source === 'user:mara' || f.principal === 'user:mara');
  await t.test('confirm, wrong and call are feedback', async () => {
    const [first, second] = await newest();
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('Noted: Confirm').waitFor();
    await until('a truth', 10_000, async () => (await said(first.id)).some((f) => f.kind === 'truth' && f.label));
    await page.locator('.stripped').nth(1).click();
    await page.getByRole('button', { name: 'Wrong' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('group', { name: 'What is it really?' }).waitFor();
    await inspect(page, faults, 'j9-wrong');
    const choice = await page.getByRole('group', { name: 'What is it really?' }).getByRole('button').first().innerText();
    await page.keyboard.press('Enter'); // the first choice has the focus
    await page.getByText(`Noted: ${choice}`).waitFor();
    await until('a correction', 10_000, async () => (await said(second.id)).some((f) => f.kind === 'correction'));
    await page.getByRole('button', { name: 'Call the lead' }).click();
    await until('a call', 10_000, async () => (await said(second.id)).some((f) => f.kind === 'wrong' && f.note));
    await page.getByRole('button', { name: 'Back to the newest part' }).click();
  });
  await t.test('it is worked by keyboard', async () => {
    await tabs(page, 30);
  });
  const storage = await context.storageState();
  for (const [name, look] of [['dark', looks.dark], ['narrow', looks.narrow], ['touch', touch]])
    await t.test(`it reads ${name}`, async () => {
      const other = await open(browser, look, storage);
      await other.page.goto(`${server.url}/line`);
      await other.page.getByRole('button', { name: 'Confirm' }).waitFor();
      await inspect(other.page, other.faults, `j9-${name}`);
      assert.deepEqual(await small(other.page), []);
      if (name === 'touch') {
        for (const button of ['Confirm', 'Wrong', 'Call the lead']) {
          const box = await other.page.getByRole('button', { name: button, exact: true }).boundingBox();
          assert.ok(box.y >= 0 && box.y + box.height <= touch.viewport.height, `${button} is in sight without scrolling: ${JSON.stringify(box)}`);
        }
        await other.page.getByRole('button', { name: 'Wrong', exact: true }).tap();
        await other.page.getByRole('group', { name: 'What is it really?' }).waitFor();
        await inspect(other.page, other.faults, 'j9-touch-wrong');
        assert.deepEqual(await small(other.page), []);
      }
    });
});
