// A small server of made-up answers, for looking at the pages where no edgeward runs. It is no part of the product and
// of no journey: journeys run against the real program.
//
//	npm run mock [-- PORT]     serves dist and /api/v1; sign in with any name and password
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import { answers } from './answers.mjs';

const dist = path.join(import.meta.dirname, '../../dist');
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
export const csp =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const state = { signedIn: true, setup: false, demo: true, jobs: 0 };

function file(res, p) {
  let at = path.join(dist, p);
  if (!at.startsWith(dist) || !fs.existsSync(at) || fs.statSync(at).isDirectory()) at = path.join(dist, 'index.html');
  res.writeHead(200, { 'content-type': types[path.extname(at)] ?? 'application/octet-stream', 'content-security-policy': csp, 'cache-control': 'no-cache' });
  res.end(fs.readFileSync(at));
}

function feed(res) {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.write(': hello\n\n');
  const beat = setInterval(() => res.write(': beat\n\n'), 5000);
  res.on('close', () => clearInterval(beat));
}

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  if (!url.pathname.startsWith('/api/')) return file(res, url.pathname);
  const p = url.pathname.replace('/api/v1', '');
  if (p === '/events') return feed(res);
  const chunks = [];
  req.on('data', (c) => chunks.push(c));
  req.on('end', () => {
    let body;
    try {
      body = JSON.parse(Buffer.concat(chunks).toString());
    } catch {
      body = undefined;
    }
    const [status, answer] = answers(req.method, p, url.searchParams, body, state);
    const text = typeof answer === 'string';
    res.writeHead(status, { 'content-type': text ? 'text/markdown' : status >= 400 ? 'application/problem+json' : 'application/json' });
    res.end(answer === undefined ? '' : text ? answer : JSON.stringify(answer));
  });
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
