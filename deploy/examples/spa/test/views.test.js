// Every view, in both themes and two widths: axe finds nothing, nothing is wider than the window, the focus is where it should be.
// SIGNET_PICTURES=folder keeps a picture of each.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import axe from 'axe-core';
import { PASSWORD, callApi, field, press, profile, signIn } from './people.js';
import { scene, skip } from './scene.js';

const pictures = process.env.SIGNET_PICTURES;
if (pictures) mkdirSync(pictures, { recursive: true });

let on;
before(async () => { if (!skip) on = await scene({ settings: { SIGNET_REFRESH_GRACE: '0s' } }); });
after(() => on?.stop());

for (const colorScheme of ['light', 'dark']) for (const [width, height] of [[1280, 860], [390, 844]]) {
  const name = `${colorScheme}-${width}`;
  test(`views, ${colorScheme}, ${width} wide`, { skip }, async () => {
    const { context, seen, open } = await profile(on, { viewport: { width, height }, colorScheme });
    await context.clock.install();
    const page = await open(), email = `${name}@example.org`;

    /** Looks at the view that is shown. */
    async function look(view, heading) {
      if (heading) await page.getByRole('heading', { name: heading }).waitFor();
      if (!(await page.evaluate('typeof axe !== "undefined"'))) await page.evaluate(axe.source);
      const found = await page.evaluate(() => axe.run(document, { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } }));
      assert.ok(found.passes.length > 10, `${view}: axe looked at something`);
      assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(', ')}`), [], view);
      assert.deepEqual(found.incomplete.filter((v) => v.id !== 'color-contrast').map((v) => v.id), [], view);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${view} is ${wide} px wider than the window`);
      if (pictures && !(await page.locator('dialog').isVisible())) await page.evaluate(() => scrollTo(0, 0));
      if (pictures) await page.screenshot({ path: `${pictures}/${view}-${name}.png`, fullPage: true });
    }
    const focused = () => page.evaluate(() => document.activeElement.id);

    await look('sign-in', 'Sign in');
    assert.equal(await focused(), 'h-sign-in');
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'si-name', 'the first stop is the first field');
    await field(page, 'E-mail address or username').fill(email);
    await field(page, 'Password').fill('wrong-password');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
    await look('sign-in-wrong');

    await page.getByRole('link', { name: 'Create an account' }).click();
    await look('register', 'Create an account');
    await field(page, 'E-mail address').fill(email);
    await field(page, 'Password').fill('password');
    await press(page, 'Create account');
    await page.locator('#re-password[aria-invalid]').waitFor();
    assert.equal(await focused(), 're-password', 'the focus goes to what is wrong');
    assert.match(await page.locator('#re-password').getAttribute('aria-describedby'), /re-password-error/);
    await look('register-weak');
    await page.getByRole('link', { name: 'Sign in' }).click();

    await page.getByRole('link', { name: 'Forgot it?' }).click();
    await look('forgot', 'Choose a new password');
    await field(page, 'E-mail address').fill(email);
    await press(page, 'Mail me a code');
    await look('reset', 'The code, and a new password');
    await page.goto(on.origin);

    await page.getByRole('link', { name: 'Create an account' }).click();
    await field(page, 'E-mail address').fill(email);
    await field(page, 'First name optional').fill('Ada');
    await field(page, 'Last name optional').fill('Lovelace');
    await field(page, 'Password').fill(PASSWORD);
    await press(page, 'Create account');
    await field(page, 'Code').fill('000 000');
    await press(page, 'Sign in');
    await page.locator('#co-code[aria-invalid]').waitFor();
    await look('code-wrong', 'Check your mailbox');
    await field(page, 'Code').fill(await on.signet.code(email));
    await press(page, 'Sign in');
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    await callApi(page);
    await press(page, 'Show Current password');
    await look('account');

    await page.route('**/api/v1/me', (route) => (route.request().method() !== 'DELETE' ? route.fallback()
      : route.fulfill({ status: 401, headers: { 'Access-Control-Allow-Origin': on.origin, 'Access-Control-Allow-Credentials': 'true', 'Content-Type': 'application/problem+json' }, json: { code: 'step_up_required', status: 401, detail: 'This needs a sign-in of the last minutes.' } })));
    await page.locator('#de-password').fill(PASSWORD);
    await press(page, 'Delete my account');
    await look('step-up', 'Is it you?');
    await page.locator('#su-password').fill(PASSWORD);
    await press(page, 'Continue');
    await page.locator('#su-code').waitFor();
    assert.equal(await focused(), 'su-code');
    await look('step-up-code');
    await on.signet.code(email);
    await page.keyboard.press('Escape');
    await page.locator('#confirm').waitFor({ state: 'hidden' });

    await page.route('**/token/refresh', (route) => route.abort());
    await context.clock.fastForward('06:00');
    await page.locator('#banner').waitFor();
    await look('trouble');
    await page.unroute('**/token/refresh');
    await page.locator('#banner').waitFor({ state: 'hidden' });

    await press(page, 'Sign out');
    await look('signed-out', 'You are signed out');
    await page.getByRole('link', { name: 'Sign in' }).click();
    await signIn(page, on.signet, email);
    const [{ value }] = (await context.cookies()).filter((c) => c.name === 'signet_refresh');
    await on.signet.post('/token/refresh', { refresh_token: value });
    await page.reload();
    await look('stolen', 'Signed out, to be safe');
    await context.close();
    assert.deepEqual(seen.errors, []);
    assert.deepEqual(seen.console.filter((line) => /Content Security|TrustedType/.test(line)), []);
  });
}
