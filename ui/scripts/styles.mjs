// Writes src/mantine.css: the style sheets of those Mantine parts that are in the page, in Mantine's own order, and no others.
import { build } from 'vite';
import fs from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const at = path.join(root, 'node_modules/@mantine/core');
const used = new Set(['global', 'default-css-variables', 'baseline']);
const written = await build({ root, logLevel: 'error', build: { write: false } });
for (const chunk of written.output)
  for (const id of Object.keys(chunk.modules ?? {})) {
    const name = /@mantine\/core\/.*\/([A-Za-z-]+)\.module\.(?:css\.)?mjs$/.exec(id)?.[1];
    if (name) used.add(name);
  }
// Mantine's own order is that of its whole style sheet: where each part's first rule stands in it.
const whole = fs.readFileSync(path.join(at, 'styles.css'), 'utf8');
const order = (f) => {
  const rule = fs.readFileSync(path.join(at, 'styles', `${f}.css`), 'utf8').trim().split('\n').slice(0, 3).join('\n');
  return whole.indexOf(rule);
};
const files = [...used].filter((f) => fs.existsSync(path.join(at, 'styles', `${f}.css`))).sort((a, b) => order(a) - order(b));
const lines = files.map((f) => `@import '@mantine/core/styles/${f}.css';`);
fs.writeFileSync(path.join(root, 'src/mantine.css'), `/* Written by scripts/styles.mjs. */\n${lines.join('\n')}\n`);
console.log(`src/mantine.css: ${files.length} parts`);
