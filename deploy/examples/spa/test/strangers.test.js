// Pages of other origins, against a signet in earnest that allows the app's origin alone: on another port of the same host (one site: the
// browser does send the cookie), on another address of the machine, and under another name. None can read or use the session.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { callApi, heading, keepsSecrets, profile, register, signIn } from './people.js';
import { listening, scene, skip, until } from './scene.js';

const page = '<!doctype html><meta charset="utf-8"><title>stranger</title>';
const ports = [], servers = [];
let on;
before(async () => {
  if (skip) return;
  on = await scene({ dev: false });
  for (const host of ['localhost', '127.0.0.1']) {
    servers.push(createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(page)));
    ports.push(await listening(servers.at(-1), host));
  }
});
after(async () => {
  servers.forEach((server) => { server.close(); server.closeAllConnections(); });
  await on?.stop();
});

/** What a page can try: each answers what the page could read, or why nothing. */
async function attempts(stranger, issuer, mine) {
  return stranger.evaluate(async ({ issuer, mine }) => {
    const attempt = async (path, init) => {
      try {
        const answer = await fetch(issuer + path, { credentials: 'include', ...init });
        return answer.type === 'opaque' ? 'opaque' : `read ${answer.status} ${await answer.text()}`;
      } catch { return 'refused'; }
    };
    const json = { 'Content-Type': 'application/json' };
    return {
      refresh: await attempt('/api/v1/token/refresh', { method: 'POST' }),
      'refresh, unread': await attempt('/api/v1/token/refresh', { method: 'POST', mode: 'no-cors' }),
      'refresh, plain text': await attempt('/api/v1/token/refresh', { method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body: '{}' }),
      'refresh, JSON': await attempt('/api/v1/token/refresh', { method: 'POST', headers: json, body: '{}' }),
      me: await attempt('/api/v1/me'),
      logout: await attempt('/api/v1/logout', { method: 'POST' }),
      'logout, unread': await attempt('/api/v1/logout', { method: 'POST', mode: 'no-cors' }),
      'sign-in to another account': await attempt('/api/v1/login/verify', { method: 'POST', mode: 'no-cors', body: JSON.stringify({ ...mine, cookie: true }) }),
      beacon: String(navigator.sendBeacon(issuer + '/api/v1/logout')),
    };
  }, { issuer, mine });
}

test('no page of another origin can read or use the session', { skip }, async () => {
  const { signet, origin, config } = on, them = await profile(on), app = await them.open();
  await register(app, signet, 'victim@example.org');
  const sub = (await callApi(app)).body.sub;
  const cookie = async () => (await them.context.cookies()).find((c) => c.name === 'signet_refresh')?.value;
  const before = await cookie();
  assert.ok(before);

  for (const [name, url] of Object.entries({
    'another port, the same site': `http://localhost:${ports[0]}/`, 'another address': `http://127.0.0.1:${ports[1]}/`, 'another name': `http://elsewhere.test:${ports[1]}/`,
  })) {
    const thief = `thief.${new URL(url).hostname}@example.org`;
    const mine = await (await signet.post('/register', { email: thief, password: 'the-thief-has-one-too' })).json();
    const stranger = await them.context.newPage();
    await stranger.goto(url);
    on.cutter.notes.length = 0;
    const theirs = await signet.code(thief), got = await attempts(stranger, config.issuer, { challenge_id: mine.challenge_id, code: theirs });
    for (const [what, outcome] of Object.entries(got)) {
      if (what !== 'beacon') assert.match(outcome, /^(refused|opaque)$/, `${name}: ${what}`);
    }
    const sent = on.cutter.notes.filter((note) => note.method === 'POST' && note.origin === new URL(url).origin);
    const carried = sent.filter((note) => note.cookie.includes('signet_refresh'));
    if (name.startsWith('another port')) {
      assert.ok(carried.length >= 4, 'the browser sent the cookie: what refused it was signet');
      assert.deepEqual([...new Set(carried.map((note) => note.status))].sort(), [403, 415]); // 415: not JSON, whoever sends it
    } else {
      assert.ok(sent.length >= 4, 'the requests were sent');
      assert.deepEqual(carried, [], 'the browser kept the cookie from another site');
    }
    assert.ok(sent.every((note) => note.status >= 400 || note.cookie === ''), 'nothing was done with a cookie');
    const planted = await signet.post('/login/verify', { challenge_id: mine.challenge_id, code: theirs, cookie: true }, { Origin: new URL(url).origin }); // as a laxer browser would
    assert.deepEqual([planted.status, planted.headers.get('set-cookie')], [403, null], 'nobody is signed in to another’s account');
    assert.equal(await cookie(), before, `${name}: the cookie is what it was`);
    assert.equal((await stranger.evaluate(() => document.cookie)), '', 'a script reads no cookie');

    // A form, which needs nobody's leave.
    on.cutter.notes.length = 0;
    await stranger.evaluate((action) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action, target: 'away' });
      const frame = Object.assign(document.createElement('iframe'), { name: 'away' });
      document.body.append(frame, form);
      form.submit();
    }, `${config.issuer}/api/v1/logout`);
    await until('the form', () => on.cutter.notes.find((note) => note.path.endsWith('/logout')));
    assert.equal(await cookie(), before, `${name}: a form changes nothing`);

    // The app itself: not in a frame, and not by a handle of the window that it opened.
    const refused = stranger.waitForEvent('console', (m) => /frame-ancestors/.test(m.text()));
    await stranger.evaluate((src) => document.body.append(Object.assign(document.createElement('iframe'), { src })), origin);
    await refused;
    const [popup] = await Promise.all([them.context.waitForEvent('page'), stranger.evaluate((url) => { window.opened = open(url); }, origin)]);
    await heading(popup, 'Your account');
    assert.equal(await popup.evaluate(() => window.opener), null);
    assert.equal(await stranger.evaluate(() => window.opened.closed), true);
    await popup.close();
    await stranger.close();
  }

  await app.reload();
  await heading(app, 'Your account');
  assert.equal((await callApi(app)).body.sub, sub, 'the session is still the victim’s, and alive');
  await keepsSecrets(them);
  await them.context.close();
});

test('the origin that is allowed can: the same requests from the app', { skip }, async () => {
  const them = await profile(on), app = await them.open();
  await register(app, on.signet, 'allowed@example.org');
  const status = await app.evaluate(async (issuer) => (await fetch(`${issuer}/api/v1/token/refresh`, { method: 'POST', credentials: 'include' })).status, on.config.issuer);
  assert.equal(status, 200);
  await app.evaluate(async (issuer) => fetch(`${issuer}/api/v1/logout`, { method: 'POST', credentials: 'include' }), on.config.issuer);
  await app.reload();
  await heading(app, 'Sign in');
  await signIn(app, on.signet, 'allowed@example.org');
  await them.context.close();
});
