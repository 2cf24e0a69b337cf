// The whole story of somebody with the app, in both modes, against the real signet: and no token stays where it could be found.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PASSWORD, callApi, field, heading, keepsSecrets, press, profile, register, signIn } from './people.js';
import { scene, skip } from './scene.js';

let on;
before(async () => { if (!skip) on = await scene({ settings: { SIGNET_RESEND_AFTER: '2s' } }); });
after(() => on?.stop());

for (const stay of [true, false]) {
  const mode = stay ? 'cookie' : 'body';
  test(`from registration to deletion, ${mode} mode`, { skip }, async () => {
    const { signet } = on, email = `ada.${mode}@example.org`, them = await profile(on), page = await them.open();

    await register(page, signet, email, { stay });
    assert.equal(await page.locator('#who').textContent(), 'Ada Lovelace');
    assert.deepEqual([...them.seen.tokens].some((t) => t.startsWith('srt_')), !stay, 'a script sees the refresh token in body mode alone');
    const cookie = (await them.context.cookies()).find((c) => c.name === 'signet_refresh');
    assert.equal(Boolean(cookie), stay);
    if (cookie) assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict');

    // Profile, conflicts and the protected API.
    await field(page, 'First name').fill('Augusta');
    await field(page, 'Username optional').fill(`ada-${mode}`);
    await press(page, 'Save');
    await page.getByText('Saved.').waitFor();
    assert.equal(await page.locator('#who').textContent(), 'Augusta Lovelace');
    const { status, body } = await callApi(page);
    assert.equal(status, '200');
    assert.match(body.sub, /^[0-9a-f-]{36}$/);
    assert.equal((await callApi(page, '/reports')).status, '403');

    // Reload: the cookie carries on; memory does not.
    await page.reload();
    await heading(page, stay ? 'Your account' : 'Sign in');
    if (!stay) await signIn(page, signet, email);

    // A second device, seen and ended from here.
    const other = await profile(on), elsewhere = await other.open();
    await elsewhere.getByRole('checkbox', { name: 'Keep me signed in' }).setChecked(stay);
    await signIn(elsewhere, signet, email);
    await page.reload();
    if (!stay) await signIn(page, signet, email);
    await page.getByRole('button', { name: /^End Chrome on Linux/ }).first().waitFor();
    for (let left = await page.getByRole('button', { name: /^End / }).count(); left > 0; left--) {
      await page.getByRole('button', { name: /^End / }).first().click();
      await page.getByRole('button', { name: /^End / }).nth(left - 1).waitFor({ state: 'detached' });
    }
    assert.equal(await page.evaluate(() => document.activeElement.id), 'h-sessions', 'the focus is not lost with the button');
    await press(elsewhere, 'Save');
    await heading(elsewhere, 'Your session was ended');

    // The password: a wrong one is said at its field; then every other session ends and this one goes on.
    await elsewhere.getByRole('link', { name: 'Sign in' }).click();
    await signIn(elsewhere, signet, email);
    await field(page, 'Current password').fill('not-the-password');
    await field(page, 'New password').fill('a-better-otter-than-before');
    await press(page, 'Change password');
    await page.locator('#pw-current[aria-invalid]').waitFor();
    await field(page, 'Current password').fill(PASSWORD);
    await press(page, 'Change password');
    await page.getByText('The password has changed.').waitFor();
    await press(elsewhere, 'Save');
    await heading(elsewhere, 'Your session was ended');
    await keepsSecrets(other);
    await other.context.close();

    // The address: the code goes to the new one.
    await field(page, 'E-mail address').fill(`new.${email}`);
    await field(page, 'Password, to change the address').fill('a-better-otter-than-before');
    await press(page, 'Change address');
    await field(page, 'Code').fill(await signet.code(`new.${email}`));
    await press(page, 'Confirm');
    await page.getByText('Your address has changed.').waitFor();

    // Every tab is signed out with one.
    const second = await them.open();
    await heading(second, 'Your account');
    await press(page, 'Sign out');
    await Promise.all([page, second].map((tab) => heading(tab, 'You are signed out')));
    for (const trace of ['Lovelace', `new.${email}`]) assert.ok(!(await page.locator('body').innerHTML()).includes(trace), 'nothing of the account stays on the page');
    await second.reload();
    await heading(second, 'Sign in');
    await second.close();

    // Forgotten, reset, and back; a code that is sent again, pasted with its blank.
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: 'Forgot it?' }).click();
    await field(page, 'E-mail address').fill(`new.${email}`);
    await press(page, 'Mail me a code');
    const first = await signet.code(`new.${email}`);
    await press(page, 'Send another code'); // when the countdown is over
    const code = await signet.code(`new.${email}`);
    assert.notEqual(code, first);
    await field(page, 'Code').fill(` ${code.slice(0, 4)} ${code.slice(4)} `);
    await field(page, 'New password').fill(PASSWORD);
    await press(page, 'Save the password');
    await signIn(page, signet, `new.${email}`);

    // A step-up, which a fresh sign-in needs only when the server says so: its first answer is played, the rest is real.
    let asked = 0;
    await page.route('**/api/v1/me', (route) => (route.request().method() !== 'DELETE' || asked++ ? route.fallback() : route.fulfill({
      status: 401, json: { code: 'step_up_required', status: 401, detail: 'This needs a sign-in of the last minutes.' },
      headers: { 'Access-Control-Allow-Origin': on.origin, 'Access-Control-Allow-Credentials': 'true', 'Content-Type': 'application/problem+json' },
    })));
    await page.locator('#de-password').fill(PASSWORD);
    await press(page, 'Delete my account');
    await page.locator('#su-password').fill(PASSWORD);
    await press(page, 'Continue');
    await field(page, 'Code').fill(await signet.code(`new.${email}`));
    await press(page, 'Confirm');
    await heading(page, 'You are signed out');
    assert.equal(asked, 2);
    assert.ok(!(await them.context.cookies()).some((c) => c.name === 'signet_refresh'), 'no cookie is left behind');
    await keepsSecrets(them);
    await them.context.close();
  });
}

test('signing out everywhere ends the other device too', { skip }, async () => {
  const here = await profile(on), there = await profile(on), page = await here.open(), away = await there.open();
  await register(page, on.signet, 'everywhere@example.org');
  await signIn(away, on.signet, 'everywhere@example.org');
  await press(page, 'Sign out everywhere');
  await heading(page, 'You are signed out');
  await press(away, 'Save');
  await heading(away, 'Your session was ended');
  await here.context.close();
  await there.context.close();
});

test('what is wrong is said where it is wrong, to eye and ear', { skip }, async () => {
  const them = await profile(on), page = await them.open('/#register');
  await field(page, 'E-mail address').fill('wrong@example.org');
  await field(page, 'Password').fill('password123');
  await press(page, 'Create account');
  const password = page.locator('#re-password');
  await page.locator('#re-password[aria-invalid=true]').waitFor();
  assert.equal(await password.evaluate((input) => input === document.activeElement), true);
  assert.match(await page.locator('#re-password-error').textContent(), /common/);
  assert.equal(await page.locator('#re-password-error').getAttribute('role'), 'alert');
  await password.fill(PASSWORD);
  await press(page, 'Create account');
  await page.locator('#co-code').waitFor();
  assert.deepEqual(await page.locator('#co-code').evaluate((input) => [input.autocomplete, input.inputMode, input.maxLength]), ['one-time-code', 'numeric', -1]);
  const right = await on.signet.code('wrong@example.org');
  for (let left = 5; left > 0; left--) {
    await field(page, 'Code').fill(right === '000000' ? '111111' : '000000');
    await press(page, 'Sign in');
    if (left > 1) await page.locator('#co-code-error').waitFor();
  }
  await field(page, 'Code').fill(right);
  await press(page, 'Sign in');
  await heading(page, 'Create an account'); // too_many_attempts: the way starts again, and says why
  assert.match(await page.locator('#form-register .error').textContent(), /\w/);
  await keepsSecrets(them, [PASSWORD]);
  await them.context.close();
});

test('a 429 counts down on the button, and the form can be sent again when it is over', { skip }, async () => {
  const them = await profile(on);
  await them.context.clock.install();
  const page = await them.open();
  await page.route('**/api/v1/login', (route) => route.fulfill({
    status: 429, json: { code: 'rate_limited', status: 429, detail: 'Too many tries.', retry_after: 90 },
    headers: { 'Access-Control-Allow-Origin': on.origin, 'Access-Control-Allow-Credentials': 'true', 'Content-Type': 'application/problem+json', 'Retry-After': '90' },
  }));
  await field(page, 'E-mail address or username').fill('busy@example.org');
  await field(page, 'Password').fill(PASSWORD);
  await press(page, 'Continue');
  const button = page.getByRole('button', { name: /^Continue \(in 1:\d\d\)$/ });
  await button.waitFor();
  assert.equal(await button.getAttribute('aria-disabled'), 'true');
  await them.context.clock.fastForward('01:31');
  await page.getByRole('button', { name: 'Continue', exact: true }).waitFor();
  await them.context.close();
});
