// The real program for the journeys: bin/edgeward on loopback port 0 with a data directory of its own.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const binary = process.env.EDGEWARD_BIN ?? path.join(import.meta.dirname, '../../bin/edgeward');

/** A port that is free now: the hub's address stands in its join codes. */
export const freePort = () => new Promise((ok) => {
  const s = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = s.address();
    s.close(() => ok(port));
  });
});

/** Starts a server. demo plays the demonstration as fast as it goes; one that is supervised can change its own program; set are further settings. The first administrator's link or token comes back. */
export async function start({ demo = false, supervised = false, token = '', set = [] } = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'edgeward-e2e-'));
  const args = [demo ? 'up' : supervised ? 'supervise' : 'serve', '--data-dir', path.join(dir, 'data'), '--http-address', '127.0.0.1:0', '--mqtt-address', '127.0.0.1:0', '--grpc-address', '127.0.0.1:0'];
  args.push(...set.flatMap((x) => ['--set', x]));
  if (demo) args.push(demo === true ? '--demo' : `--demo=${demo}`, '--demo-speed', '0');
  const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('EDGEWARD_')));
  if (token) env.EDGEWARD_BOOTSTRAP_TOKEN = token;
  const child = spawn(binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const url = await new Promise((ok, fail) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new Error(`no address within 60 s:\n${said}`));
    }, 60_000);
    const read = (chunk) => {
      said += chunk;
      const link = (token ? /http:\/\/127\.0\.0\.1:\d+/ : /http:\/\/127\.0\.0\.1:\d+\/setup#\S+/).exec(said);
      if (link) {
        clearTimeout(late);
        ok(link[0]);
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) => fail(new Error(`${binary} ended with ${code}:\n${said}`)));
  });
  const base = new URL(url).origin;
  return {
    url: base,
    data: path.join(dir, 'data'),
    link: url,
    said: () => said,
    api: (method, p, body) => call(base, token, method, p, body),
    run: (...args) => run(base, token, args),
    stop: async () => {
      child.removeAllListeners('exit');
      const end = new Promise((ok) => child.on('exit', ok));
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await end;
      clearTimeout(hard);
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A command of the program against the server, for what pages do not do: its output, or why it failed. */
function run(base, token, args) {
  const env = { PATH: process.env.PATH, HOME: os.tmpdir(), EDGEWARD_URL: base, EDGEWARD_TOKEN: token };
  return new Promise((ok, fail) => execFile(binary, args, { env, timeout: 120_000 }, (e, out, err) => (e ? fail(new Error(`edgeward ${args.join(' ')}: ${err || e}`)) : ok(out))));
}

async function call(base, token, method, p, body) {
  const r = await fetch(`${base}/api/v1${p}`, { method, headers: { Authorization: `Bearer ${token}`, ...(body ? { 'Content-Type': 'application/json' } : {}) }, body: body ? JSON.stringify(body) : undefined });
  const text = await r.text();
  if (!r.ok) throw new Error(`${method} ${p}: ${r.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** A server with a person in it, who may do everything in the first group: what most journeys begin with. */
export async function inhabited(options = {}) {
  const token = 'journeys-bootstrap-token-0123456789';
  const server = await start({ ...options, token });
  const me = await server.api('GET', '/me');
  const person = { name: 'mara', password: 'a long enough sentence 42' };
  await server.api('POST', '/users', { ...person, admin: true, group: me.group, roles: ['owner'], reason: 'journeys' });
  return { ...server, person };
}
