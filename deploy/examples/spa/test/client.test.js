// The rules of signet-client, one test each, on clocks that the test moves.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SignetClient, SignetError } from '../signet-client.js';
import { ISSUER, Origin, cutAfter, cutBefore, freeze, problem, thaw } from './world.js';

/** Tabs of one origin, signed in by the first of them. Each has its client, its world and what it told its page. */
async function signedIn(count, { mode = 'body', ...of } = {}) {
  const origin = new Origin(of);
  const open = () => {
    const world = origin.open(), client = new SignetClient({ issuer: ISSUER, mode, apis: ['https://api.example.com'], world }), told = [];
    for (const type of ['signin', 'signout', 'trouble', 'recovered']) client.addEventListener(type, (e) => told.push([type, type === 'signout' ? e.detail : e.detail?.code].filter(Boolean).join(' ')));
    return { world, client, told };
  };
  const tabs = Array.from({ length: count }, open);
  const done = tabs[0].client.verify('challenge', '123 456');
  await origin.time.pass(1000);
  await done;
  tabs.forEach((t) => { assert.ok(t.client.signedIn); t.told.length = 0; });
  origin.server.calls.length = 0;
  return { ...origin, time: origin.time, server: origin.server, tabs, open };
}

/** What a promise came to by the time that some time has passed. */
async function after(time, ms, promise) {
  let outcome = { pending: true };
  promise.then((value) => { outcome = { value }; }, (error) => { outcome = { error }; });
  await time.pass(ms);
  return outcome;
}

for (const locks of [true, false]) for (const mode of ['body', 'cookie']) {
  test(`six tabs renew in time, by one request (${mode} mode, Web Locks: ${locks})`, async () => {
    const { time, server, tabs } = await signedIn(6, { mode, locks });
    await time.pass(238_000);
    assert.equal(server.refreshes.length, 0, 'a minute before the end, not earlier');
    await time.pass(10_000);
    assert.equal(server.refreshes.length, 1);
    await time.pass(240_000);
    assert.equal(server.refreshes.length, 2);
    const all = new Set(await Promise.all(tabs.map((t) => t.client.token())));
    assert.equal(all.size, 1, 'all tabs have the same token');
    assert.deepEqual(tabs.flatMap((t) => t.told), []);
  });

  test(`six tabs wake after the end, by one request (${mode} mode, Web Locks: ${locks})`, async () => {
    const { time, server, tabs } = await signedIn(6, { mode, locks });
    time.sleep(8 * 3600_000);
    tabs.forEach((t) => t.world.document.dispatchEvent(new Event('visibilitychange')));
    const calls = Promise.all(tabs.map((t) => t.client.me()));
    const { value } = await after(time, 10_000, calls);
    assert.equal(value?.length, 6);
    assert.equal(server.refreshes.length, 1);
    assert.deepEqual(tabs.flatMap((t) => t.told), []);
  });
}

test('a timer that is late by an hour does not matter: the call that needs a token renews', async () => {
  const { time, server, tabs: [{ client }] } = await signedIn(1);
  time.sleep(3600_000);
  const { value } = await after(time, 1000, client.me());
  assert.ok(value);
  assert.equal(server.refreshes.length, 1);
  assert.equal(server.calls.length, 1, 'no request was spent on the old token');
});

test('a wall clock that is set back hides no end', async () => {
  const { time, server, tabs: [{ client }] } = await signedIn(1);
  time.wall -= 24 * 3600_000;
  await time.pass(245_000);
  assert.equal(server.refreshes.length, 1);
  await after(time, 10, client.me());
  assert.equal(server.refreshes.length, 1);
});

test('a 401 is answered by one renewal for all requests under way, and one repetition each', async () => {
  const { time, server, tabs: [{ client }] } = await signedIn(1);
  const old = await client.token();
  server.answers.set('GET https://api.example.com/orders', [(call) => (call.bearer === old ? { status: 401, json: {} } : { status: 200, json: {} })]);
  const { value } = await after(time, 5000, Promise.all(Array.from({ length: 5 }, () => client.fetch('https://api.example.com/orders'))));
  assert.deepEqual(value.map((r) => r.status), [200, 200, 200, 200, 200]);
  assert.equal(server.refreshes.length, 1);
  assert.equal(server.calls.length, 10);
});

test('a 401 that stays is handed to the page, and signs nobody out', async () => {
  const { time, server, tabs: [{ client, told }] } = await signedIn(1);
  server.answers.set('POST https://api.example.com/orders', [() => ({ status: 401, json: {} })]);
  const { value } = await after(time, 5000, client.fetch('https://api.example.com/orders', { method: 'POST', body: '{"n":1}' }));
  assert.equal(value.status, 401);
  assert.deepEqual(server.calls.map((c) => c.body), [{ n: 1 }, { n: 1 }]);
  assert.deepEqual(told, []);
  assert.ok(client.signedIn);
});

test('a 401 that asks for a step-up is for the page: a new token would not help', async () => {
  const { time, server, tabs: [{ client }] } = await signedIn(1);
  const headers = { 'WWW-Authenticate': 'Bearer error="insufficient_user_authentication", max_age="900"' };
  server.answers.set('GET https://api.example.com/', [() => ({ status: 401, json: {}, headers })]);
  const { value } = await after(time, 5000, client.fetch('https://api.example.com/'));
  assert.equal(value.status, 401);
  server.answers.set('DELETE /me', [() => problem(401, 'step_up_required')]);
  const { error } = await after(time, 5000, client.deleteMe('x'));
  assert.equal(error.action, 'step_up');
  server.answers.set('POST /me/password', [() => problem(401, 'invalid_credentials')]);
  assert.equal((await after(time, 5000, client.changePassword('a', 'b'))).error.action, 'fix');
  assert.equal(server.refreshes.length, 0);
});

test('the access token goes to the issuer and the named apis alone', async () => {
  const { server, tabs: [{ client }] } = await signedIn(1);
  await assert.rejects(client.fetch('https://elsewhere.example/'), TypeError);
  assert.equal(server.calls.length, 0);
});

test('an answer that is lost is asked for again, within the grace', async () => {
  const { time, server, tabs } = await signedIn(2);
  server.faults = [cutAfter(server), cutAfter(server)];
  await time.pass(250_000);
  assert.ok(server.refreshes.length >= 3);
  assert.ok(server.refreshes.at(-1).at - server.refreshes[0].at < 10_000);
  assert.deepEqual(tabs.flatMap((t) => t.told).filter((t) => t.startsWith('sign')), []);
  assert.equal(server.generation, 1);
});

test('offline: nobody is signed out, the page is told, and coming back is noticed at once', async () => {
  const { time, server, tabs: [{ world, client, told }] } = await signedIn(1);
  server.faults = Array.from({ length: 1000 }, () => cutBefore);
  await time.pass(3600_000);
  assert.ok(server.refreshes.length < 200, 'it tries ever more slowly');
  assert.ok(told.length && told.every((t) => t === 'trouble network'));
  const tries = server.refreshes.length;
  const outcomes = after(time, 16_000, Promise.allSettled(Array.from({ length: 20 }, () => client.me())));
  const [{ reason: error }] = (await outcomes).value;
  assert.equal(error.code, 'network');
  assert.ok(server.refreshes.length - tries < 5, 'twenty calls that wait are one that tries');
  assert.equal(error.action, 'wait');
  server.faults = [];
  world.dispatchEvent(new Event('online'));
  await time.pass(500);
  assert.equal(told.at(-1), 'recovered');
  assert.ok(client.signedIn);
});

for (const [status, code] of [[503, 'unavailable'], [429, 'rate_limited']]) {
  test(`${status} of refresh is waited out by every tab, as long as it says`, async () => {
    const { time, server, tabs } = await signedIn(3);
    server.faults = [() => problem(status, code, { retry_after: 40 })];
    await time.pass(242_000);
    assert.equal(server.refreshes.length, 1);
    tabs.forEach((t) => t.world.dispatchEvent(new Event('online')));
    await time.pass(36_000);
    assert.equal(server.refreshes.length, 1, 'not before the 40 seconds are over, whatever wakes');
    await time.pass(6000);
    assert.equal(server.refreshes.length, 2);
    assert.deepEqual(tabs.flatMap((t) => t.told).filter((t) => t.startsWith('sign')), []);
  });
}

test('calls wait out a 429 within the patience, and tell the page of a longer one', async () => {
  const { time, server, tabs: [{ client }] } = await signedIn(1);
  server.answers.set('POST /login', [() => problem(429, 'rate_limited', { retry_after: 5 }), () => ({ status: 200, json: { challenge_id: 'c' } })]);
  const short = after(time, 6000, client.login({ email: 'a', password: 'b' }));
  assert.equal((await short).value.challenge_id, 'c');
  assert.ok(server.calls[1].at - server.calls[0].at >= 5000);
  server.answers.set('POST /login', [() => problem(429, 'rate_limited', { retry_after: 600 })]);
  const { error } = await after(time, 1000, client.login({ email: 'a', password: 'b' }));
  assert.deepEqual([error.action, error.retryAfter, error.status], ['wait', 600, 429]);
});

test('what may have been done is not done twice behind the page’s back; what can do no harm is', async () => {
  const { time, server, tabs: [{ client }] } = await signedIn(1);
  server.answers.set('POST /login/verify', [() => ({ cut: true })]);
  assert.equal((await after(time, 5000, client.verify('c', '1'))).error.code, 'network');
  assert.equal(server.calls.length, 1);
  server.answers.set('GET /me', [() => ({ cut: true }), () => problem(503, 'unavailable', { retry_after: 2 }), () => ({ status: 200, json: { id: 'x' } })]);
  assert.equal((await after(time, 5000, client.me())).value.id, 'x');
});

for (const code of ['invalid_token', 'token_reused', 'session_revoked']) {
  test(`${code} of refresh ends the session in every tab, once, with the reason`, async () => {
    const { time, server, tabs } = await signedIn(3);
    server.faults = [() => problem(401, code)];
    await time.pass(250_000);
    assert.deepEqual(tabs.map((t) => t.told), [[`signout ${code}`], [`signout ${code}`], [`signout ${code}`]]);
    assert.ok(tabs.every((t) => !t.client.signedIn && t.client.claims === null));
    assert.equal(server.refreshes.length, 1);
    assert.equal((await after(time, 10, tabs[1].client.me())).error.code, 'signed_out');
  });
}

for (const [what, answer] of Object.entries({
  'a 401 that is not signet’s': () => ({ status: 401, raw: '<h1>Proxy</h1>' }),
  'a 401 with another code': () => problem(401, 'invalid_credentials'),
  'a hotel’s portal': () => ({ status: 200, raw: '<h1>Welcome</h1>' }),
  'a gateway’s 502': () => ({ status: 502, raw: 'bad gateway' }),
  'a 500': () => problem(500, 'internal'),
  'a 200 without tokens': () => ({ status: 200, json: { ok: true } }),
  'half an answer': () => ({ status: 200, raw: '{"access_token":"ey' }),
})) {
  test(`${what} to a refresh signs nobody out`, async () => {
    const { time, server, tabs: [{ client, told }] } = await signedIn(1);
    server.faults = [answer];
    await time.pass(250_000);
    assert.ok(client.signedIn);
    assert.match(told.join(), /^trouble (network|unavailable|internal|invalid_credentials)/);
    assert.equal(told.filter((t) => t.startsWith('sign')).length, 0);
  });
}

test('a refusal that is a wrong setting is told, and not asked for again and again', async () => {
  const { time, server, tabs: [{ client, told }] } = await signedIn(1, { mode: 'cookie' });
  server.faults = Array.from({ length: 100 }, () => () => problem(403, 'forbidden'));
  await time.pass(280_000);
  assert.equal(server.refreshes.length, 1);
  assert.deepEqual(told, ['trouble forbidden']);
  assert.ok(client.signedIn);
});

test('signing out is seen by every tab, and no late message brings the session back', async () => {
  const { time, server, tabs, open } = await signedIn(3);
  freeze(tabs[2].world);
  const { value, error } = await after(time, 1000, tabs[0].client.logout());
  assert.equal(value, undefined);
  assert.equal(error, undefined);
  assert.deepEqual(server.calls[0].body, { refresh_token: 'srt_sid-1_0' });
  thaw(tabs[2].world);
  open(); // asks nobody yet
  await time.pass(100);
  assert.deepEqual(tabs.map((t) => t.told), [['signout signed_out'], ['signout signed_out'], ['signout signed_out']]);
  await time.pass(600_000);
  assert.equal(server.refreshes.length, 0);
});

test('tokens told by a tab that has not heard of the sign-out are not taken', async () => {
  const { time, tabs } = await signedIn(2);
  const zombie = { access: await tabs[1].client.token(), refresh: 'srt_sid-1_0', life: 300, wall: time.wall };
  await after(time, 1000, tabs[0].client.logout());
  tabs[0].world.channels[0].onmessage({ data: { tokens: zombie } });
  assert.equal(tabs[0].client.signedIn, false);
});

test('a sign-out that the server was not told of is none', async () => {
  const { time, server, tabs } = await signedIn(2, { mode: 'cookie' });
  server.answers.set('POST /logout', [() => ({ cut: true })]);
  const { error } = await after(time, 20_000, tabs[0].client.logout());
  assert.equal(error.code, 'network');
  assert.ok(tabs.every((t) => t.client.signedIn));
});

test('a tab that opens takes the session from another, without asking the server', async () => {
  for (const mode of ['body', 'cookie']) {
    const { time, server, open } = await signedIn(1, { mode });
    const late = open();
    assert.equal((await after(time, 1000, late.client.restore())).value, true);
    assert.equal(server.refreshes.length, 0);
    assert.deepEqual(late.told, ['signin']);
    assert.equal(late.client.claims.sub, 'ü');
  }
});

test('the first tab takes the session of the cookie; in body mode it has none, and asks nobody', async () => {
  const cookie = await signedIn(1, { mode: 'cookie' });
  cookie.tabs[0].world.state = 'dead';
  const back = cookie.open();
  assert.equal((await after(cookie.time, 1000, back.client.restore())).value, true);
  assert.equal(cookie.server.refreshes.length, 1);
  const body = await signedIn(1);
  body.tabs[0].world.state = 'dead';
  assert.equal((await after(body.time, 1000, body.open().client.restore())).value, false);
  assert.equal(body.server.refreshes.length, 0);
});

test('a first tab without a session says nothing; one whose session was stolen meanwhile says so', async () => {
  const { time, server, tabs, open } = await signedIn(1, { mode: 'cookie' });
  tabs[0].world.state = 'dead';
  server.faults = [() => problem(401, 'invalid_token'), () => problem(401, 'token_reused')];
  const [none, stolen] = [open(), open()];
  assert.equal((await after(time, 1000, none.client.restore())).value, false);
  assert.equal((await after(time, 1000, stolen.client.restore())).value, false);
  assert.deepEqual([none.told, stolen.told], [[], ['signout token_reused']]);
});

test('tokens that are older than what a tab has are not taken', async () => {
  const { time, tabs: [{ client, world }] } = await signedIn(1);
  const [, payload] = (await client.token()).split('.'), mine = await client.token();
  world.channels[0].onmessage({ data: { tokens: { access: `old.${payload}.x`, refresh: 'srt_sid-1_-1', life: 300, wall: time.wall - 100_000 } } });
  assert.equal(await client.token(), mine);
});

test('a final 401 for a refresh token that another tab has replaced meanwhile signs nobody out', async () => {
  const { time, server, tabs: [{ client, world, told }] } = await signedIn(1);
  const [, payload] = (await client.token()).split('.');
  server.faults = [() => {
    world.channels[0].onmessage({ data: { tokens: { access: `new.${payload}.x`, refresh: 'srt_sid-1_1', life: 300, wall: time.wall } } });
    return problem(401, 'invalid_token');
  }];
  await time.pass(250_000);
  assert.deepEqual(told, []);
  assert.ok(client.signedIn);
});

test('another session’s end is not this one’s', async () => {
  const { tabs: [{ client, world }] } = await signedIn(1);
  world.channels[0].onmessage({ data: { out: 'token_reused', sid: 'sid-0' } });
  assert.ok(client.signedIn);
});

test('a tab that was frozen for hours never shows its old refresh token', async () => {
  const { time, server, tabs } = await signedIn(2);
  freeze(tabs[1].world);
  await time.pass(3600_000);
  const { generation } = server;
  assert.ok(generation > 10);
  thaw(tabs[1].world);
  tabs[1].world.document.dispatchEvent(new Event('visibilitychange'));
  const { value } = await after(time, 1000, tabs[1].client.me());
  assert.ok(value);
  assert.equal(server.revoked, '');
  assert.ok(!server.refreshes.slice(1).some((r) => r.token === 'srt_sid-1_0'));
});

test('a tab that comes back and may have missed messages asks before it believes itself', async () => {
  const { time, server, tabs: [{ client, world }] } = await signedIn(1);
  server.revoked = 'session_revoked';
  world.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
  await time.pass(1000);
  assert.equal(client.signedIn, false);
});

test('a tab that is closed in the middle of a renewal is followed by another at once, within the grace', async () => {
  const { time, server, tabs, locks } = await signedIn(2);
  tabs[1].world.setTimeout = (work, ms) => time.set(() => tabs[1].world.run(work), ms > 200_000 ? ms + 60_000 : ms); // a browser that throttles a hidden tab
  tabs[1].world.document.dispatchEvent(new Event('visibilitychange'));
  server.faults = [(call) => { const answer = server.refresh(call); tabs[0].world.state = 'dead'; locks.release(); return answer; }];
  await time.pass(310_000);
  assert.ok(server.refreshes.length >= 2);
  assert.ok(server.refreshes[1].at - server.refreshes[0].at < 10_000);
  assert.equal(server.revoked, '');
  assert.ok(tabs[1].client.signedIn);
});

test('a sign-in waits for a renewal under way, whose late cookie would replace its own', async () => {
  const { time, server, tabs } = await signedIn(2, { mode: 'cookie' });
  server.latency = 5000;
  const renewal = tabs[0].client.fetch(ISSUER + '/api/v1/none');
  server.answers.set('GET /none', [() => ({ status: 401, json: {} })]);
  await time.pass(5500);
  const verified = tabs[1].client.verify('c', '1');
  await time.pass(40_000);
  await Promise.allSettled([renewal, verified]);
  const order = server.calls.filter((c) => c.path === '/login/verify')[0].at;
  assert.ok(order >= server.refreshes[0].at + 2500, 'the refresh was answered before verify was sent');
});

test('the code is what was typed or pasted, without its blanks; the mode says where the refresh token goes', async () => {
  for (const mode of ['cookie', 'body']) {
    const { time, server, tabs: [{ client }] } = await signedIn(1, { mode });
    await after(time, 1000, client.verify('c', ' 123 456\n'));
    assert.deepEqual(server.calls.at(-1).body, { challenge_id: 'c', code: '123456', cookie: mode === 'cookie' });
    assert.equal(server.calls.at(-1).cookies, mode === 'cookie');
    server.answers.set('POST /login', [() => ({ status: 200, json: {} })]);
    await after(time, 1000, client.login({ email: 'a', password: 'b' }));
    assert.equal(server.calls.at(-1).body.device_token, mode === 'body' ? 'device' : undefined);
  }
});

test('every code has its action, and the two lists of codes are one', () => {
  const actions = {
    fix: ['invalid_request', 'weak_password', 'conflict', 'invalid_credentials', 'invalid_code'],
    restart: ['challenge_expired', 'too_many_attempts'],
    sign_in: ['invalid_token', 'token_reused', 'session_revoked', 'signed_out'],
    step_up: ['step_up_required'], reset_password: ['password_reset_required'],
    wait: ['rate_limited', 'unavailable', 'internal', 'network'],
    stop: ['forbidden', 'not_found', 'method_not_allowed', 'payload_too_large', 'unsupported_media_type'],
  };
  for (const [action, codes] of Object.entries(actions)) for (const code of codes) assert.equal(new SignetError({ code }).action, action, code);
  const declared = /export type Code =([^;]*);/.exec(readFileSync(new URL('../signet-client.d.ts', import.meta.url), 'utf8'))[1].match(/\w+/g);
  assert.deepEqual(declared.sort(), Object.values(actions).flat().sort());
  assert.equal(new SignetError({ code: 'invented', status: 418 }).action, 'stop');
  assert.equal(new SignetError({ code: 'invented', status: 507 }).action, 'wait');
  const e = new SignetError({ code: 'conflict', status: 409, detail: 'Taken.', errors: [{ field: 'username', message: 'is taken' }], request_id: 'r' });
  assert.deepEqual([e.message, e.errors[0].field, e.requestId, e.status], ['Taken.', 'username', 'r', 409]);
});

test('what the .d.ts declares is what there is', () => {
  const types = readFileSync(new URL('../signet-client.d.ts', import.meta.url), 'utf8');
  const body = types.slice(types.indexOf('export class SignetClient')), client = new SignetClient({ issuer: ISSUER, world: new Origin().open() });
  const declared = new Set([...body.matchAll(/^  (?:readonly )?(\w+)[(<:]/gm)].map((m) => m[1]).filter((name) => name !== 'addEventListener'));
  const there = [...Object.getOwnPropertyNames(SignetClient.prototype), ...Object.keys(client)];
  assert.deepEqual([...declared].sort(), there.sort());
});
