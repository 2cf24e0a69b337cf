// What the network, the night and thieves do to six tabs of one session, in both modes, against the real signet. The pages' clocks are
// moved by the test; signet's is not, so that tokens really expire where it says so.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { callApi, heading, keepsSecrets, press, profile, register } from './people.js';
import { scene, skip, until } from './scene.js';

const STEP = 200; // ms that clocks go on at a time
const REFRESH = '/api/v1/token/refresh';
let short, strict; // a signet whose access tokens live for seconds, and one without a grace
before(async () => {
  if (skip) return;
  short = await scene({ settings: { SIGNET_ACCESS_TTL: '15s' } });
  strict = await scene({ settings: { SIGNET_REFRESH_GRACE: '0s' }, browser: short.browser });
});
after(async () => { for (const on of [strict, short]) await on?.stop(); });

/** Six tabs of one session, whose clocks stand still from now on. */
async function asleep({ signet, ...stage }, email, { stay, locks = true }) {
  const them = await profile(stage), tabs = [];
  if (!locks) await them.context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }));
  await them.context.clock.install();
  tabs.push(await them.open());
  await register(tabs[0], signet, email, { stay });
  while (tabs.length < 6) tabs.push(await them.open());
  await Promise.all(tabs.map((tab) => heading(tab, 'Your account')));
  await pause(them.context.clock);
  return { ...them, tabs };
}

/** Stops the clocks. They can only be stopped ahead of where they are, which on a busy machine is further on than it was. */
async function pause(clock) {
  for (let ahead = 1000; ; ahead *= 2) {
    try { return await clock.pauseAt(Date.now() + ahead); } catch (error) { if (ahead > 30_000 || !/past/.test(error.message)) throw error; }
  }
}

/** Lets the tabs wake at the same moment, hours later, and their clocks go on in small steps until all of them can call the API again. */
async function wake({ context, tabs }) {
  await context.clock.fastForward('08:00:00');
  const answers = Promise.all(tabs.map((tab) => callApi(tab)));
  let done = false;
  answers.finally(() => { done = true; }).catch(() => {});
  await until('all tabs to be served', async () => { if (!done) await context.clock.runFor(STEP); return done; });
  return answers;
}

/** Lets clocks go on in small steps until every tab shows a heading. */
const shown = ({ context, tabs }, name) => until(`every tab to say: ${name}`, async () => {
  await context.clock.runFor(STEP);
  return (await Promise.all(tabs.map((tab) => tab.getByRole('heading', { name }).isVisible()))).every(Boolean);
});

/** All six were served, with the same token. */
function served(answers) {
  assert.deepEqual(answers.map((a) => a.status), Array(6).fill('200'));
  assert.equal(new Set(answers.map((a) => a.bearer)).size, 1, 'all of them have the same token');
}

for (const mode of ['cookie', 'body']) {
  test(`six tabs wake at the same moment after the access token expired: one refresh, nobody signed out (${mode} mode)`, { skip }, async () => {
    const { signet, cutter } = short, them = await asleep(short, `six.${mode}@example.org`, { stay: mode === 'cookie' });
    await until('the access token to expire', async () => (await signet.get('/me', them.seen.access)).status === 401);
    const before = await signet.count(REFRESH);
    served(await wake(them));
    assert.equal(await signet.count(REFRESH) - before, 1, 'one refresh for all');

    cutter.cuts = 2; // another night, and a bad network in the morning
    served(await wake(them));
    assert.equal(cutter.cuts, 0);
    assert.equal(await signet.count(REFRESH) - before, 4, 'two answers were cut in flight, the third came through');
    await keepsSecrets(them);

    await press(them.tabs[3], 'Sign out');
    await shown(them, 'You are signed out');
    await them.context.close();
  });
}

test('a browser without Web Locks: six tabs wake, nobody is signed out', { skip }, async () => {
  const them = await asleep(strict, 'lease@example.org', { stay: false, locks: false });
  assert.equal(await them.tabs[0].evaluate(() => navigator.locks), undefined);
  const before = await strict.signet.count(REFRESH);
  served(await wake(them));
  assert.equal(await strict.signet.count(REFRESH) - before, 1, 'without a grace a second one would have been a theft');
  await them.context.close();
});

for (const mode of ['cookie', 'body']) {
  test(`a theft ends every tab, with a page that says so: the thief was first (${mode} mode)`, { skip }, async () => {
    const them = await asleep(strict, `stolen.${mode}@example.org`, { stay: mode === 'cookie' });
    const loot = mode === 'cookie' ? (await them.context.cookies()).find((c) => c.name === 'signet_refresh').value : them.seen.refresh;
    assert.equal((await strict.signet.post('/token/refresh', { refresh_token: loot })).status, 200);
    await them.context.clock.fastForward('06:00');
    await shown(them, 'Signed out, to be safe');
    assert.ok(await them.tabs[5].getByText('Change your password').isVisible());
    assert.equal((await strict.signet.post('/token/refresh', { refresh_token: loot })).status, 401, 'the thief is out as well');
    assert.ok(!(await them.context.cookies()).some((c) => c.name === 'signet_refresh'));
    await keepsSecrets(them);
    await them.context.close();
  });
}

test('a theft ends every tab: the thief was second', { skip }, async () => {
  const them = await asleep(strict, 'second@example.org', { stay: false }), loot = them.seen.refresh;
  await wake(them); // the tabs use it
  assert.equal((await (await strict.signet.post('/token/refresh', { refresh_token: loot })).json()).code, 'token_reused');
  await press(them.tabs[2], 'Save'); // signet refuses the session at once; refresh says that it has ended
  await shown(them, 'Your session was ended');
  await them.context.close();
});

test('offline when the token runs out: the page says so, and goes on when the network is back', { skip }, async () => {
  const them = await asleep(strict, 'offline@example.org', { stay: true }), { context, tabs: [page] } = them;
  const banner = (visible) => until(`a banner: ${visible}`, async () => { await context.clock.runFor(STEP); return (await page.locator('#banner').isVisible()) === visible; });
  await context.setOffline(true);
  await context.clock.fastForward('10:00');
  await banner(true);
  await context.setOffline(false);
  await banner(false);
  assert.equal((await callApi(page)).status, '200');
  await context.close();
});
