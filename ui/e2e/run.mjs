// Runs the journeys: npm run journeys [-- j1 j3]. They start bin/edgeward (or EDGEWARD_BIN) themselves, on loopback only;
// pictures go to e2e/out. Exit code 0 only when all held.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const binary = process.env.EDGEWARD_BIN ?? path.join(here, '../../bin/edgeward');
for (const [file, how] of [[binary, 'make build'], [process.env.CHROMIUM ?? '/usr/bin/chromium', 'apt-get install chromium']])
  if (!fs.existsSync(file)) {
    console.error(`${file} is not there: ${how}`);
    process.exit(2);
  }
const wanted = process.argv.slice(2);
const files = fs.readdirSync(here).filter((f) => f.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((w) => f.startsWith(w)))).map((f) => path.join(here, f));
const r = spawnSync(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], { stdio: 'inherit' });
process.exit(r.status ?? 1);
