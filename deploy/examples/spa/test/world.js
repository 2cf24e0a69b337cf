// A browser small enough to reason about: tabs with clocks that a test moves, Web Locks, BroadcastChannel, and a server of a few
// lines that keeps signet's rules for refresh. Nothing here waits for real time.

export const ISSUER = 'https://id.example.com';

const tick = () => new Promise((resolve) => setImmediate(resolve));

export class Time {
  wall = Date.UTC(2026, 0, 1);
  mono = 1000;
  #timers = new Map();
  #last = 0;

  set(work, ms = 0) { this.#timers.set(++this.#last, { at: this.mono + Math.max(ms, 0), work }); return this.#last; }
  clear(id) { this.#timers.delete(id); }

  /** Lets ms pass: every timer in its order, and what follows from each. */
  async pass(ms) {
    const end = this.mono + ms;
    for (;;) {
      for (let i = 0; i < 5; i++) await tick();
      const next = [...this.#timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0];
      if (!next) break;
      const [id, { at, work }] = next;
      this.#timers.delete(id);
      this.wall += Math.max(at - this.mono, 0);
      this.mono = Math.max(this.mono, at);
      work();
    }
    this.wall += end - this.mono;
    this.mono = end;
  }

  /** The machine sleeps: the wall clock goes on, everything else stands still. */
  sleep(ms) { this.wall += ms; }
}

class Locks {
  #held = new Map();
  constructor(time) { this.time = time; }

  async request(name, options, work = options) {
    await new Promise((resolve) => this.time.set(resolve, 1)); // the browser's own process is asked
    const queue = this.#held.get(name) ?? [];
    if (options.ifAvailable && queue.length) return work(null);
    this.#held.set(name, queue);
    const entry = {};
    const granted = new Promise((resolve) => { entry.grant = resolve; });
    queue.push(entry);
    if (queue.length === 1) entry.grant();
    await granted;
    try { return await work({ name }); } finally {
      queue.shift();
      if (queue.length) queue[0].grant(); else this.#held.delete(name);
    }
  }
  /** What the browser does when the tab that holds everything is closed. */
  release() { for (const queue of this.#held.values()) { queue.shift(); queue[0]?.grant(); } }
}

/** Tabs of one origin and their server. `locks: false` is a browser without Web Locks. */
export class Origin {
  time = new Time();
  tabs = [];
  constructor({ locks = true, life = 300, grace = 30 } = {}) {
    this.locks = locks ? new Locks(this.time) : undefined;
    this.server = new Server(this.time, life, grace);
  }

  /** The globals of a new tab. `frozen` keeps its messages and timers back, `dead` drops them. */
  open() {
    const { time, server } = this;
    const tab = Object.assign(new EventTarget(), { state: 'alive', queue: [], channels: [], ended: false });
    const run = (work) => {
      if (tab.state === 'frozen') tab.queue.push(work);
      else if (tab.state === 'alive') work();
    };
    const tabs = this.tabs;
    const world = Object.assign(tab, {
      document: new EventTarget(),
      navigator: { locks: this.locks },
      performance: { now: () => time.mono },
      Date: { now: () => time.wall },
      setTimeout: (work, ms) => time.set(() => run(work), ms),
      clearTimeout: (id) => time.clear(id),
      Request,
      fetch: (input, init) => server.fetch(input, init, tab),
      BroadcastChannel: class {
        constructor(name) { this.name = name; tab.channels.push(this); }
        postMessage(data) {
          if (tab.state !== 'alive') return;
          const copy = structuredClone(data);
          for (const other of tabs.filter((t) => t !== tab)) {
            time.set(() => other.run(() => other.channels.filter((c) => c.name === this.name).forEach((c) => c.onmessage?.({ data: copy }))), 3);
          }
        }
        close() { tab.channels = tab.channels.filter((c) => c !== this); }
      },
    });
    tab.run = run;
    this.tabs.push(tab);
    return world;
  }
}

export const freeze = (tab) => { tab.state = 'frozen'; };
export const thaw = (tab) => { tab.state = 'alive'; tab.queue.splice(0).forEach((work) => work()); };

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** signet's side: one session, its generations and their grace; a cookie jar; and faults that a test orders. */
export class Server {
  refreshes = []; // one entry for each request: its time and its token
  calls = []; // method, path, body, and whether cookies were sent, of each other request
  faults = []; // for the next refreshes: functions that answer in the server's place
  answers = new Map(); // 'POST /login' -> functions that answer, in order; the last one stays
  latency = 20;
  generation = 0;
  superseded = new Map(); // generation -> when
  revoked = '';
  cookie = '';
  sid = 'sid-1';
  minted = 0;

  constructor(time, life, grace) { Object.assign(this, { time, life, grace }); }

  tokens() {
    const access = `${b64({ alg: 'none' })}.${b64({ sub: 'ü', sid: this.sid, n: ++this.minted, exp: this.time.wall / 1000 + this.life })}.x`;
    return { access_token: access, token_type: 'Bearer', expires_in: this.life, refresh_token: `srt_${this.sid}_${this.generation}`, refresh_expires_in: 1e6, scope: 'account' };
  }

  async fetch(input, init = {}, tab) {
    const request = input instanceof Request ? input : { url: input, method: init.method ?? 'GET', headers: new Headers(init.headers), credentials: init.credentials, text: async () => init.body ?? '' };
    const path = request.url.replace(ISSUER + '/api/v1', '');
    const text = await request.text();
    const call = { method: request.method, path, body: text ? JSON.parse(text) : undefined, cookies: request.credentials === 'include', bearer: request.headers.get('Authorization')?.slice(7), at: this.time.mono };
    await new Promise((resolve) => this.time.set(resolve, this.latency / 2));
    const answer = this.answer(call);
    await new Promise((resolve) => this.time.set(() => tab.run(resolve), this.latency / 2));
    const { status, json, cut, raw, headers } = await answer;
    if (cut) throw new TypeError('Failed to fetch');
    return new Response(status === 204 ? null : raw ?? JSON.stringify(json), { status, headers });
  }

  answer(call) {
    if (call.path !== '/token/refresh') this.calls.push(call);
    const told = this.answers.get(`${call.method} ${call.path}`);
    if (told) return (told.length > 1 ? told.shift() : told[0])(call);
    switch (call.path) {
      case '/token/refresh': {
        this.refreshes.push({ at: this.time.mono, token: call.body?.refresh_token ?? (call.cookies && this.cookie) });
        const fault = this.faults.shift();
        return fault ? fault(call) : this.refresh(call);
      }
      case '/login/verify': return this.signIn(call);
      case '/logout': this.revoked = 'session_revoked'; this.cookie = ''; return { status: 204 };
      default: return call.bearer ? { status: 200, json: { id: 'ü' } } : problem(401, 'invalid_token');
    }
  }

  signIn(call) {
    this.generation = 0;
    this.superseded.clear();
    this.revoked = '';
    return this.give(call.body.cookie);
  }

  give(cookie) {
    const { refresh_token, ...rest } = this.tokens();
    if (!cookie) return { status: 200, json: { ...rest, refresh_token, device_token: 'device' } };
    this.cookie = refresh_token;
    return { status: 200, json: rest };
  }

  /** Section 3 of the protocols: rotate; within the grace the current one again; else theft. */
  refresh(call) {
    const token = call.body?.refresh_token ?? (call.cookies ? this.cookie : '');
    const byCookie = !call.body?.refresh_token;
    const sent = Number(token?.split('_')[2]);
    if (!token || token.split('_')[1] !== this.sid) return problem(401, 'invalid_token');
    if (this.revoked) { if (byCookie) this.cookie = ''; return problem(401, this.revoked); }
    if (sent === this.generation) {
      this.superseded.set(this.generation++, this.time.wall);
    } else if (this.time.wall - this.superseded.get(sent) >= this.grace * 1000) {
      this.revoked = 'session_revoked';
      return problem(401, 'token_reused');
    }
    return this.give(byCookie);
  }
}

export const problem = (status, code, more = {}) => ({ status, json: { type: 'urn:signet:problem:' + code, status, code, title: code, detail: `About ${code}.`, ...more } });
/** The request does its work and the answer is lost. */
export const cutAfter = (server) => (call) => { server.refresh(call); return { cut: true }; };
export const cutBefore = () => ({ cut: true });
