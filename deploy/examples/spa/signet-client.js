// signet-client: sign-in, tokens and their renewal for a page that talks to signet. One file, no dependencies: copy it, with its .d.ts.
//
// What holds: tokens live in memory only (in cookie mode the refresh token not even there). All tabs of an origin share one session: one
// of them renews, the others are told. A session ends when the server says so (a final 401 of refresh) or the user does, never because
// of a lost answer, a sleep, a bad network or a busy server. Renewing twice is harmless for the server's grace (30 seconds), so that
// nothing breaks where tabs can't hear each other.

/** @import { Action, Challenge, Code, Options, Page, Session, User } from './signet-client.js' */
/** @typedef {{ access: string, refresh?: string, life: number, wall: number, mono: number }} Tokens life in s; asked for at wall and mono, ms */

/** @type {Record<Code, Action>} */
const ACTIONS = {
  invalid_request: 'fix', weak_password: 'fix', conflict: 'fix', invalid_credentials: 'fix', invalid_code: 'fix',
  challenge_expired: 'restart', too_many_attempts: 'restart',
  invalid_token: 'sign_in', token_reused: 'sign_in', session_revoked: 'sign_in', signed_out: 'sign_in',
  step_up_required: 'step_up', password_reset_required: 'reset_password',
  rate_limited: 'wait', unavailable: 'wait', internal: 'wait', network: 'wait',
  forbidden: 'stop', not_found: 'stop', method_not_allowed: 'stop', payload_too_large: 'stop', unsupported_media_type: 'stop',
};
const FINAL = ['invalid_token', 'token_reused', 'session_revoked'];
const DONE = Symbol('done');
const TIMEOUT = 20_000; // ms; a request that hangs must not keep the lock

export class SignetError extends Error {
  constructor({ code, status = 0, detail = '', errors = [], retry_after = 0, request_id = '' }, options = {}) {
    super(detail || code, options);
    this.name = 'SignetError';
    this.code = code;
    this.status = status;
    this.errors = errors;
    this.retryAfter = retry_after;
    this.requestId = request_id;
    this.action = ACTIONS[code] ?? (status >= 500 || status === 429 ? 'wait' : 'stop');
  }
}

export class SignetClient extends EventTarget {
  #apis; #clientId; #patience; #world; #channel; #undo;
  /** @type {Tokens | null} */ #tokens = null;
  /** @type {string | undefined} */ #device; // known to the server; buys a budget of its own, nothing else
  /** @type {Promise<void> | undefined} */ #renewing;
  /** @type {SignetError | null} */ #trouble = null;
  #hold = -Infinity; // no refresh before this moment of the monotonic clock
  #ended = ''; // the sid of the session that ended last: a late message must not bring it back
  #timer = 0;
  #ticket = 0; // where there are no Web Locks: 0, or this tab's claim of the lease (0 to 1), or -1 while it has it
  /** @type {Promise<unknown>} */ #turn = Promise.resolve();
  /** @type {Set<(why: string) => void>} */ #sleepers = new Set();

  /** @param {Options} options */
  constructor({ issuer, mode = 'cookie', apis = [], clientId, patience = 15, world = globalThis }) {
    super();
    this.issuer = issuer;
    this.mode = mode;
    [this.#clientId, this.#patience, this.#world] = [clientId, patience * 1000, world];
    this.#apis = new Set([issuer, ...apis]);
    this.#channel = new world.BroadcastChannel('signet ' + issuer);
    this.#channel.onmessage = (event) => this.#hear(event.data);
    const wake = (event) => this.#wake(event.persisted);
    const events = [[world.document, 'visibilitychange'], [world, 'online'], [world, 'focus'], [world, 'pageshow']];
    events.forEach(([target, type]) => target?.addEventListener?.(type, wake));
    this.#undo = () => events.forEach(([target, type]) => target?.removeEventListener?.(type, wake));
  }

  get signedIn() { return this.#tokens !== null; }
  get claims() { return this.#tokens && claimsOf(this.#tokens); }

  // ---- What a page calls. The .d.ts says what goes in and out.

  async restore() { await this.#renew(null); return this.signedIn; }
  async token() { return (await this.#current()).access; }
  async fetch(input, init) {
    const request = new this.#world.Request(input, init);
    if (!this.#apis.has(new URL(request.url).origin)) throw new TypeError(`signet-client: ${request.url} is not among the apis`);
    const send = ({ access }) => {
      const copy = request.clone();
      copy.headers.set('Authorization', 'Bearer ' + access);
      return this.#world.fetch(copy);
    };
    const tokens = await this.#current();
    const answer = await send(tokens);
    if (answer.status !== 401 || /insufficient_user_authentication/.test(answer.headers.get('WWW-Authenticate') ?? '')) return answer;
    return send(await this.#renewed(tokens));
  }

  register(fields) { return this.#post('/register', { ...fields, client_id: this.#clientId }); }
  login(fields) {
    return this.#post('/login', { ...fields, client_id: this.#clientId, device_token: this.mode === 'body' ? this.#device : undefined });
  }
  resend(challenge_id) { return this.#post('/login/resend', { challenge_id }); }
  verify(challenge_id, code) {
    const cookie = this.mode === 'cookie';
    return this.#signIn('/login/verify', { challenge_id, code: digits(code), cookie }, { cookies: cookie });
  }
  forgot(email) { return this.#post('/password/forgot', { email }); }
  reset(challenge_id, code, new_password) { return this.#post('/password/reset', { challenge_id, code: digits(code), new_password }); }

  me() { return this.#authorized('GET', '/me'); }
  updateMe(fields) { return this.#authorized('PATCH', '/me', fields); }
  async deleteMe(password) { await this.#authorized('DELETE', '/me', { password }); this.#end('signed_out', true); }
  changePassword(current_password, new_password) { return this.#authorized('POST', '/me/password', { current_password, new_password }); }
  changeEmail(new_email, password) { return this.#authorized('POST', '/me/email', { new_email, password }); }
  verifyEmail(challenge_id, code) { return this.#authorized('POST', '/me/email/verify', { challenge_id, code: digits(code) }); }
  sessions(cursor) { return this.#authorized('GET', '/me/sessions' + (cursor ? '?cursor=' + encodeURIComponent(cursor) : '')); }
  endSession(sid) { return sid === this.claims?.sid ? this.logout() : this.#authorized('DELETE', '/me/sessions/' + encodeURIComponent(sid)); }
  stepUp(password) { return this.#authorized('POST', '/step-up', { password }); }
  verifyStepUp(challenge_id, code) {
    return this.#asUser(({ access, refresh }) =>
      this.#signIn('/step-up/verify', { challenge_id, code: digits(code) }, { bearer: access, cookies: !refresh }));
  }
  async logout({ all = false } = {}) {
    if (all) await this.#authorized('POST', '/logout', { all: true }, true);
    else await this.#alone(() => this.#patiently(() => this.#send('POST', '/logout', ...this.#proof()), true));
    this.#end('signed_out', true);
  }
  close() {
    this.#undo();
    this.#channel.close();
    this.#world.clearTimeout(this.#timer);
    this.#wakeFor('closed');
  }

  // ---- Renewal: in time, or after a 401; by one tab, for all.

  /** Tokens that are good for now. */
  async #current() {
    if (!this.#tokens) throw new SignetError({ code: 'signed_out' });
    return this.#left(this.#tokens) > 0 ? this.#tokens : this.#renewed(this.#tokens);
  }

  /** Tokens newer than stale; when that takes more than the patience, the trouble. */
  async #renewed(stale) {
    const late = this.#sleep(this.#patience).then(() => Promise.reject(this.#trouble ?? new SignetError({ code: 'network' })));
    await Promise.race([this.#renew(stale), late]);
    return this.#current();
  }

  /** Goes on until there are newer tokens than stale (null: any), or the session has ended. */
  #renew(stale) { return this.#renewing ??= this.#untilRenewed(stale).finally(() => { this.#renewing = undefined; }); }

  async #untilRenewed(stale) {
    for (let failures = 0; this.#tokens === stale;) {
      const error = await this.#alone((waited) => this.#refresh(stale, waited));
      if (error === DONE) break;
      if (error) {
        if (error.retryAfter) this.#hold = this.#mono() + error.retryAfter * 1000; // who asks is told
        this.#fire('trouble', this.#trouble = error);
        if (error.action !== 'wait') throw error; // a wrong setting, say: asking again won't help
        await this.#sleep(pause(failures++), 'woken', 'told');
      }
      await this.#sleep(this.#hold - this.#mono(), 'told');
    }
    if (this.#trouble) this.#fire('recovered', this.#trouble = null);
  }

  /** In the lock: whoever had it before has perhaps done it all. Answers DONE, an error, or null for "not before #hold". */
  async #refresh(stale, waited) {
    const settled = () => this.#tokens !== stale && (!this.#tokens || !this.#due(this.#tokens));
    if (settled()) return DONE;
    await this.#ask(waited ? 2000 : stale ? 300 : 100);
    if (settled()) return DONE;
    if (this.#hold > this.#mono()) return null;
    const have = this.#tokens, asked = this.#clocks();
    if (!have && this.mode === 'body') return DONE; // no other tab has a session, and their memory is where it would be
    this.#channel.postMessage({ began: true }); // whoever renews too stands in line now: if this tab is closed meanwhile, the grace runs
    try {
      this.#take(await this.#send('POST', '/token/refresh', ...this.#proof()), asked);
    } catch (error) {
      if (error.status !== 401 || !FINAL.includes(error.code)) return error;
      if (this.#tokens === have) this.#end(error.code, true);
    }
    return DONE;
  }

  /** @param {boolean} [missed] messages may have been missed: what is here may be old */
  #wake(missed) {
    this.#wakeFor('woken');
    if (this.#tokens && (missed || this.#due(this.#tokens))) this.#renew(this.#tokens).catch(() => {});
    else this.#plan();
  }

  #plan() {
    this.#world.clearTimeout(this.#timer);
    if (!this.#tokens) return;
    const ms = 1000 * (this.#left(this.#tokens) - margin(this.#tokens));
    this.#timer = this.#world.setTimeout(() => this.#wake(), Math.min(Math.max(ms, 0), 2 ** 31 - 1));
  }

  // ---- Clocks. One stands still while the machine sleeps, the other can be set: the one that says more time has gone by is believed.

  #mono() { return this.#world.performance.now(); }
  #clocks() { return { wall: this.#world.Date.now(), mono: this.#mono() }; }
  #left({ life, wall, mono }) { return life - Math.max(this.#world.Date.now() - wall, this.#mono() - mono) / 1000; } // in seconds
  #due(tokens) { return this.#left(tokens) <= margin(tokens); }

  /** Resolves with why it ended: `slept`, or one of the reasons that may cut it short. @returns {Promise<string>} */
  #sleep(ms, ...reasons) {
    return new Promise((resolve) => {
      if (!(ms > 0)) return resolve('slept');
      const timer = this.#world.setTimeout(() => wake('slept'), ms);
      const wake = (why) => {
        if (why !== 'slept' && why !== 'closed' && !reasons.includes(why)) return;
        this.#world.clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve(why);
      };
      this.#sleepers.add(wake);
    });
  }
  #wakeFor(why) { this.#sleepers.forEach((wake) => wake(why)); }

  // ---- The session, and what tabs tell each other.

  #take(set, asked) {
    if (typeof set?.access_token !== 'string') throw new SignetError({ code: 'network', detail: 'That was not the server’s answer.' });
    this.#device = set.device_token ?? this.#device;
    this.#adopt({ access: set.access_token, refresh: set.refresh_token, life: set.expires_in, ...asked });
    this.#tell();
  }

  #adopt(tokens) {
    const before = this.claims?.sid, sid = claimsOf(tokens).sid;
    if (sid === this.#ended) return;
    this.#tokens = tokens;
    this.mode = tokens.refresh ? 'body' : 'cookie';
    this.#hold = -Infinity;
    this.#plan();
    if (!this.#due(tokens)) this.#wakeFor('told');
    if (sid !== before) this.#fire('signin', this.claims);
  }

  #end(reason, tell) {
    const sid = this.claims?.sid;
    this.#tokens = null;
    this.#plan();
    if (sid) this.#ended = sid;
    if (sid && tell) this.#channel.postMessage({ out: reason, sid });
    if (sid || reason === 'token_reused' || reason === 'session_revoked') this.#fire('signout', reason); // the cookie may be all there was
  }

  #fire(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  #tell() {
    const { mono, ...tokens } = this.#tokens ?? { mono: 0 };
    this.#channel.postMessage({ tokens: this.#tokens && tokens, hold: this.#hold - this.#mono() });
  }

  /** Asks the other tabs, and waits until one has told good tokens, at most ms. */
  async #ask(ms) {
    const told = this.#sleep(ms, 'told');
    this.#channel.postMessage({ ask: true });
    await told;
  }

  #hear(message) {
    if (message.ask && (this.#tokens || this.#hold > this.#mono())) this.#tell();
    if (message.out && message.sid === this.claims?.sid) this.#end(message.out, false);
    if (message.began && this.#tokens) this.#renew(this.#tokens).catch(() => {});
    if (message.hold > 0) this.#hold = Math.max(this.#hold, this.#mono() + message.hold);
    if (message.tokens) {
      const { wall, mono } = this.#clocks();
      const tokens = { ...message.tokens, mono: mono - Math.max(wall - message.tokens.wall, 0) };
      if (!this.#tokens || (tokens.access !== this.#tokens.access && this.#left(tokens) > this.#left(this.#tokens))) this.#adopt(tokens);
    }
    if (message.claim && this.#ticket && this.#ticket < message.claim) this.#channel.postMessage({ busy: message.claim });
    else if (this.#ticket && (message.claim || message.busy === this.#ticket)) this.#wakeFor('busy');
    if (message.free) this.#wakeFor('free');
  }

  // ---- One tab at a time.

  /** Runs work alone among the tabs; work is told whether it had to wait. @template T @param {(waited: boolean) => Promise<T>} work @returns {Promise<T>} */
  async #alone(work) {
    const locks = this.#world.navigator?.locks, name = 'signet ' + this.issuer;
    if (!locks) return this.#leased(work);
    const first = await locks.request(name, { ifAvailable: true }, async (lock) => lock && [await work(false)]);
    return first ? first[0] : locks.request(name, () => work(true));
  }

  /** Where there are no Web Locks. A lease is claimed with a random number; its holder, or whoever claims with a lower one, objects; silence
   *  gives it. A holder that was closed or is frozen says nothing. */
  #leased(work) {
    const mine = this.#turn.then(async () => {
      for (let waited = false; ; waited = true) {
        this.#ticket = Math.random() || 1;
        const silence = this.#sleep(100, 'busy');
        this.#channel.postMessage({ claim: this.#ticket });
        if (await silence !== 'busy') {
          this.#ticket = -1;
          return work(waited).finally(() => { this.#ticket = 0; this.#channel.postMessage({ free: true }); });
        }
        this.#ticket = 0;
        await this.#sleep(2000, 'free');
      }
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  // ---- Requests.

  /** What shows the session to refresh and logout: the refresh token in the body, or the cookie. */
  #proof() {
    const refresh_token = this.#tokens?.refresh;
    return /** @type {const} */ ([refresh_token ? { refresh_token } : undefined, { cookies: !refresh_token }]);
  }

  #post(path, body) { return this.#patiently(() => this.#send('POST', path, body, { cookies: this.mode === 'cookie' }), false); }

  #signIn(path, body, how) {
    return this.#alone(async () => {
      const asked = this.#clocks();
      this.#take(await this.#patiently(() => this.#send('POST', path, body, how), false), asked);
    });
  }

  /** @param {object} [body] */
  #authorized(method, path, body, repeat = method === 'GET') {
    return this.#asUser(({ access, refresh }) =>
      this.#patiently(() => this.#send(method, path, body, { bearer: access, cookies: !refresh && endsAll(method, path) }), repeat));
  }

  async #asUser(work) {
    const tokens = await this.#current();
    try {
      return await work(tokens);
    } catch (error) {
      if (!FINAL.includes(error.code)) throw error;
      return work(await this.#renewed(tokens)); // whether the session has ended is for refresh to say
    }
  }

  /** Waits out what passes within the patience: 429 always, the rest where a repetition does no harm. */
  async #patiently(work, repeat) {
    const until = this.#mono() + this.#patience;
    for (let failures = 0; ; failures++) {
      try {
        return await work();
      } catch (error) {
        const ms = error.retryAfter * 1000 || pause(failures);
        if (error.action !== 'wait' || (!repeat && error.code !== 'rate_limited') || this.#mono() + ms > until) throw error;
        await this.#sleep(ms, ...(error.retryAfter ? [] : ['woken']));
      }
    }
  }

  /** One exchange with the issuer: what it answered, or a SignetError. @returns {Promise<any>} */
  async #send(method, path, body, { bearer = '', cookies = false }) {
    let answer, json;
    try {
      answer = await this.#world.fetch(this.issuer + '/api/v1' + path, {
        method, body: body && JSON.stringify(body), credentials: cookies ? 'include' : 'omit', cache: 'no-store', redirect: 'error',
        headers: { ...(body && { 'Content-Type': 'application/json' }), ...(bearer && { Authorization: 'Bearer ' + bearer }) },
        signal: AbortSignal.timeout(TIMEOUT),
      });
      const text = await answer.text();
      if (answer.ok) return text ? JSON.parse(text) : undefined;
      json = parsed(text);
    } catch (cause) { // no answer, or one cut short
      throw new SignetError({ code: 'network', detail: 'The server can’t be reached.' }, { cause });
    }
    const said = { status: answer.status, retry_after: Number(json.retry_after ?? answer.headers.get('Retry-After')) || 0 };
    if (typeof json.code === 'string') throw new SignetError({ ...json, ...said });
    // Not signet's words: a proxy, or a hotel's portal.
    throw new SignetError({ code: said.status === 429 ? 'rate_limited' : said.status >= 500 ? 'unavailable' : 'network', ...said });
  }
}

/** Milliseconds before the next try: from a quarter second, doubled up to half a minute, and not the same for everybody. */
const pause = (failures) => Math.min(250 * 2 ** failures, 30_000) * (0.75 + Math.random() / 2);
/** How long before their end tokens are renewed, in seconds. */
const margin = ({ life }) => Math.min(60, life / 5);
/** Whether the browser is to forget its cookies with the answer. */
const endsAll = (method, path) => path === '/logout' || (path === '/me' && method === 'DELETE');
const digits = (code) => code.replace(/\D/g, '');
const parsed = (text) => { try { return JSON.parse(text) ?? {}; } catch { return {}; } };
/** The claims of an access token (RFC 9068), unverified: that is for servers. @returns {import('./signet-client.js').Claims} */
const claimsOf = ({ access }) => {
  const bytes = Uint8Array.from(atob(access.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
};
