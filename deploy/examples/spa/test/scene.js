// What the proofs play on: the real signet, the app on a port of its own, a service that verifies offline, and Debian's Chromium.

import { spawn, spawnSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from '../serve.js';
import { startMail } from './mail.js';

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

/** The binary: SIGNET_BIN, or what go makes of this checkout. */
function binary(folder) {
  if (process.env.SIGNET_BIN) return process.env.SIGNET_BIN;
  const out = join(folder, 'signet'), root = fileURLToPath(new URL('../../../../', import.meta.url));
  const built = spawnSync('go', ['build', '-o', out, './cmd/signet'], { cwd: root, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`go build: ${built.stderr || built.error}`);
  return out;
}

/** A signet with settings of its own, in a folder of its own. */
async function startSignet(folder, settings, ...args) {
  const quiet = Object.fromEntries(['CODES', 'SOURCE', 'GUESSES', 'PASSWORDS'].map((budget) => [`SIGNET_LIMIT_${budget}`, '0'])); // one machine plays everybody
  const env = { ...process.env, SIGNET_DATA_DIR: join(folder, 'data'), SIGNET_LISTEN: '127.0.0.1:0', SIGNET_LOG_FORMAT: 'json', ...quiet, ...settings };
  const child = spawn(binary(folder), ['serve', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { log += data; });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const port = await until('signet to listen', () => {
    if (child.exitCode !== null) throw new Error(`signet ended: ${log}`);
    return /"event":"started"/.test(log) && /"addr":"[^"]*:(\d+)"/.exec(log)?.[1];
  });
  const url = `http://localhost:${port}`, read = new Set();
  return {
    url,
    stop: () => { child.kill('SIGTERM'); return ended; },
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

/** Stands between the app and signet, and cuts the answers to refresh in the middle as often as it is told to. */
async function startCutter(target) {
  const cutter = { cuts: 0, url: '', stop: () => {} };
  const server = createServer((from, to) => {
    const path = new URL(from.url, target);
    const onward = request(path, { method: from.method, headers: from.headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => {
        const body = Buffer.concat(chunks), { 'transfer-encoding': _, ...headers } = answer.headers;
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

/** A service behind signet: offline, by the JWKS; it answers who called, and with which token. */
async function startApi(issuer, allowed) {
  const { keys } = await (await fetch(`${issuer}/.well-known/jwks.json`)).json();
  const caller = (bearer) => {
    const [header, payload, signature] = bearer.split('.');
    const { alg, kid, typ } = JSON.parse(Buffer.from(header, 'base64url'));
    const jwk = alg === 'ES256' && typ === 'at+jwt' && keys.find((k) => k.kid === kid && k.alg === alg);
    if (!jwk) return null;
    const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))) return null;
    const claims = JSON.parse(Buffer.from(payload, 'base64url'));
    return claims.iss === issuer && claims.exp > Date.now() / 1000 ? claims : null;
  };
  const server = createServer((req, res) => {
    const cors = req.headers.origin === allowed && { 'Access-Control-Allow-Origin': allowed, 'Access-Control-Allow-Headers': 'Authorization', 'Access-Control-Expose-Headers': 'WWW-Authenticate' };
    const reply = (status, body) => res.writeHead(status, { ...cors, 'Content-Type': 'application/json' }).end(body && JSON.stringify(body));
    if (req.method === 'OPTIONS') return reply(204);
    const bearer = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(req.headers.authorization ?? '')?.[1], who = bearer && caller(bearer);
    if (!who) return reply(401, { error: 'invalid_token' });
    if (req.url === '/reports' && !who.roles?.includes('analyst')) return reply(403, { error: 'insufficient_scope', needs: 'analyst' });
    reply(200, { sub: who.sub, jti: who.jti });
  });
  return { url: `http://localhost:${await listening(server)}`, stop: stopping(server) };
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

/** Everything at once. settings are signet's; with `dev: false` it is a signet in earnest that allows the app's origin alone. */
export async function scene({ settings = {}, dev = true } = {}) {
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
    const api = await started(startApi(signet.url, origin));
    Object.assign(config, { issuer: cutter.url, api: api.url });
    const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--host-resolver-rules=MAP elsewhere.test 127.0.0.1'];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    cleanup.push(() => browser.close());
    return { signet, cutter, api, origin, config, browser, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
