// Forms: busy while they are sent, and what went wrong said where it went wrong.

import { SignetError } from './signet-client.js';

export const $ = (selector, within = document) => within.querySelector(selector);

/** Says something in passing, also to who can't see it. */
export function say(text) {
  const toast = $('#toast');
  toast.textContent = text;
  toast.classList.add('shown');
  clearTimeout(say.timer);
  say.timer = setTimeout(() => toast.classList.remove('shown'), 6000);
}

/** Sends a form by work, which gets its fields. `act` gets the errors that no typing mends, and answers true when it has dealt with one. */
export function onSubmit(form, work, act = () => false) {
  const button = $('[type=submit]', form);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.ariaDisabled === 'true') return;
    clear(form);
    button.ariaDisabled = 'true'; // not `disabled`: that would lose the focus
    form.setAttribute('aria-busy', 'true');
    try {
      await work(Object.fromEntries(new FormData(form)));
    } catch (error) {
      if (!(await act(error, form))) show(form, error);
    } finally {
      form.removeAttribute('aria-busy');
      if (!form.dataset.waits) button.ariaDisabled = null;
    }
  });
}

/** Takes back what was said about the last try. */
export function clear(form) {
  $('.error', form).textContent = '';
  form.querySelectorAll('.field-error').forEach((e) => e.remove());
  for (const input of form.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    describe(input, input.id + '-error', false);
  }
}

/** Shows an error in a form: at its fields where it names them, else above, and the time to wait where there is one. */
export function show(form, error) {
  if (!(error instanceof SignetError)) console.error(error); // a fault of this page
  const loose = error.errors?.filter(({ field, message }) => !atField(form, field, message)) ?? [];
  const only = { invalid_code: 'code', weak_password: $('[name=new_password]', form) ? 'new_password' : 'password', invalid_credentials: $('[name=current_password]', form) ? 'current_password' : '' }[error.code];
  const placed = error.errors?.length > loose.length || (only && !error.errors?.length && atField(form, only, error.message));
  if (!placed || loose.length) $('.error', form).textContent = [sentence(error), ...loose.map((e) => `${e.field}: ${e.message}`)].join(' ');
  if (error.action === 'wait' && error.retryAfter) wait(form, error.retryAfter);
  $('[aria-invalid]', form)?.focus();
}

function sentence(error) {
  if (!(error instanceof SignetError)) return 'Something went wrong in this page.';
  if (error.action === 'stop') return `${error.message} (${error.code}, request ${error.requestId})`;
  if (error.code === 'network') return 'The server can’t be reached. Look at your connection, and try again.';
  return error.message;
}

function atField(form, name, message) {
  const input = $(`input[name="${CSS.escape(name)}"]:not([readonly])`, form);
  if (!input) return false;
  const text = document.createElement('p');
  Object.assign(text, { className: 'field-error', id: input.id + '-error', textContent: message });
  text.setAttribute('role', 'alert');
  input.closest('.field').append(text);
  input.setAttribute('aria-invalid', 'true');
  describe(input, text.id, true);
  return true;
}

function describe(input, id, on) {
  const ids = new Set((input.getAttribute('aria-describedby') ?? '').split(' ').filter(Boolean));
  if (on) ids.add(id); else ids.delete(id);
  if (ids.size) input.setAttribute('aria-describedby', [...ids].join(' ')); else input.removeAttribute('aria-describedby');
}

/** Keeps a form from being sent for some seconds. The countdown is for the eye; who listens is told once. */
function wait(form, seconds) {
  const button = $('[type=submit]', form), label = button.dataset.label ??= button.textContent;
  form.dataset.waits = 'true';
  countdown(seconds, (left) => {
    button.textContent = left ? `${label} (in ${clock(left)})` : label;
    if (left) return;
    delete form.dataset.waits;
    button.ariaDisabled = null;
    clear(form);
  });
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;

/** Calls each with the whole seconds that are left, until 0. By the clock, not by counting: timers sleep. Answers what stops it. */
function countdown(seconds, each) {
  const end = Date.now() + seconds * 1000;
  let timer;
  const step = () => {
    const left = Math.max(Math.min(Math.ceil((end - Date.now()) / 1000), seconds), 0);
    each(left);
    if (left) timer = setTimeout(step, 250);
  };
  step();
  return () => clearTimeout(timer);
}

/** Makes a part of the page ask for the code of a challenge: the address, how long the code is, and another code after a while. */
export class CodeForm {
  #part; #resend; #button; #stop = () => {};

  /** part holds the form, perhaps in more than one; resend mails another code and answers the challenge. */
  constructor(part, resend) {
    this.#part = part;
    this.#resend = resend;
    this.#button = $('.resend', part);
    this.#button.addEventListener('click', () => this.#again());
  }

  /** @param {import('./signet-client.js').Challenge} challenge */
  ask(challenge) {
    this.challenge = challenge;
    $('.mailed-to', this.#part).textContent = challenge.delivery.hint;
    const input = $('.code', this.#part);
    input.value = '';
    $('#' + input.getAttribute('aria-describedby').split(' ')[0]).textContent =
      `${challenge.code_length} digits, good for ${Math.max(Math.round(challenge.expires_in / 60), 1)} minutes. Paste it as it is.`;
    clear(input.form);
    this.#rest(challenge.resend_in);
  }

  #rest(seconds) {
    this.#stop();
    this.#stop = countdown(seconds, (left) => {
      this.#button.ariaDisabled = left ? 'true' : null;
      this.#button.textContent = left ? `Another code in ${clock(left)}` : 'Send another code';
    });
  }

  async #again() {
    if (this.#button.ariaDisabled === 'true') return;
    const form = this.#button.closest('form');
    clear(form);
    this.#button.ariaDisabled = 'true';
    try {
      const challenge = await this.#resend(this.challenge.challenge_id);
      this.#rest(challenge.resend_in);
      say('Another code is on its way. The one before counts no more.');
    } catch (error) {
      this.#rest(error.retryAfter ?? 0);
      show(form, Object.assign(error, { retryAfter: 0 }));
    }
  }
}

/** Gives every password field a button that shows what was typed. */
export function revealers() {
  for (const input of document.querySelectorAll('.secret input')) {
    const button = document.createElement('button'), label = input.closest('.field').querySelector('label').textContent.trim();
    const reveal = (shown) => {
      input.type = shown ? 'text' : 'password';
      button.textContent = shown ? 'Hide' : 'Show';
      button.ariaLabel = `${button.textContent} ${label}`;
    };
    Object.assign(button, { type: 'button', className: 'reveal' });
    reveal(false);
    button.addEventListener('click', () => reveal(input.type === 'password'));
    input.form.addEventListener('submit', () => reveal(false)); // else the browser would remember it as a text
    input.after(button);
  }
}
