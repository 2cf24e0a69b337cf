// What the proofs play on: the real signet, the service of deploy/examples/go, the app on a port of its own, and Debian's Chromium.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { serve } from '../serve.js';
import { SERVICE, SIGNET } from './build.js';
import { startMail } from './mail.js';

const AUDIENCE = 'https://api.example.com';
const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));

/** For a test's options: why it is skipped. In CI nothing is. */
export const skip = !CHROMIUM && !process.env.CI && 'needs chromium (apt install chromium), or CHROMIUM=path';

/** Waits for something to come true, with a deadline and not a moment longer. */
export async function until(what, check, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; ;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Lets a server listen on a port that the system chooses. */
export const listening = (server, host = 'localhost') => new Promise((resolve) => server.listen(0, host, () => resolve(server.address().port)));
const stopping = (server) => () => { server.close(); server.closeAllConnections(); };

/** Starts a program, and answers it with what the first line that matches says. */
async function start(program, args, env, pattern) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '', gone = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { log += data; });
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', (error) => { gone = error.message; resolve(); }));
  const found = await until(`${program} to start`, () => {
    if (gone || child.exitCode !== null) throw new Error(`${program} ended: ${gone}${log}`);
    return pattern.exec(log)?.[1];
  });
  return { found, stop: () => { child.kill('SIGTERM'); return ended; } };
}

/** A signet with settings of its own, in a folder of its own. */
async function startSignet(folder, settings, ...args) {
  const quiet = Object.fromEntries(['CODES', 'SOURCE', 'GUESSES', 'PASSWORDS'].map((budget) => [`SIGNET_LIMIT_${budget}`, '0'])); // one machine plays everybody
  const env = { SIGNET_DATA_DIR: join(folder, 'data'), SIGNET_LISTEN: '127.0.0.1:0', SIGNET_LOG_FORMAT: 'json', SIGNET_AUDIENCE: AUDIENCE, ...quiet, ...settings };
  const { found: port, stop } = await start(SIGNET, ['serve', ...args], env, /"addr":"[^"]*:(\d+)"[^]*"event":"started"/);
  const url = `http://localhost:${port}`, read = new Set();
  return {
    url,
    stop,
    /** How often a route has been answered so far. */
    async count(route) {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(text.split('\n').find((l) => l.startsWith(`signet_http_request_duration_seconds_count{route="${route}"}`))?.split(' ')[1] ?? 0);
    },
    /** The newest code that was mailed to an address; each is given out once. */
    code: (email) => until(`a code for ${email}`, async () => {
      const mails = await (await fetch(`${url}/dev/mailbox`)).json();
      const mail = mails.find((m) => m.to === email && m.code);
      const key = mail && `${email} ${mail.at} ${mail.code}`;
      if (!mail || read.has(key)) return null;
      read.add(key);
      return mail.code;
    }),
    post: (path, body, headers = {}) => fetch(url + '/api/v1' + path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) }),
    get: (path, token) => fetch(url + '/api/v1' + path, { headers: { Authorization: 'Bearer ' + token } }),
  };
}

/** Stands between browsers and signet, notes what they sent, and cuts the answers to refresh in the middle as often as it is told to. */
async function startCutter(target) {
  const cutter = { cuts: 0, notes: [], url: '', stop: () => {} };
  const server = createServer((from, to) => {
    const path = new URL(from.url, target);
    const onward = request(path, { method: from.method, headers: from.headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => {
        const body = Buffer.concat(chunks), { 'transfer-encoding': _, ...headers } = answer.headers;
        cutter.notes.push({ method: from.method, path: path.pathname, origin: from.headers.origin, cookie: from.headers.cookie ?? '', status: answer.statusCode });
        const cut = cutter.cuts > 0 && path.pathname.endsWith('/token/refresh') && from.method === 'POST';
        if (!cut) return to.writeHead(answer.statusCode, headers).end(body);
        cutter.cuts--;
        delete headers['set-cookie']; // lost with the answer
        to.writeHead(answer.statusCode, { ...headers, 'content-length': body.length });
        to.write(body.subarray(0, body.length / 2), () => to.destroy());
      });
    });
    onward.on('error', () => to.destroy());
    from.pipe(onward);
  });
  Object.assign(cutter, { url: `http://localhost:${await listening(server)}`, stop: stopping(server) });
  return cutter;
}

/** What signet needs when it is no developer's: an issuer that is known beforehand, keys, a mail server, the one origin that may call. */
async function earnest(folder, origin, mail) {
  const probe = createServer(), port = await listening(probe, '127.0.0.1');
  await new Promise((resolve) => probe.close(resolve));
  writeFileSync(join(folder, 'kek'), Buffer.alloc(32, 7).toString('base64') + '\n', { mode: 0o600 });
  return {
    SIGNET_ISSUER: `http://localhost:${port}`, SIGNET_LISTEN: `127.0.0.1:${port}`, SIGNET_KEK_FILE: join(folder, 'kek'), SIGNET_SMTP_URL: mail.url,
    SIGNET_MAIL_FROM: 'id@example.org', SIGNET_ALLOWED_ORIGINS: origin,
  };
}

/** Everything at once. settings are signet's; with `dev: false` it is a signet in earnest that allows the app's origin alone. Scenes may share a browser. */
export async function scene({ settings = {}, dev = true, browser } = {}) {
  if (!CHROMIUM) throw new Error('chromium is missing: apt install chromium');
  const folder = mkdtempSync(join(tmpdir(), 'signet-spa-')), cleanup = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => { for (const undo of cleanup.reverse()) await undo(); };
  const started = async (starting) => { const it = await starting; cleanup.push(it.stop); return it; };
  try {
    const config = { cookies: true, calls: ['/me', '/reports'] };
    const app = await serve(config);
    cleanup.push(stopping(app));
    const origin = `http://localhost:${app.address().port}`;
    const mail = dev ? null : await started(startMail());
    const signet = await started(startSignet(folder, mail ? { ...(await earnest(folder, origin, mail)), ...settings } : settings, ...(dev ? ['--dev'] : [])));
    if (mail) signet.code = (email) => until(`mail for ${email}`, () => mail.take(email));
    const cutter = await started(startCutter(signet.url));
    const { found: api } = await started(start(SERVICE, [], { ISSUER: signet.url, AUDIENCE, LISTEN: '127.0.0.1:0', ALLOWED_ORIGIN: origin }, /listening on (http:\S+)/));
    Object.assign(config, { issuer: cutter.url, api });
    const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--host-resolver-rules=MAP elsewhere.test 127.0.0.1'];
    if (!browser) {
      browser = await chromium.launch({ executablePath: CHROMIUM, args });
      cleanup.push(() => browser.close());
    }
    return { signet, cutter, origin, config, browser, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
