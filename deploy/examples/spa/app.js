// The example's pages: which one is shown, and what its forms do. Views are in index.html; the address names them (#register), never more.

import { SignetClient } from './signet-client.js';
import { $, CodeForm, clear, onSubmit, revealers, say, show as showError } from './forms.js';
import { Account } from './account.js';

const config = await (await fetch('config.json')).json();
const STAY = 'signet-example-stay'; // the only thing that is stored: the choice, no secret

const signet = new SignetClient({
  issuer: config.issuer,
  apis: config.api ? [new URL(config.api).origin] : [],
  mode: config.cookies && localStorage.getItem(STAY) !== 'no' ? 'cookie' : 'body',
});
const account = new Account(signet, config, problem);

const OPEN = ['sign-in', 'register', 'forgot']; // views that an address leads to
const ENDED = {
  signed_out: ['You are signed out', 'In this tab and in every other.'],
  token_reused: ['Signed out, to be safe', 'Somebody used a copy of this session. It has ended, for you and for them, and in every tab.'],
  session_revoked: ['Your session was ended', 'From another device, because the password was changed, or because somebody used an old copy of it. If that was not you, sign in and change your password.'],
  invalid_token: ['Your session has run out', 'It was not used for a long time.'],
};

/** Shows one view. Its heading gets the focus, so that the keyboard and a screen reader are there too. */
function show(name) {
  for (const view of document.querySelectorAll('.view')) view.hidden = view.id !== 'view-' + name;
  const inside = name === 'account', heading = $(`#h-${name}`);
  $('.bar').hidden = !inside;
  document.body.classList.toggle('inside', inside);
  document.body.classList.toggle('alarm', name === 'ended' && !$('#ended-steps').hidden);
  document.title = `${heading.textContent} · signet example`;
  heading.focus();
  scrollTo(0, 0);
}

function route() {
  const name = location.hash.slice(1);
  if (!signet.signedIn) show(OPEN.includes(name) ? name : 'sign-in');
}

function go(name) {
  if (location.hash === '#' + name) route(); else location.hash = name;
}

function ended(reason) {
  [$('#h-ended').textContent, $('#ended-text').textContent] = ENDED[reason];
  $('#ended-steps').hidden = reason !== 'token_reused';
  account.leave();
  history.replaceState(null, '', '#');
  show('ended');
}

async function enter() {
  history.replaceState(null, '', '#');
  await account.enter();
  show('account');
}

/** What no typing mends. Answers whether it has been dealt with. */
async function problem(error, form) {
  switch (error.action) {
    case 'restart': {
      const start = { 'form-reset': 'forgot', 'form-code': codeOf === 'register' ? 'register' : 'sign-in' }[form.id];
      if (!start) return false;
      go(start);
      showError($(`#form-${start}`), error);
      return true;
    }
    case 'reset_password':
      go('forgot');
      showError($('#form-forgot'), error);
      return true;
    case 'sign_in':
      return !signet.signedIn; // the client has said so, and that page is shown
    default:
      return false;
  }
}

// ---- In and out.

let codeOf = 'sign-in'; // what the code is for
const code = new CodeForm($('#view-code'), (id) => signet.resend(id));
const reset = new CodeForm($('#view-reset'), (id) => signet.resend(id));

function askCode(what, challenge) {
  codeOf = what;
  code.ask(challenge);
  show('code');
}

$('#si-stay').addEventListener('change', ({ target: { checked } }) => {
  signet.mode = checked ? 'cookie' : 'body';
  localStorage.setItem(STAY, checked ? 'yes' : 'no');
});

onSubmit($('#form-sign-in'), async ({ name, password }) => {
  askCode('sign-in', await signet.login(name.includes('@') ? { email: name, password } : { username: name, password }));
}, problem);

onSubmit($('#form-register'), async ({ given_name, family_name, ...rest }) => {
  const names = Object.fromEntries(Object.entries({ given_name, family_name }).filter(([, value]) => value));
  askCode('register', await signet.register({ ...rest, ...names }));
}, problem);

onSubmit($('#form-code'), ({ code: typed }) => signet.verify(code.challenge.challenge_id, typed), problem);

onSubmit($('#form-forgot'), async ({ email }) => {
  reset.ask(await signet.forgot(email));
  $('#form-reset .away').value = email;
  show('reset');
}, problem);

onSubmit($('#form-reset'), async ({ code: typed, new_password }) => {
  await signet.reset(reset.challenge.challenge_id, typed, new_password);
  document.querySelectorAll('form').forEach((form) => form.reset());
  stay();
  go('sign-in');
  say('The password is saved. Sign in with it.');
}, problem);

$('#sign-out').addEventListener('click', () => signet.logout().catch(() => say('The server can’t be reached: you are not signed out yet.')));

// ---- What happens to the session, here or in another tab.

signet.addEventListener('signin', () => void enter());
signet.addEventListener('signout', ({ detail }) => ended(detail));
signet.addEventListener('trouble', ({ detail: { code: what } }) => {
  $('#banner').textContent = what === 'forbidden' ? 'The server does not accept this page.' : 'The server can’t be reached. Trying again…';
  $('#banner').hidden = false;
});
signet.addEventListener('recovered', () => { $('#banner').hidden = true; });
addEventListener('hashchange', route);

function stay() {
  $('#stay').hidden = !config.cookies;
  $('#si-stay').checked = signet.mode === 'cookie';
}

revealers();
stay();
document.querySelectorAll('form').forEach(clear);
let told = false; // restore may say why there is no session any more
signet.addEventListener('signout', () => { told = true; });
if (!(await signet.restore().catch(() => false)) && !told) route();
