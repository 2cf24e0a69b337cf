/** What the server mailed a code for. Times in seconds. `hint` is the masked address, for people. */
export interface Challenge {
  challenge_id: string;
  expires_in: number;
  resend_in: number;
  code_length: number;
  delivery: { channel: string; hint: string };
}

export interface User {
  id: string;
  email: string;
  email_verified: boolean;
  username: string | null;
  given_name: string;
  family_name: string;
  locale: string | null;
  roles: string[];
  created_at: string;
  last_login_at: string | null;
}

export interface Session {
  sid: string;
  client_id: string;
  created_at: string;
  last_used_at: string;
  user_agent: string | null;
  ip: string | null;
  current: boolean;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** What an access token says (RFC 9068). Read it to choose what to show; only a server may trust it. */
export interface Claims {
  sub: string;
  sid: string;
  exp: number;
  auth_time: number;
  scope: string;
  roles?: string[];
  [claim: string]: unknown;
}

/** The server's codes, and two of the client: `network` (no answer came) and `signed_out` (there is no session). */
export type Code =
  | 'invalid_request' | 'weak_password' | 'invalid_credentials' | 'invalid_code' | 'challenge_expired' | 'too_many_attempts'
  | 'invalid_token' | 'token_reused' | 'session_revoked' | 'step_up_required' | 'forbidden' | 'password_reset_required'
  | 'not_found' | 'method_not_allowed' | 'conflict' | 'payload_too_large' | 'unsupported_media_type' | 'rate_limited'
  | 'internal' | 'unavailable' | 'network' | 'signed_out';

/**
 * What to do about an error: let the user correct what was typed (`fix`), ask for a new code (`restart`), show the sign-in page
 * (`sign_in`), confirm who it is (`step_up`), go through the reset (`reset_password`), try again after `retryAfter` (`wait`), or give
 * up, because asking again won't help (`stop`).
 */
export type Action = 'fix' | 'restart' | 'sign_in' | 'step_up' | 'reset_password' | 'wait' | 'stop';

export interface Problem {
  code: Code;
  status?: number;
  detail?: string;
  errors?: { field: string; message: string }[];
  retry_after?: number;
  request_id?: string;
}

/** Every failure of the client. `message` is the server's sentence, `retryAfter` in seconds (0: not said), `errors` by field. */
export class SignetError extends Error {
  constructor(problem: Problem, options?: { cause?: unknown });
  readonly code: Code;
  readonly status: number;
  readonly errors: { field: string; message: string }[];
  readonly retryAfter: number;
  readonly requestId: string;
  readonly action: Action;
}

export interface Options {
  /** The issuer URL: scheme, host and port, without a slash at the end. */
  issuer: string;
  /** Where the refresh token lives: in an HttpOnly cookie of the issuer (page and issuer must be one site), or in this page's memory. */
  mode?: 'cookie' | 'body';
  /** Origins besides the issuer that `fetch` may send the access token to. */
  apis?: string[];
  clientId?: string;
  /** How long a call waits for trouble to pass before it tells the page, in seconds. 15 unless set. */
  patience?: number;
  /** The browser; tests give their own. */
  world?: any;
}

/** `signed_out`: asked for, here or in another tab. `token_reused`: a stolen refresh token. `session_revoked`, `invalid_token`: ended or expired. */
export type SignOutReason = 'signed_out' | 'token_reused' | 'session_revoked' | 'invalid_token';

export interface Events {
  /** There are tokens of a session that this tab did not have: after a sign-in or a restore, here or in another tab. */
  signin: CustomEvent<Claims>;
  /** The session has ended, for every tab. Fired once a session. */
  signout: CustomEvent<SignOutReason>;
  /** Renewal fails and is tried again: show it, sign nobody out. */
  trouble: CustomEvent<SignetError>;
  /** Renewal works again. */
  recovered: CustomEvent<null>;
}

/** One for each page. Calls reject with a SignetError, and may run at the same time. */
export class SignetClient extends EventTarget {
  constructor(options: Options);
  readonly issuer: string;
  /** The mode of the session, and of the next sign-in. */
  mode: 'cookie' | 'body';
  readonly signedIn: boolean;
  readonly claims: Claims | null;

  /** Takes up the session of another tab or of the cookie; answers whether there is one. Call it once, when the page loads. */
  restore(): Promise<boolean>;
  /** An access token that is good for now, for what `fetch` can't do (a WebSocket, say). Never keep it. */
  token(): Promise<string>;
  /** The browser's fetch with the access token, for the issuer and `apis` only. A 401 is answered by one renewal and one repetition. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

  register(fields: { email: string; password: string; given_name?: string; family_name?: string }): Promise<Challenge>;
  login(fields: { email: string; password: string } | { username: string; password: string }): Promise<Challenge>;
  /** The code as typed or pasted; only its digits count. */
  verify(challengeId: string, code: string): Promise<void>;
  resend(challengeId: string): Promise<Challenge>;
  forgot(email: string): Promise<Challenge>;
  reset(challengeId: string, code: string, newPassword: string): Promise<void>;

  me(): Promise<User>;
  updateMe(fields: Partial<Pick<User, 'given_name' | 'family_name' | 'username' | 'locale'>>): Promise<User>;
  deleteMe(password: string): Promise<void>;
  changePassword(currentPassword: string, newPassword: string): Promise<void>;
  changeEmail(newEmail: string, password: string): Promise<Challenge>;
  verifyEmail(challengeId: string, code: string): Promise<User>;
  sessions(cursor?: string): Promise<Page<Session>>;
  endSession(sid: string): Promise<void>;
  stepUp(password: string): Promise<Challenge>;
  verifyStepUp(challengeId: string, code: string): Promise<void>;
  /** Ends this session, or all of the user's. Rejects when the server could not be told: then nobody is signed out. */
  logout(options?: { all?: boolean }): Promise<void>;

  /** Stops timers and listening; the session goes on. */
  close(): void;

  addEventListener<K extends keyof Events>(type: K, listener: ((event: Events[K]) => void) | null, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}
