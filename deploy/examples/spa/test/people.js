// What somebody does in the pages, and what is kept of all that their browser said and was given.

import assert from 'node:assert/strict';

export const PASSWORD = 'violet-otter-plays-cello';

/** A browser profile on a scene. `seen` has every token that its pages got (the last ones by name), every word of the console and every error. */
export async function profile({ browser, origin }, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(30_000);
  const seen = { tokens: new Set(), console: [], errors: [], urls: new Set() };
  context.on('console', (message) => seen.console.push(`${message.type()}: ${message.text()} ${message.location().url}`));
  context.on('weberror', (error) => seen.errors.push(error.error().message));
  context.on('request', (request) => seen.urls.add(request.url()));
  context.on('response', async (response) => {
    if (!response.url().includes('/api/v1/') || response.request().method() === 'OPTIONS') return;
    const set = await response.json().catch(() => null);
    for (const name of ['access_token', 'refresh_token', 'device_token', 'challenge_id']) if (set?.[name]) seen.tokens.add(set[name]);
    if (set?.access_token) [seen.access, seen.refresh] = [set.access_token, set.refresh_token];
  });
  const open = async (path = '/') => { const page = await context.newPage(); await page.goto(origin + path); return page; };
  return { context, seen, open };
}

/** The field that is shown now under a label. */
export const field = (page, label) => page.locator('input').and(page.getByLabel(label, { exact: true })).filter({ visible: true });
export const heading = (page, name) => page.getByRole('heading', { name }).waitFor();
export const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

/** Registers somebody through the pages and ends on the account. */
export async function register(page, signet, email, { stay = true } = {}) {
  await heading(page, 'Sign in');
  await page.getByRole('checkbox', { name: 'Keep me signed in' }).setChecked(stay);
  await page.getByRole('link', { name: 'Create an account' }).click();
  await field(page, 'First name optional').fill('Ada');
  await field(page, 'Last name optional').fill('Lovelace');
  await field(page, 'E-mail address').fill(email);
  await field(page, 'Password').fill(PASSWORD);
  await press(page, 'Create account');
  await enterCode(page, await signet.code(email));
}

/** Gives the password on the sign-in page, and then the code, pasted as mail programs show it. */
export async function signIn(page, signet, email, password = PASSWORD) {
  await field(page, 'E-mail address or username').fill(email);
  await field(page, 'Password').fill(password);
  await press(page, 'Continue');
  await enterCode(page, await signet.code(email));
}

async function enterCode(page, code) {
  await field(page, 'Code').fill(`${code.slice(0, 3)} ${code.slice(3)}`);
  await press(page, 'Sign in');
  await heading(page, 'Your account');
  await page.locator('#sessions li').first().waitFor();
}

/** Calls the protected API from a page, and answers what it showed, and with which token it was served. */
export async function callApi(page, path = '/me') {
  await page.locator('#api-answer').evaluate((answer) => { answer.hidden = true; });
  let bearer;
  const note = (request) => { if (request.url().endsWith(path) && request.headers().authorization) bearer = request.headers().authorization; };
  page.on('request', note);
  await press(page, `GET ${path}`);
  await page.locator('#api-answer').waitFor();
  page.off('request', note);
  const text = await page.locator('#api-body').textContent();
  let body;
  try { body = JSON.parse(text); } catch { body = text; }
  return { bearer, status: (await page.locator('#api-status').textContent()).split(' ')[0], body };
}

/** No token is anywhere that outlives the page or is seen by others: storage, script-readable cookies, the address, the document, the console. */
export async function keepsSecrets({ context, seen }, more = []) {
  const secrets = [...seen.tokens, ...more];
  assert.ok(secrets.length > 0, 'no token was seen at all');
  for (const page of context.pages()) {
    const kept = await page.evaluate(async () => JSON.stringify([
      { ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, window.name, document.documentElement.outerHTML,
      await indexedDB.databases(), await caches.keys(), Object.keys(window).filter((name) => typeof window[name] === 'string').map((name) => window[name]),
    ]));
    for (const secret of secrets) assert.ok(!kept.includes(secret), 'a token is kept in the page');
    const storage = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.match(storage, /^\[\{("signet-example-stay":"(yes|no)")?\},\{\}\]$/, 'one choice is stored, and nothing else');
  }
  for (const secret of secrets) {
    assert.ok(!seen.console.some((line) => line.includes(secret)), 'a token is in the console');
    assert.ok(![...seen.urls].some((url) => url.includes(secret)), 'a token is in an address');
  }
  assert.deepEqual(seen.errors, [], 'errors of the page');
  assert.deepEqual(seen.console.filter((line) => /Content.Security|Trusted/i.test(line) && !/frame-ancestors/.test(line)), [], 'the policy was broken');
}
