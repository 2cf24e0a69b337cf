package issuer

import (
	"context"
	"errors"
	"time"

	"signet/keys"
)

// Verify is the code step: it completes a sign-in or a registration and is the only place where the first tokens of a session come from.
//
//  1. and 2. Count the attempt, then compare (prove.go).
//  3. A registration commits: claim the address, insert the user (complete.go).
//  4. Read the user; refuse unless it is active and nothing that the password step saw has changed. Insert the session, under the sid that the
//     challenge was born with, so that doing it again finds it.
//  5. Record the sign-in under the user's Ver: this write orders it against every end-all. Miss: back to 4.
//  6. Sign, then use up the challenge. 7. Answer generation 0, derived from the session document.
//
// A crash in between: the same code typed again resumes. Every refusal of steps 3 to 5 first revokes the session if it exists.
//
// Invariants: at most CodeAttempts comparisons a challenge and LimitGuesses wrong ones an account; one answer with tokens per challenge; a right
// code with tries left is honoured from every crash state; no session survives an end-all that it raced with.
//
// Errors: invalid_request, invalid_code, challenge_expired, too_many_attempts, rate_limited, unavailable.
func (p *Provider) Verify(ctx context.Context, who Requester, r VerifyRequest) (TokenSet, error) {
	now, att := p.now(), randomID()
	t, err := p.verify(ctx, who, r, att, now)
	p.observe.SignIn("code", stepOutcome("ok", err))
	return t, err
}

func (p *Provider) verify(ctx context.Context, who Requester, r VerifyRequest, att string, now time.Time) (TokenSet, error) {
	if err := p.takeSource(ctx, who, now); err != nil {
		return TokenSet{}, err
	}
	c, err := p.provenChallenge(ctx, who, r, att, now, func(c Challenge) error {
		if c.Purpose != PurposeLogin && c.Purpose != PurposeRegister {
			return errChallengeExpired
		}
		return nil
	})
	if err != nil {
		return TokenSet{}, err
	}
	s, u, err := p.openSession(ctx, who, c, att, now)
	if err != nil {
		return TokenSet{}, err
	}
	t, err := p.tokens(ctx, s, now) // first, so that a ring that can't sign just now burns no code; nobody has them yet
	if err != nil {
		return TokenSet{}, err
	}
	if err := p.useUp(ctx, c, att); err != nil {
		return TokenSet{}, err
	}
	p.audit(ctx, AuditEvent{ID: "sign_in:" + s.ID, Type: "sign_in.ok", At: now, Actor: u.ID, SID: s.ID, ClientID: s.ClientID, Source: who.IP, RequestID: who.RequestID})
	device := c.Device
	if device == "" {
		device = p.knownDevice(ctx, r.DeviceToken, u.ID, now)
	}
	if t.DeviceToken, err = p.newDeviceToken(device, u.ID, now); err != nil {
		p.log.Warn().Err(err).Str("sid", s.ID).Msg("a sign-in goes without a device token")
	}
	return t, nil
}

// openSession makes the account if there is none yet, then the session: steps 3 to 5.
func (p *Provider) openSession(ctx context.Context, who Requester, c Challenge, att string, now time.Time) (Session, User, error) {
	if c.Purpose == PurposeRegister {
		if err := p.complete(ctx, c, now); err != nil {
			return Session{}, User{}, p.refuse(ctx, c, now, err)
		}
	}
	for range 8 {
		u, err := again(ctx, func() (User, error) { return p.store.User(ctx, c.UserID) })
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Session{}, User{}, err
		}
		if err != nil || u.State != UserActive || c.Ver < u.Cred || c.EmailRev != u.EmailRev {
			return Session{}, User{}, p.refuse(ctx, c, now, errChallengeExpired)
		}
		s, err := p.insertSession(ctx, who, c, u, att, now)
		if err != nil {
			return Session{}, User{}, p.refuse(ctx, c, now, err)
		}
		u, hit, err := applied(ctx, func() (User, bool, error) { return p.store.RecordSignIn(ctx, u.ID, u.Ver, now) })
		if err != nil {
			return Session{}, User{}, err
		}
		if hit {
			return s, u, nil
		}
	}
	return Session{}, User{}, unavailable(errors.New("the account changes too often"))
}

// insertSession inserts the challenge's session, or brings the one that is there up to the user's Ver.
func (p *Provider) insertSession(ctx context.Context, who Requester, c Challenge, u User, att string, now time.Time) (Session, error) {
	secret, err := p.keys.MACSecret(keys.MACRefresh)
	if err != nil {
		return Session{}, keyTrouble(err)
	}
	s := Session{
		ID: c.SID, UserID: u.ID, ClientID: c.ClientID, Scope: grantedScope(u.Roles), Ver: u.Ver, Roles: u.Roles,
		Secret: secret.ID, Exp: now.Add(p.set.RefreshIdle), At: now, By: att, IdleAt: now.Add(p.set.RefreshIdle), AbsAt: now.Add(p.set.RefreshAbsolute),
		AuthTime: now, CreatedAt: now, UserAgent: cut(who.UserAgent, 256), IP: who.IP,
	}
	err = done(ctx, func() error { return p.store.InsertSession(ctx, s) })
	if err == nil || !errors.Is(err, ErrExists) {
		return s, err
	}
	there, hit, err := applied(ctx, func() (Session, bool, error) { return p.store.RaiseSession(ctx, c.SID, u.Ver, u.Roles, 0, "") })
	if err != nil || hit {
		return there, err
	}
	there, err = again(ctx, func() (Session, error) { return p.store.Session(ctx, c.SID) })
	if err == nil && there.Revoked != nil {
		err = errChallengeExpired
	}
	return there, err
}

// useUp makes this attempt the one that the challenge was for. Nobody else's session is touched when it was not.
func (p *Provider) useUp(ctx context.Context, c Challenge, att string) error {
	_, hit, err := applied(ctx, func() (Challenge, bool, error) { return p.store.FinishChallenge(ctx, c.ID, c.Send, att) })
	if err != nil || hit {
		return err
	}
	there, err := again(ctx, func() (Challenge, error) { return p.store.Challenge(ctx, c.ID) })
	if err == nil && there.State == ChallengeDone && there.By == att {
		return nil
	}
	if err == nil || errors.Is(err, ErrNotFound) {
		return errChallengeExpired
	}
	return err
}

// refuse revokes the challenge's session, which an earlier attempt may have left, before it passes a refusal on. An unknown outcome
// is no refusal and revokes nothing.
func (p *Provider) refuse(ctx context.Context, c Challenge, now time.Time, why error) error {
	if KindOf(why) != KindChallengeExpired {
		return why
	}
	_, _, err := applied(ctx, func() (Session, bool, error) {
		return p.store.RevokeSession(ctx, c.SID, Revoking{At: now, Why: RevokedRefused})
	})
	if err != nil {
		return err
	}
	return why
}
