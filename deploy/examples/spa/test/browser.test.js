// The app in a real browser, against the real issuer: what people do, and what goes wrong around them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { browserPath, mails, open, stranger, until } from './stage.js';

const skip = browserPath || process.env.CI ? false : 'there is no Chromium';
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = process.env.SIGNET_PICTURES; // a folder, to look at them
const password = 'violet-otter-plays-cello';
const RENEWAL = '/api/v1/token/refresh';

describe('in a browser', { skip }, () => {
  let stage;
  before(async () => {
    assert.ok(browserPath, 'CI is set and there is no Chromium');
    stage = await open();
  });
  after(() => stage?.close());

  let people = 0;

  /** A browser of one person, and what its pages say, ask and are answered. */
  async function person(cookies, options = {}) {
    const context = await stage.browser.newContext(options);
    const seen = { console: [], secrets: new Set(), renewals: 0 };
    context.on('console', (message) => seen.console.push(message.text()));
    context.on('request', (request) => { if (request.method() === 'POST' && request.url().endsWith(RENEWAL)) seen.renewals++; });
    context.on('response', async (response) => {
      const set = await response.json().catch(() => ({}));
      for (const name of ['access_token', 'refresh_token', 'device_token', 'challenge_id']) if (set?.[name]) seen.secrets.add(set[name]);
      if (set?.refresh_token) seen.refresh = set.refresh_token;
    });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    return { context, page, seen, cookies, address: `person${++people}@example.org` };
  }

  const shown = (page, view) => page.waitForSelector(`#view-${view}:not([hidden])`);

  /** The code that was mailed after so many mails. */
  async function mailed(address, count) {
    const list = await until('mail', async () => { const all = await mails(stage.issuer, address); return all.length > count && all; });
    return list[0].code;
  }

  async function register(p) {
    await p.page.goto(stage.app + '/#register');
    await shown(p.page, 'register');
    if (!p.cookies) await p.page.evaluate(() => { localStorage.setItem('signet-example-stay', 'no'); });
    if (!p.cookies) { await p.page.reload(); await shown(p.page, 'register'); }
    await p.page.locator('#re-email').fill(p.address);
    await p.page.locator('#re-password').fill(password);
    await p.page.getByRole('button', { name: 'Create account' }).click();
    await shown(p.page, 'code');
    await typeCode(p, 0);
  }

  async function typeCode(p, count) {
    const code = await mailed(p.address, count);
    await p.page.locator('#co-code').fill(`${code.slice(0, 3)} ${code.slice(3)}`); // as people paste it
    await p.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await shown(p.page, 'account');
    await p.page.locator('#sessions li').first().waitFor();
  }

  async function signIn(p, secret = password) {
    await p.page.goto(stage.app + '/#sign-in');
    await shown(p.page, 'sign-in');
    await p.page.locator('#si-name').fill(p.address);
    await p.page.locator('#si-password').fill(secret);
    await p.page.locator('#si-stay').setChecked(p.cookies);
    const count = (await mails(stage.issuer, p.address)).length;
    await p.page.getByRole('button', { name: 'Continue' }).first().click();
    await shown(p.page, 'code');
    await typeCode(p, count);
  }

  /** Nothing secret is where somebody else could read it. */
  async function keepsSecrets(p) {
    for (const page of p.context.pages()) {
      const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML]));
      for (const secret of [...p.seen.secrets, password]) {
        assert.ok(!kept.includes(secret), `a page keeps ${secret}`);
        assert.ok(!p.seen.console.some((line) => line.includes(secret)), 'a secret is in the console');
      }
    }
    assert.ok(p.seen.secrets.size > 1, 'no secret was seen at all');
  }

  /** Six tabs of one session, signed in. */
  async function sixTabs(p) {
    while (p.context.pages().length < 6) {
      const page = await p.context.newPage();
      await page.goto(stage.app);
      await shown(page, 'account');
    }
    return p.context.pages();
  }

  for (const cookies of [true, false]) {
    describe(cookies ? 'cookie mode' : 'body mode', () => {
      test('the whole story', async () => {
        const p = await person(cookies), { page } = p;
        await register(p);
        assert.equal(await page.locator('#sessions li').count(), 1);
        await page.locator('#pr-given').fill('Ada');
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByText('Saved.').waitFor();
        assert.equal(await page.locator('#who').textContent(), 'Ada');

        await page.getByRole('button', { name: 'GET /me' }).click();
        await page.locator('#api-status', { hasText: '200' }).waitFor();
        await page.getByRole('button', { name: 'GET /reports' }).click();
        await page.locator('#api-status', { hasText: '403' }).waitFor();

        const other = await person(cookies);
        other.address = p.address;
        await signIn(other);
        await page.reload();
        if (!cookies) { await shown(page, 'sign-in'); await signIn(p); } else await shown(page, 'account'); // in memory alone
        const ends = page.getByRole('button', { name: /^End / });
        await ends.first().waitFor();
        for (let left = await ends.count(); left > 0; left--) {
          await ends.first().click();
          await until('shorter list', async () => (await ends.count()) < left);
        }
        await other.page.reload();
        await other.page.locator('#view-sign-in:not([hidden]), #view-ended:not([hidden])').first().waitFor();

        await page.locator('#pw-current').fill(password);
        await page.locator('#pw-new').fill('cello-plays-violet-otter');
        await page.getByRole('button', { name: 'Change password' }).click();
        await page.getByText('The password has changed.').waitFor();

        await page.locator('#em-email').fill('moved.' + p.address);
        await page.locator('#em-password').fill('cello-plays-violet-otter');
        await page.getByRole('button', { name: 'Change address' }).click();
        await page.locator('#su-code').waitFor();
        await page.locator('#su-code').fill(await mailed('moved.' + p.address, 0));
        await page.getByRole('button', { name: 'Confirm' }).click();
        await page.getByText('Your address has changed.').waitFor();
        p.address = 'moved.' + p.address;

        await keepsSecrets(p);
        await page.getByRole('button', { name: 'Sign out', exact: true }).click();
        await shown(page, 'ended');
        await page.reload();
        await shown(page, 'sign-in');

        await page.goto(stage.app + '/#forgot');
        await page.locator('#fo-email').fill(p.address);
        const count = (await mails(stage.issuer, p.address)).length;
        await page.getByRole('button', { name: 'Mail me a code' }).click();
        await page.locator('#rs-code').fill(await mailed(p.address, count));
        await page.locator('#rs-password').fill(password);
        await page.getByRole('button', { name: 'Save the password' }).click();
        await shown(page, 'sign-in');
        await signIn(p);
        await page.getByRole('button', { name: 'Sign out everywhere' }).click();
        await shown(page, 'ended');
        await p.context.close();
        await other.context.close();
      });

      test('six tabs that wake at the same moment renew once, and nobody is signed out', async () => {
        const p = await person(cookies);
        await p.context.clock.install();
        await register(p);
        const tabs = await sixTabs(p);
        for (const sleep of ['06:00', '08:00:00']) { // longer than an access token; a night
          const before = p.seen.renewals, claims = await Promise.all(tabs.map((tab) => tab.locator('#since').textContent()));
          await p.context.clock.fastForward(sleep);
          await until('renewal', () => p.seen.renewals > before);
          for (const tab of tabs) {
            await tab.getByRole('button', { name: 'GET /me' }).click();
            await tab.locator('#api-status', { hasText: '200' }).waitFor();
            await tab.locator('#view-account').waitFor();
          }
          assert.equal(p.seen.renewals, before + 1, `${tabs.length} tabs renewed ${p.seen.renewals - before} times`);
          assert.equal(claims.length, 6);
        }
        await keepsSecrets(p);

        await tabs[3].getByRole('button', { name: 'Sign out', exact: true }).click();
        for (const tab of tabs) await shown(tab, 'ended');
        await p.context.close();
      });

      test('an answer that is cut in flight is asked for again', async () => {
        const p = await person(cookies);
        await p.context.clock.install();
        await register(p);
        let cut = 0;
        await p.context.route('**' + RENEWAL, async (route) => {
          if (route.request().method() !== 'POST' || cut++) return route.continue();
          await fetch(route.request().url(), { method: 'POST', headers: await route.request().allHeaders(), body: route.request().postData() ?? undefined }); // it arrives
          return route.abort('connectionreset'); // its answer does not
        });
        await p.context.clock.fastForward('06:00');
        await until('second try', () => cut >= 2);
        await p.page.getByRole('button', { name: 'GET /me' }).click();
        await p.page.locator('#api-status', { hasText: '200' }).waitFor();
        assert.equal(await p.page.locator('#view-account').isVisible(), true);
        await p.context.close();
      });
    });
  }

  test('a theft that is played from outside ends every tab, with a page that says so', async () => {
    const p = await person(false);
    await p.context.clock.install();
    await register(p);
    const stolen = p.seen.refresh, tabs = await sixTabs(p);
    await p.context.clock.fastForward('06:00');
    await until('renewal', () => p.seen.refresh !== stolen);
    const thief = () => fetch(stage.issuer + RENEWAL, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ refresh_token: stolen }) });
    await until('detection', async () => (await thief()).status === 401); // once the grace is over
    await p.context.clock.fastForward('06:00');
    for (const tab of tabs) {
      await shown(tab, 'ended');
      assert.match(await tab.locator('#h-ended').textContent(), /ended|to be safe/);
    }
    await p.context.close();
  });

  test('a page of another origin can neither read nor use the session', async (t) => {
    const p = await person(true);
    await register(p);
    const evil = await p.context.newPage();
    const closing = [];
    const url = await stranger((step) => closing.push(step));
    t.after(() => closing.forEach((step) => step()));
    await evil.goto(url);
    const sent = [];
    p.context.on('request', (request) => { if (request.frame().page() === evil) sent.push(request); });
    const probes = await evil.evaluate(async ({ issuer, app }) => {
      const attempt = async (path, init) => {
        try { const answer = await fetch(issuer + path, { credentials: 'include', ...init }); return `${answer.status} ${await answer.text()}`; } catch (error) { return String(error); }
      };
      const frame = document.createElement('iframe');
      frame.src = app;
      document.body.append(frame);
      await new Promise((resolve) => { frame.onload = resolve; setTimeout(resolve, 2000); });
      let inside;
      try { inside = frame.contentDocument?.body.innerHTML ?? 'closed'; } catch { inside = 'closed'; }
      return {
        refresh: await attempt('/api/v1/token/refresh', { method: 'POST' }),
        json: await attempt('/api/v1/token/refresh', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }),
        logout: await attempt('/api/v1/logout', { method: 'POST' }),
        plain: await attempt('/api/v1/logout', { method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body: '{}' }),
        me: await attempt('/api/v1/me'),
        cookie: document.cookie, inside,
      };
    }, { issuer: stage.issuer, app: stage.app });
    for (const name of ['refresh', 'json', 'logout', 'me']) assert.match(probes[name], /TypeError/, `${name}: ${probes[name]}`);
    assert.equal(probes.cookie, '');
    assert.ok(!probes.inside.includes('signet'), probes.inside);
    for (const request of sent) assert.ok(!(await request.allHeaders()).cookie?.includes('signet_refresh'), `the cookie went to ${request.url()}`);
    await p.page.reload();
    await shown(p.page, 'account');
    await p.context.close();
  });

  test('the countdown before another code, and a wrong code', async () => {
    const p = await person(true), { page } = p;
    await page.goto(stage.app + '/#register');
    await page.locator('#re-email').fill(p.address);
    await page.locator('#re-password').fill('password123');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.locator('#re-password-error').waitFor();
    await page.locator('#re-password').fill(password);
    await page.getByRole('button', { name: 'Create account' }).click();
    await shown(page, 'code');
    const first = await mailed(p.address, 0);
    await page.locator('#co-code').fill(first === '000000' ? '000001' : '000000');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.locator('#co-code-error').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'co-code');
    await page.getByRole('button', { name: 'Send another code' }).click(); // once the countdown is over
    await typeCode(p, 1);
    await p.context.close();
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`no view has a finding of axe, ${colorScheme}`, async () => {
      for (const viewport of [{ width: 390, height: 844 }, { width: 1280, height: 860 }]) {
        const p = await person(true, { colorScheme, viewport, bypassCSP: true, reducedMotion: 'reduce' }), { page } = p;
        const look = async (view) => {
          await page.locator('#toast.shown').waitFor({ state: 'hidden' }).catch(() => {});
          if (pictures) await page.screenshot({ path: `${pictures}/${view}-${viewport.width}-${colorScheme}.png`, fullPage: true });
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.target).join(', ')}`), [], view);
        };
        await page.goto(stage.app);
        for (const view of ['sign-in', 'register', 'forgot']) {
          await page.goto(stage.app + '/#' + view);
          await shown(page, view);
          await look(view);
        }
        await page.locator('#fo-email').fill('nobody@example.org');
        await page.getByRole('button', { name: 'Mail me a code' }).click();
        await shown(page, 'reset');
        await look('reset');
        await page.goto(stage.app + '/#register');
        await page.locator('#re-email').fill(p.address);
        await page.locator('#re-password').fill('password123');
        await page.getByRole('button', { name: 'Create account' }).click();
        await page.locator('#re-password-error').waitFor();
        await look('register-refused');
        await page.locator('#re-password').fill(password);
        await page.getByRole('button', { name: 'Create account' }).click();
        await shown(page, 'code');
        await look('code');
        await typeCode(p, 0);
        await page.getByRole('button', { name: 'GET /me' }).click();
        await page.locator('#api-status').waitFor();
        await look('account');
        await page.locator('#em-email').fill('next.' + p.address);
        await page.locator('#em-password').fill(password);
        await page.getByRole('button', { name: 'Change address' }).click();
        await page.locator('#su-code').waitFor();
        await look('confirm');
        await page.locator('#form-confirm-code .cancel').click();
        await page.getByRole('button', { name: 'Sign out', exact: true }).click();
        await shown(page, 'ended');
        await look('ended');
        await p.context.close();
      }
    });
  }
});
