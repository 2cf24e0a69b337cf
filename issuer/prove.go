package issuer

import (
	"context"
	"errors"
	"slices"
	"time"
)

// A mailed code is proven alike for everything that one is asked for.
//
//  1. Read the challenge; it must fit what the code is given for, and all else about the request be right, before anything is counted.
//  2. Count the attempt before comparing: the account's budget, then the challenge's tries.
//  3. Compare. Right: take the attempt out of the account's budget.
//
// Invariants: at most CodeAttempts comparisons a challenge and LimitGuesses wrong ones an account and purpose, over any resends, new challenges and
// retries.

// provenChallenge is the challenge, once its code was given. fits says why the challenge can't be used for this request, or nil.
// Errors: those of fits, invalid_request, invalid_code, challenge_expired, too_many_attempts, rate_limited, unavailable.
func (p *Provider) provenChallenge(ctx context.Context, who Requester, r VerifyRequest, att string, now time.Time, fits func(Challenge) error) (Challenge, error) {
	c, err := p.readChallenge(ctx, r.ChallengeID, now)
	if err != nil {
		return c, err
	}
	if err := fits(c); err != nil {
		return c, err
	}
	code, ok := cleanCode(r.Code, c.CodeLength)
	if !ok {
		return c, fields{{Field: "code", Message: "must be the digits that were mailed"}}.err()
	}
	a, err := p.guessesAccount(c)
	if err != nil {
		return c, err
	}
	budget := a.budget("guesses", c.Purpose)
	if err := p.take(ctx, budget, att, p.set.LimitGuesses, now); err != nil {
		return c, err
	}
	if c, err = p.countAndCompare(ctx, c, code, att, now); KindOf(err) == KindInvalidCode {
		p.auditWrongCode(ctx, who, c, now)
		return c, err
	} else if err != nil {
		return c, p.unjudged(ctx, budget, att, p.set.LimitGuesses, err)
	}
	return c, p.giveBack(ctx, budget, att, p.set.LimitGuesses)
}

// countAndCompare: invalid_code is a verdict; any other error means that nothing was compared.
func (p *Provider) countAndCompare(ctx context.Context, c Challenge, code, att string, now time.Time) (Challenge, error) {
	c, err := p.countTry(ctx, c, att, now)
	if err != nil {
		return c, err
	}
	match, err := p.codeMatches(ctx, c, code)
	if err == nil && !match {
		err = errInvalidCode
	}
	return c, err
}

// countTry adds the attempt to the challenge's tries and returns the document that is compared with.
func (p *Provider) countTry(ctx context.Context, c Challenge, att string, now time.Time) (Challenge, error) {
	next, hit, err := applied(ctx, func() (Challenge, bool, error) {
		return p.store.CountTry(ctx, c.ID, c.Purpose, att, p.set.CodeAttempts, now)
	})
	if err != nil || hit {
		return next, err
	}
	next, err = again(ctx, func() (Challenge, error) { return p.store.Challenge(ctx, c.ID) })
	switch {
	case errors.Is(err, ErrNotFound):
		return next, errChallengeExpired
	case err != nil:
		return next, err
	case next.State != ChallengeOpen || !next.ExpiresAt.After(now):
		return next, errChallengeExpired
	case slices.Contains(next.Tries, att):
		return next, nil
	}
	return next, errTooManyAttempts
}

// auditWrongCode records a wrong code: of a sign-in as a sign-in that failed, of anything else by what it was for.
func (p *Provider) auditWrongCode(ctx context.Context, who Requester, c Challenge, now time.Time) {
	switch c.Purpose {
	case PurposeLogin:
		p.auditRefusal(ctx, who, c.UserID, c.ClientID, "code", now)
	case PurposeRegister:
		p.auditRefusal(ctx, who, "", c.ClientID, "code", now) // there is no account yet
	default:
		p.auditCode(ctx, who, c, "code.failed", randomID(), now)
	}
}

// guessesAccount is whose budget wrong codes count against. A register or reset challenge counts by address: by user it would tell which
// addresses have one.
func (p *Provider) guessesAccount(c Challenge) (account, error) {
	if c.Purpose == PurposeRegister || c.Purpose == PurposeReset {
		return p.addressAccount(c.Address)
	}
	return account{key: c.UserID, device: c.Device}, nil
}

func (p *Provider) addressAccount(address string) (account, error) {
	key, err := p.blind("address", address)
	return account{key: key}, err
}
