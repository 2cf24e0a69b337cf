package issuer

import (
	"context"
	"errors"
	"strings"
	"time"
)

// A change of address whose code is proven. The challenge holds Ver v0 and EmailRev r.
//
//  1. Read the user: active, and EmailRev r with Cred at most v0; or r+1 with the new address already: resumed. Finish what an earlier change left
//     to be released.
//  2. Insert the new identifier {claim, move, Rev r, Ver v0}: the commit. The user's own under another claim is taken over, unless by that the user
//     moves from a later EmailRev. Another's: conflict.
//  3. {user, Ver as read} -> Email, EmailRev r+1, Cred and Ver v+1, Release + the old identifier. Miss and still as in 1: again.
//  4. Settle the new identifier. 5. Resolve the old one, which deletes it. 6. Take it out of Release.
//
// A crash after 2: whoever meets the new identifier, or a poll, finishes it, unless Cred has passed v0: a move that was not made when the password
// was changed is made no more. After 3: the release is on the user.
//
// Invariants: those of resolve; of two proven changes one wins, and the loser's address comes free; no code from before a change of password moves
// an account after it.

// moveToAddress returns the user after. said is the line of the audit log. Errors: challenge_expired, conflict, rate_limited, unavailable.
func (p *Provider) moveToAddress(ctx context.Context, c Challenge, said AuditEvent, now time.Time) (User, error) {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, c.UserID) })
	switch {
	case errors.Is(err, ErrNotFound):
		return User{}, errChallengeExpired
	case err != nil:
		return User{}, err
	case !movable(u, c.EmailRev, c.Ver) && !movedTo(u, c.EmailRev, c.Address):
		return User{}, errChallengeExpired
	}
	if err := p.releaseAll(ctx, u, now); err != nil {
		return User{}, err
	}
	if len(u.Release) >= mostReleases {
		return User{}, rateLimited(p.store.EffectDelay())
	}
	// A claim of its own each time: one made for an older EmailRev may be let go by anyone who meets it.
	want := newIdentifier(EmailKey(c.Address), u.ID, c.ID+"."+randomID(), IdentifierMove, now)
	want.Rev, want.Payload = c.EmailRev, &User{Ver: c.Ver}
	mine, err := p.claim(ctx, want)
	switch {
	case errors.Is(err, errStaleClaim):
		return User{}, errChallengeExpired
	case err != nil:
		return User{}, err
	case !mine:
		return User{}, conflict("new_email", "is taken")
	}
	u, moved, err := p.moveEmail(ctx, u, want, now)
	if err != nil {
		return User{}, err
	}
	if !moved {
		if _, _, err := p.letGo(ctx, u, want); err != nil {
			return User{}, err
		}
		return User{}, errChallengeExpired
	}
	p.audit(ctx, said)
	if err := p.settleIdentifier(ctx, want); err != nil {
		return User{}, err
	}
	return u, p.releaseAll(ctx, u, now)
}

// movable says whether a move that started at an EmailRev, on a password checked at a Ver, may still be made.
func movable(u User, rev, ver int64) bool {
	return u.State == UserActive && u.EmailRev == rev && u.Cred <= ver
}

// movedTo says whether it has been made.
func movedTo(u User, rev int64, address string) bool {
	return u.State == UserActive && u.EmailRev == rev+1 && u.Email == address
}

// errNotMovable ends an act that is not to be made.
var errNotMovable = errors.New("not movable")

// moveEmail is step 3, by whoever has the identifier of the move. A miss is a win when the user is already where the move leads; otherwise the user as it
// is now comes back.
func (p *Provider) moveEmail(ctx context.Context, u User, to Identifier, now time.Time) (User, bool, error) {
	address, ver := addressOf(to.ID), int64(0)
	if to.Payload != nil {
		ver = to.Payload.Ver
	}
	u, err := p.act(ctx, u, randomID(), now, func(u User) (Act, error) {
		if !movable(u, to.Rev, ver) {
			return Act{}, errNotMovable
		}
		return Act{Email: address, Release: []string{EmailKey(u.Email)}}, nil
	})
	if err != nil && !errors.Is(err, errNotMovable) {
		return u, false, err
	}
	return u, movedTo(u, to.Rev, address), nil
}

// finishEmailMove is steps 3 and 4 by somebody who met the identifier of a move whose maker is gone.
func (p *Provider) finishEmailMove(ctx context.Context, u User, i Identifier) (owner User, free bool, err error) {
	next, moved, err := p.moveEmail(ctx, u, i, p.now())
	if err != nil {
		return User{}, false, err
	}
	if !moved {
		return p.letGo(ctx, next, i)
	}
	return next, false, p.settleMove(ctx, next, i)
}

// settleMove settles the identifier of an address that the user has moved to. Whose process died before it was recorded, is recorded here.
func (p *Provider) settleMove(ctx context.Context, u User, i Identifier) error {
	if i.Kind == IdentifierMove && addressOf(i.ID) != "" {
		p.audit(ctx, AuditEvent{ID: movedEvent(i.Claim), Type: "email.changed", At: p.now(), Actor: u.ID, Target: u.ID})
	}
	return p.settleIdentifier(ctx, i)
}

// movedEvent names the line of the audit log by its cause, the challenge.
func movedEvent(claim string) string {
	challenge, _, _ := strings.Cut(claim, ".")
	return "email.changed:" + challenge
}
