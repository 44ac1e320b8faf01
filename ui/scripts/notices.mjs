// Collects the licence texts of every npm package whose code is inside dist into notices.json, in the form of
// runtime/native.Licence. A package without a licence text is an error: we may not ship it.
import { build } from 'vite';
import fs from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const packages = new Map();
// Packages that forgot to enclose their licence; it is the text of a sibling by the same author under the same licence.
const sibling = { 'react-remove-scroll-bar': 'react-remove-scroll', 'use-callback-ref': 'react-remove-scroll', 'use-sidecar': 'react-remove-scroll', 'react-style-singleton': 'react-remove-scroll' };

/** The folder of the package that a module belongs to. */
function home(id) {
  const at = id.lastIndexOf('/node_modules/');
  if (at < 0) return undefined;
  const parts = id.slice(at + '/node_modules/'.length).split('/');
  return id.slice(0, at) + '/node_modules/' + parts.slice(0, parts[0].startsWith('@') ? 2 : 1).join('/');
}

const written = await build({ root, logLevel: 'error', build: { write: false } });
for (const chunk of written.output) {
  for (const id of [...Object.keys(chunk.modules ?? {}), ...(chunk.originalFileNames ?? [])]) {
    const dir = home(path.resolve(root, id.replace(/^\0/, '').replace(/\?.*$/, '')));
    if (dir) packages.set(dir, JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')));
  }
}
// Style sheets are imported by the entry and leave no module behind.
for (const m of fs.readFileSync(path.join(root, 'src/main.tsx'), 'utf8').matchAll(/import '([^./][^']*)'/g)) {
  const dir = home(path.join(root, 'node_modules', m[1]));
  packages.set(dir, JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')));
}

const all = [];
for (const [dir, p] of packages) {
  const textsIn = (d) => fs.readdirSync(d).filter((f) => /^(licen[cs]e|copying|notice)/i.test(f)).map((f) => path.join(d, f)).filter((f) => fs.statSync(f).isFile());
  let files = textsIn(dir);
  if (files.length === 0 && sibling[p.name]) files = textsIn(path.join(root, 'node_modules', sibling[p.name]));
  if (files.length === 0 && p.license === 'Unlicense') files = [path.join(root, 'scripts/unlicense.txt')];
  if (files.length === 0) throw new Error(`${p.name} ${p.version} (${p.license}) comes without a licence text`);
  for (const file of files) all.push({ component: p.name, version: p.version, licence: p.license, from: 'npm', file: path.basename(file), text: fs.readFileSync(file, 'utf8') });
}
all.sort((a, b) => (a.component + a.file < b.component + b.file ? -1 : 1));
fs.writeFileSync(path.join(root, 'notices.json'), JSON.stringify(all, null, 1) + '\n');
console.log(`notices.json: ${packages.size} packages`);
