package issuer

import (
	"context"
	"errors"
	"time"

	"signet/keys"
)

// Resend mails a new code for a challenge: same id, expiry and attempts; only the newest code counts.
//
//	{_id, open, Send = n, NextSendAt <= now} -> Send n+1, a new code; then the mail `<challenge>/<n+1>`
//
// Errors: challenge_expired, too_many_attempts, rate_limited (before NextSendAt, or mails used up), unavailable.
func (p *Provider) Resend(ctx context.Context, who Requester, challengeID string) (Ticket, error) {
	t, err := p.resend(ctx, who, challengeID)
	p.observe.SignIn("resend", stepOutcome("code_sent", err))
	return t, err
}

func (p *Provider) resend(ctx context.Context, who Requester, challengeID string) (Ticket, error) {
	now := p.now()
	if err := p.takeSource(ctx, who, now); err != nil {
		return Ticket{}, err
	}
	c, err := p.readChallenge(ctx, challengeID, now)
	if err != nil {
		return Ticket{}, err
	}
	if c.NextSendAt.After(now) {
		return Ticket{}, rateLimited(c.NextSendAt.Sub(now))
	}
	a, err := p.codesAccount(c)
	if err != nil {
		return Ticket{}, err
	}
	att := randomID()
	budget := a.budget("codes", c.Purpose)
	if err := p.take(ctx, budget, att, p.set.LimitCodes, now); err != nil {
		return Ticket{}, err
	}
	c, code, err := p.replaceCode(ctx, c, att, now)
	if err != nil {
		return Ticket{}, p.unjudged(ctx, budget, att, p.set.LimitCodes, err)
	}
	return ticket(challengeID, c, now), p.mailCode(ctx, who, c, code, now)
}

// replaceCode puts a new code in place of the one that c holds.
func (p *Provider) replaceCode(ctx context.Context, c Challenge, att string, now time.Time) (Challenge, string, error) {
	secret, err := p.keys.MACSecret(keys.MACCode)
	if err != nil {
		return c, "", keyTrouble(err)
	}
	code := newCode(c.CodeLength)
	r := Resending{
		Send: c.Send, CodeMAC: codeMAC(secret, c.ID, c.Purpose, c.Send+1, code), CodeSecret: secret.ID, NextSendAt: now.Add(p.set.ResendAfter), Att: att,
	}
	next, hit, err := applied(ctx, func() (Challenge, bool, error) { return p.store.Resend(ctx, c.ID, r, now) })
	if err != nil || hit {
		return next, code, err
	}
	next, err = again(ctx, func() (Challenge, error) { return p.store.Challenge(ctx, c.ID) })
	switch {
	case err == nil && next.SendBy == att && next.State == ChallengeOpen:
		return next, code, nil
	case err == nil && next.State == ChallengeOpen && next.NextSendAt.After(now):
		return next, "", rateLimited(next.NextSendAt.Sub(now))
	case err != nil && !errors.Is(err, ErrNotFound):
		return next, "", err
	}
	return next, "", errChallengeExpired
}

// readChallenge is the open challenge that an id names.
func (p *Provider) readChallenge(ctx context.Context, challengeID string, now time.Time) (Challenge, error) {
	c, err := again(ctx, func() (Challenge, error) { return p.store.Challenge(ctx, challengeKey(challengeID)) })
	switch {
	case errors.Is(err, ErrNotFound):
		return c, errChallengeExpired
	case err != nil:
		return c, err
	case c.State != ChallengeOpen || !c.ExpiresAt.After(now):
		return c, errChallengeExpired
	case len(c.Tries) >= p.set.CodeAttempts:
		return c, errTooManyAttempts
	}
	return c, nil
}

// codesAccount is whose budget the mails of a challenge count against: the address's, unless it is one that the user has proven.
func (p *Provider) codesAccount(c Challenge) (account, error) {
	switch c.Purpose {
	case PurposeRegister, PurposeReset, PurposeEmail:
		return p.addressAccount(c.Address)
	}
	return account{key: c.UserID, device: c.Device}, nil
}
