// The stage of the browser's tests: the real issuer, the Go service, the app on a port of its own, and Chromium.

import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from '../serve.js';

const top = join(dirname(fileURLToPath(import.meta.url)), '../../../..');
export const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
export const audience = 'https://api.example.com';
/** A host that is no loopback's name, and leads here all the same: a stranger's page. */
export const strange = 'evil.test';
const patience = 60_000;

/** Until what answers something; the last error after a minute. */
export async function until(what, condition) {
  for (const end = Date.now() + patience; ;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > end) throw new Error(`no ${what} after a minute`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function open() {
  const dir = mkdtempSync(join(tmpdir(), 'signet-spa-'));
  const closing = [() => rmSync(dir, { recursive: true, force: true })];
  const close = async () => { for (const step of closing.reverse()) await step(); };
  try {
    return await build(dir, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(dir, closing, close) {
  const program = process.env.SIGNET_BIN ?? compile(top, './cmd/signet', join(dir, 'signet'));
  const service = compile(join(top, 'deploy/examples/go'), '.', join(dir, 'service'));
  const issuer = await start(closing, program, ['serve', '--dev', '--listen', '127.0.0.1:0', '--data-dir', join(dir, 'data'), '--log-format', 'json'], {
    SIGNET_AUDIENCE: audience, SIGNET_REFRESH_GRACE: '8s', SIGNET_RESEND_AFTER: '2s', SIGNET_LIMIT_SOURCE: '0', SIGNET_LIMIT_CODES: '0', SIGNET_LIMIT_PASSWORDS: '0',
  }, /"issuer":"([^"]+)"/);
  await until('ready issuer', async () => (await fetch(issuer + '/readyz').catch(() => ({}))).ok);

  const port = await freePort(), app = `http://localhost:${port}`;
  const api = await start(closing, service, [], { ISSUER: issuer, AUDIENCE: audience, LISTEN: '127.0.0.1:0', ALLOWED_ORIGIN: app }, /listening on (http:\S+)/);
  const config = { issuer, api, calls: ['/me', '/reports'], cookies: true };
  const pages = await serve(config, port);
  closing.push(() => { pages.close(); pages.closeAllConnections(); });

  const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${strange} 127.0.0.1`] });
  closing.push(() => browser.close());
  return { issuer, api, app, config, browser, close };
}

function compile(folder, what, to) {
  const built = spawnSync('go', ['build', '-o', to, what], { cwd: folder, encoding: 'utf8', env: { ...process.env, CGO_ENABLED: '0' } });
  if (built.status !== 0) throw new Error(`go build: ${built.stderr}`);
  return to;
}

/** Starts a program and answers what it says of itself. */
function start(closing, program, args, env, pattern) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  closing.push(() => { child.kill('SIGTERM'); return ended; });
  return new Promise((resolve, reject) => {
    const said = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        said.push(line);
        const found = pattern.exec(line);
        if (found) resolve(found[1]);
      });
    }
    child.once('error', reject);
    ended.then((code) => reject(new Error(`${program} ended with ${code}: ${said.join('\n')}`)));
  });
}

const listening = (server) => new Promise((resolve) => server.listen(0, 'localhost', () => resolve(server.address().port)));

async function freePort() {
  const server = createServer(), port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A page of somebody else's, at a host of its own. */
export async function stranger(closing) {
  const server = createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>evil</title>'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing(() => { server.close(); server.closeAllConnections(); });
  return `http://${strange}:${server.address().port}/`;
}

/** What was mailed to an address, newest first. */
export async function mails(issuer, address) {
  return (await (await fetch(issuer + '/dev/mailbox')).json()).filter(({ to }) => to === address);
}
