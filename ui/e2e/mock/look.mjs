// Opens pages of the mock in all looks, writes pictures to e2e/out and says what axe and the console found.
//
//	node e2e/mock/look.mjs [PATH...]
import { spawn } from 'node:child_process';
import path from 'node:path';
import { axe, launch, looks, open, settled, shot, sideways } from '../browser.mjs';

export const all = ['/forecast', '/', '/data', '/data/er-daily', '/models', '/models/er-attendance', '/models/er-attendance/versions/3', '/endpoints', '/endpoints/er-attendance', '/endpoints/digits', '/predictions/01HP1', '/drift', '/drift/er-attendance', '/candidates', '/jobs', '/jobs/01HJOB3', '/jobs/01HJOB1', '/audit', '/access', '/settings', '/setup', '/nowhere'];
const server = spawn(process.execPath, [path.join(import.meta.dirname, 'server.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
const url = await new Promise((ok) => server.stdout.once('data', (d) => ok(String(d).trim())));
const wanted = process.argv.length > 2 ? process.argv.slice(2) : all;
const browser = await launch();
let bad = 0;
try {
  for (const [name, look] of Object.entries(looks)) {
    const { page, faults, context } = await open(browser, look);
    for (const p of wanted) {
      await page.goto(url + p);
      await settled(page);
      await shot(page, `mock${p.replaceAll('/', '-').replace(/-$/, '-overview')}-${name}`);
      for (const f of [...(await axe(page)), ...(await sideways(page)), ...faults.splice(0)]) {
        bad++;
        console.log(name, p, f);
      }
    }
    await context.close();
  }
} finally {
  await browser.close();
  server.kill();
}
console.log(bad ? `${bad} faults` : 'no fault');
process.exitCode = bad ? 1 : 0;
