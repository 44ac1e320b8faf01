// Builds the page again beside dist and compares: what is committed must be what the sources give, byte for byte.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const out = fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-ui-'));
execFileSync(process.execPath, [path.join(root, 'node_modules/vite/bin/vite.js'), 'build', '--outDir', out, '--emptyOutDir', '--logLevel', 'warn'], { cwd: root, stdio: 'inherit' });
const list = (d) => fs.readdirSync(d, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => path.relative(d, path.join(f.parentPath, f.name))).sort();
const [built, kept] = [list(out), list(path.join(root, 'dist'))];
const stale = [...new Set([...built, ...kept])].filter((f) => {
  const [a, b] = [path.join(out, f), path.join(root, 'dist', f)];
  return !fs.existsSync(a) || !fs.existsSync(b) || !fs.readFileSync(a).equals(fs.readFileSync(b));
});
fs.rmSync(out, { recursive: true });
if (stale.length) {
  console.error(`ui/dist is not what ui/src gives; run "make ui" and commit it:\n  ${stale.join('\n  ')}`);
  process.exit(1);
}
console.log(`ui/dist is fresh: ${built.length} files`);
