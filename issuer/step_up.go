package issuer

import (
	"context"
	"errors"
	"time"
)

// StepUp is the password step of confirming, within a session, that it is still its owner who uses it.
//
//  1. Count the source; read user and session; count and check the password (confirm.go).
//  2. Insert the challenge, bound to the session, then the mail.
//
// Errors: invalid_request, invalid_credentials, session_revoked, rate_limited, unavailable.
func (p *Provider) StepUp(ctx context.Context, who Requester, caller Principal, password string) (Ticket, error) {
	t, err := p.stepUp(ctx, who, caller, password)
	p.observe.SignIn("step_up", stepOutcome("code_sent", err))
	return t, err
}

func (p *Provider) stepUp(ctx context.Context, who Requester, caller Principal, password string) (Ticket, error) {
	now := p.now()
	var f fields
	checkOwnPassword(&f, "password", password)
	if err := f.err(); err != nil {
		return Ticket{}, err
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return Ticket{}, err
	}
	u, err := p.confirmedUser(ctx, who, caller, PurposeStepUp, password, now)
	if err != nil {
		return Ticket{}, err
	}
	budget, att := account{key: u.ID}.budget("codes", PurposeStepUp), randomID()
	if err := p.take(ctx, budget, att, p.set.LimitCodes, now); err != nil {
		return Ticket{}, err
	}
	t, err := p.openChallenge(ctx, who, opening{
		purpose: PurposeStepUp, userID: u.ID, sid: caller.Session.ID, clientID: caller.Session.ClientID, ver: u.Ver, emailRev: u.EmailRev, address: u.Email,
		locale: localeOf(u, who),
	}, now)
	if err != nil {
		return Ticket{}, p.unjudged(ctx, budget, att, p.set.LimitCodes, err)
	}
	return t, nil
}

// VerifyStepUp is its code step: tokens of the same session, of the generation that it has, with a new auth_time.
//
//  1. Count the source; the code (prove.go) of a challenge of the caller's own, made in this session.
//  2. Read the user; refuse unless it is active and nothing that the password step saw has changed: no end-all has come since the session was found
//     current.
//  3. {sid, not over} -> AuthTime; record it. 4. Sign, then use up the challenge.
//
// No session begins here, so an end-all that comes later needs no order with it: it finds the session. A crash after 3: the same code resumes.
// Errors: invalid_request, invalid_code, challenge_expired, too_many_attempts, session_revoked, rate_limited, unavailable.
func (p *Provider) VerifyStepUp(ctx context.Context, who Requester, caller Principal, r VerifyRequest) (TokenSet, error) {
	t, err := p.verifyStepUp(ctx, who, caller, r)
	p.observe.SignIn("step_up_code", stepOutcome("ok", err))
	return t, err
}

func (p *Provider) verifyStepUp(ctx context.Context, who Requester, caller Principal, r VerifyRequest) (TokenSet, error) {
	now, att := p.now(), randomID()
	if err := p.takeSource(ctx, who, now); err != nil {
		return TokenSet{}, err
	}
	c, err := p.provenChallenge(ctx, who, r, att, now, func(c Challenge) error {
		if c.Purpose != PurposeStepUp || c.UserID != caller.User.ID || c.SID != caller.Session.ID {
			return errChallengeExpired
		}
		return nil
	})
	if err != nil {
		return TokenSet{}, err
	}
	s, err := p.reauthenticate(ctx, c, now)
	if err != nil {
		return TokenSet{}, err
	}
	p.audit(ctx, caller.event(who, "step_up.ok", "step_up:"+c.ID, now))
	t, err := p.tokens(ctx, s, now) // first, so that a ring that can't sign just now burns no code; nobody has them yet
	if err != nil {
		return TokenSet{}, err
	}
	if err := p.useUp(ctx, c, att); err != nil {
		return TokenSet{}, err
	}
	return t, nil
}

// reauthenticate is steps 2 and 3.
func (p *Provider) reauthenticate(ctx context.Context, c Challenge, now time.Time) (Session, error) {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, c.UserID) })
	switch {
	case errors.Is(err, ErrNotFound):
		return Session{}, errChallengeExpired
	case err != nil:
		return Session{}, err
	case u.State != UserActive || c.Ver < u.Cred || c.EmailRev != u.EmailRev:
		return Session{}, errChallengeExpired
	}
	s, hit, err := applied(ctx, func() (Session, bool, error) { return p.store.Reauthenticate(ctx, c.SID, now, now) })
	if err == nil && !hit {
		err = errSessionRevoked
	}
	return s, err
}
