package issuer

import (
	"context"
	"time"
)

// complete makes the account of a registration whose code is proven.
//
//  1. Insert the identifier, carrying the whole user: the commit. 2. Insert the user. 3. Settle the identifier.
//
// A crash after 1: whoever meets the identifier next, or a poll, goes on from it. Another's address: challenge_expired.
// "Mine" is decided by the claim, the challenge's key; the user may have been deleted since, which the caller sees.
func (p *Provider) complete(ctx context.Context, c Challenge, now time.Time) error {
	u := newAccount(c)
	want := newIdentifier(EmailKey(c.Address), u.ID, c.ID, IdentifierRegister, now)
	want.Payload = &u
	mine, err := p.claim(ctx, want)
	if err != nil {
		return err
	}
	if !mine {
		return errChallengeExpired
	}
	return p.finishAccount(ctx, want)
}

// finishAccount is steps 2 and 3.
func (p *Provider) finishAccount(ctx context.Context, i Identifier) error {
	if err := done(ctx, func() error { return p.store.InsertUser(ctx, *i.Payload) }); err != nil && !isExists(err) {
		return err
	}
	return p.settleIdentifier(ctx, i)
}
