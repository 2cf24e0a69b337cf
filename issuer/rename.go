package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// A change of username, or giving one up (display ""):
//
//  1. Finish what an earlier change left to be released.
//  2. Insert the new identifier {claim, move, Rev r, the name as typed}: the commit.
//  3. {user, active, NameRev r} -> Username, NameRev r+1, Release + the old identifier.
//  4. Settle the new identifier. 5. Resolve the old one, which deletes it. 6. Take it out of Release.
//
// A crash after 2: whoever meets the new identifier, or a poll, finishes it. After 3: the release is on the user.
// NameRev orders the changes of a username as EmailRev does those of an address; neither touches Ver, since no session or code
// depends on a username.
//
// Invariants: those of resolve; of two changes one wins, and the loser's name comes free.

// mostReleases bounds what changes in quick succession leave behind where a release stays recorded for a while.
const mostReleases = 8

// rename returns the user after. Errors: conflict when another has the name, rate_limited after too many changes at once, unavailable.
func (p *Provider) rename(ctx context.Context, u User, display string, now time.Time) (User, error) {
	for range 8 {
		if err := p.releaseAll(ctx, u, now); err != nil {
			return u, err
		}
		if len(u.Release) >= mostReleases {
			return u, rateLimited(p.store.EffectDelay())
		}
		// A claim of its own each time round: one made for an older NameRev may be let go by anyone who meets it.
		want, err := p.claimName(ctx, u, display, randomID(), now)
		if errors.Is(err, errStaleClaim) {
			if u, err = again(ctx, func() (User, error) { return p.store.User(ctx, u.ID) }); err != nil {
				return u, err
			}
			continue
		}
		if err != nil {
			return u, err
		}
		next, moved, err := p.moveName(ctx, u, display, now)
		if err != nil {
			return u, err
		}
		if !moved {
			if u = next; u.State != UserActive {
				return u, errSessionRevoked
			}
			continue
		}
		if want != nil {
			if err := p.settleIdentifier(ctx, *want); err != nil {
				return next, err
			}
		}
		return next, p.releaseAll(ctx, next, now)
	}
	return u, unavailable(errors.New("the username changes too often"))
}

// claimName is step 2; nil when there is no new name to claim.
func (p *Provider) claimName(ctx context.Context, u User, display, claim string, now time.Time) (*Identifier, error) {
	if display == "" {
		return nil, nil
	}
	_, key, err := CanonicalUsername(display)
	if err != nil {
		return nil, fields{{Field: "username", Message: err.Error()}}.err()
	}
	want := newIdentifier(NameKey(key), u.ID, claim, IdentifierMove, now)
	want.Rev, want.Payload = u.NameRev, &User{Username: display}
	mine, err := p.claim(ctx, want)
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, conflict("username", "is taken")
	}
	return &want, nil
}

// moveName is step 3. A miss is a win when the user is already where the move leads; otherwise the user as it is now comes back.
func (p *Provider) moveName(ctx context.Context, u User, display string, now time.Time) (User, bool, error) {
	rev, old := u.NameRev, nameIdentifier(u.Username)
	if old == nameIdentifier(display) {
		old = ""
	}
	next, hit, err := applied(ctx, func() (User, bool, error) { return p.store.MoveUsername(ctx, u.ID, rev, display, old, now) })
	if err != nil || hit {
		return next, hit, err
	}
	next, err = again(ctx, func() (User, error) { return p.store.User(ctx, u.ID) })
	if err != nil {
		return u, false, err
	}
	return next, next.State == UserActive && next.NameRev == rev+1 && next.Username == display, nil
}

// finishNameMove is steps 3 and 4 by somebody who met the identifier of a move whose maker is gone. Of a disabled account it waits: if it was let go, a
// maker who is only slow could still make the move once the account is enabled, to a name that is not the account's any more.
func (p *Provider) finishNameMove(ctx context.Context, u User, i Identifier) (owner User, free bool, err error) {
	next, moved, err := p.moveName(ctx, u, i.Payload.Username, p.now())
	if err != nil {
		return User{}, false, err
	}
	switch {
	case !moved && next.State == UserDisabled && next.NameRev == i.Rev:
		return next, false, nil
	case !moved:
		return p.letGo(ctx, next, i)
	}
	return next, false, p.settleIdentifier(ctx, i)
}

// releaseAll lets go of the identifiers that changes left behind: resolving each deletes it, unless the user has it again.
func (p *Provider) releaseAll(ctx context.Context, u User, began time.Time) error {
	for _, id := range slices.Clone(u.Release) {
		i, err := again(ctx, func() (Identifier, error) { return p.store.Identifier(ctx, id) })
		if err == nil && i.UserID == u.ID {
			_, _, err = p.resolve(ctx, i)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if began.Before(u.ReleaseAt.Add(p.store.EffectDelay())) {
			continue
		}
		rev := u.EmailRev
		if isName(id) {
			rev = u.NameRev
		}
		if _, err := again(ctx, func() (bool, error) { return p.store.ClearRelease(ctx, u.ID, id, rev) }); err != nil {
			return err
		}
	}
	return nil
}

func isName(identifier string) bool { return strings.HasPrefix(identifier, "name:") }

// addressOf is the address of an identifier that is one, else "".
func addressOf(identifier string) string {
	address, ok := strings.CutPrefix(identifier, "email:")
	if !ok {
		return ""
	}
	return address
}

// nameIdentifier is the identifier of a username, "" for none.
func nameIdentifier(username string) string {
	_, key, err := CanonicalUsername(username)
	if err != nil {
		return ""
	}
	return NameKey(key)
}
