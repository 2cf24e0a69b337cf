// The signed-in page: profile, sessions, a protected API, password, and the end of the account.

import { $, CodeForm, clear, onSubmit, say, show } from './forms.js';

export class Account {
  #signet; #config; #user; #confirm;

  constructor(signet, config, problem) {
    this.#signet = signet;
    this.#config = config;
    this.#confirm = new Confirm(signet);

    onSubmit($('#form-profile'), async ({ given_name, family_name, username }) => {
      const fields = { given_name, family_name, ...(username && { username }) };
      this.#showUser(await signet.updateMe(fields));
      say('Saved.');
    }, problem);

    onSubmit($('#form-email'), async ({ new_email, password }) => {
      const challenge = await this.#recently(() => signet.changeEmail(new_email, password));
      const user = await this.#confirm.code('Confirm the new address', challenge, (code) => signet.verifyEmail(challenge.challenge_id, code));
      if (!user) return;
      $('#form-email').reset();
      this.#showUser(user);
      say('Your address has changed.');
    }, problem);

    onSubmit($('#form-password'), async ({ current_password, new_password }) => {
      await signet.changePassword(current_password, new_password);
      $('#form-password').reset();
      say('The password has changed. Your other sessions have ended.');
      await this.#showSessions();
    }, problem);

    onSubmit($('#form-delete'), ({ password }) => this.#recently(() => signet.deleteMe(password)), problem);

    $('#sign-out-all').addEventListener('click', () => this.#list(() => signet.logout({ all: true })));
    $('#more-sessions').addEventListener('click', () => this.#list(() => this.#showSessions($('#more-sessions').dataset.cursor)));
    $('#api').hidden = !config.api;
    for (const path of config.api ? config.calls : []) {
      const button = document.createElement('button');
      Object.assign(button, { type: 'button', className: 'second', textContent: `GET ${path}` });
      button.addEventListener('click', () => this.#call(config.api + path));
      $('#calls').append(button);
    }
  }

  async enter() {
    const { claims } = this.#signet;
    $('#since').textContent = `Signed in ${when(claims.auth_time * 1000)}, ${this.#signet.mode === 'cookie' ? 'and kept on this device' : 'until the last tab closes'}.`;
    await this.#list(async () => {
      const [user] = await Promise.all([this.#signet.me(), this.#showSessions()]);
      this.#showUser(user);
    });
  }

  /** Nothing of the account stays on the page. */
  leave() {
    this.#confirm.close();
    document.querySelectorAll('form').forEach((form) => { form.reset(); clear(form); });
    for (const id of ['sessions', 'who', 'api-body', 'since']) $('#' + id).replaceChildren();
    $('#api-answer').hidden = true;
  }

  #showUser(user) {
    this.#user = user;
    $('#who').textContent = [user.given_name, user.family_name].filter(Boolean).join(' ') || user.email;
    for (const name of ['given_name', 'family_name', 'username']) $(`#form-profile [name=${name}]`).value = user[name] ?? '';
    $('#em-email').value = user.email;
    document.querySelectorAll('.account .away, dialog .away').forEach((input) => { input.value = user.email; }); // for password managers
  }

  // ---- Sessions.

  async #showSessions(cursor) {
    const { items, next_cursor } = await this.#signet.sessions(cursor);
    const list = $('#sessions'), rows = items.map((session) => this.#row(session));
    if (cursor) list.append(...rows); else list.replaceChildren(...rows);
    $('#more-sessions').hidden = !next_cursor;
    $('#more-sessions').dataset.cursor = next_cursor ?? '';
  }

  #row({ sid, user_agent, ip, last_used_at, current }) {
    const row = $('#session').content.cloneNode(true), name = device(user_agent);
    $('.device', row).textContent = name;
    $('.hint', row).textContent = [ip, current ? 'now' : `last used ${when(Date.parse(last_used_at))}`].filter(Boolean).join(' · ');
    const button = $('button', row);
    if (current) {
      const badge = document.createElement('span');
      Object.assign(badge, { className: 'badge good', textContent: 'This one' });
      button.replaceWith(badge);
    } else {
      button.setAttribute('aria-label', `End ${name}, ${ip}`);
      button.addEventListener('click', () => this.#list(async () => {
        await this.#signet.endSession(sid);
        say(`Ended: ${name}.`);
        await this.#showSessions();
        $('#h-sessions').tabIndex = -1;
        $('#h-sessions').focus(); // the button that had it is gone
      }));
    }
    return row;
  }

  async #list(work) {
    $('#sessions-error').textContent = '';
    try { await work(); } catch (error) { if (this.#signet.signedIn) $('#sessions-error').textContent = error.message; }
  }

  // ---- The API.

  async #call(url) {
    let status, body, ok = false;
    try {
      const answer = await this.#signet.fetch(url);
      [ok, status, body] = [answer.ok, `${answer.status} ${answer.statusText}`, await answer.text()];
      try { body = JSON.stringify(JSON.parse(body), null, 2); } catch { /* shown as it came */ }
    } catch (error) {
      [status, body] = ['no answer', error.message];
    }
    if (!this.#signet.signedIn) return;
    $('#api-status').textContent = status;
    $('#api-status').className = `badge ${ok ? 'good' : 'bad'}`;
    $('#api-url').textContent = url;
    $('#api-body').textContent = body;
    $('#api-answer').hidden = false;
  }

  /** Does work that needs a recent sign-in, after a step-up where the server asks for one. */
  async #recently(work) {
    try {
      return await work();
    } catch (error) {
      if (error.action !== 'step_up' || !(await this.#confirm.stepUp())) throw error;
      return work();
    }
  }
}

/** The dialog that asks for a code, or for the password and a code. Answers undefined when it is closed. */
class Confirm {
  #dialog = $('#confirm'); #password = $('#form-step-up'); #code = $('#form-confirm-code'); #ask; #work; #settle = () => {};

  constructor(signet) {
    this.#ask = new CodeForm(this.#code, (id) => signet.resend(id));
    onSubmit(this.#password, async ({ password }) => this.#showCode(await signet.stepUp(password)));
    onSubmit(this.#code, async ({ code }) => { this.#settle((await this.#work(code)) ?? true); this.#dialog.close(); });
    this.#dialog.addEventListener('close', () => { this.#settle(undefined); for (const f of [this.#password, this.#code]) { f.reset(); clear(f); } });
    this.#dialog.querySelectorAll('.cancel').forEach((b) => b.addEventListener('click', () => this.#dialog.close()));
    this.stepUp = () => this.#open('Is it you?', 'This needs a sign-in of the last 15 minutes.', null, (code) => signet.verifyStepUp(this.#ask.challenge.challenge_id, code));
    this.code = (title, challenge, work) => this.#open(title, '', challenge, work);
  }

  close() { if (this.#dialog.open) this.#dialog.close(); }

  #open(title, text, challenge, work) {
    this.#work = work;
    $('#h-confirm').textContent = title;
    $('#confirm-text').textContent = text;
    this.#password.hidden = Boolean(challenge);
    this.#code.hidden = true;
    this.#dialog.showModal();
    if (challenge) this.#showCode(challenge); else $('#su-password').focus();
    return new Promise((resolve) => { this.#settle = resolve; });
  }

  #showCode(challenge) {
    this.#password.hidden = true;
    this.#code.hidden = false;
    this.#ask.ask(challenge);
    $('#su-code').focus();
  }
}

const ago = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

function when(ms) {
  const seconds = Math.round((ms - Date.now()) / 1000);
  for (const [unit, size] of [['day', 86_400], ['hour', 3600], ['minute', 60]]) if (-seconds >= size) return ago.format(Math.trunc(seconds / size), unit);
  return 'just now';
}

/** A name for a browser, good enough for its owner to know it again. */
function device(agent) {
  if (!agent) return 'Unknown device';
  const browser = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']].find(([mark]) => agent.includes(mark))?.[1];
  const system = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'Mac'], ['CrOS', 'ChromeOS'], ['Linux', 'Linux']].find(([mark]) => agent.includes(mark))?.[1];
  return browser && system ? `${browser} on ${system}` : agent.slice(0, 60);
}
