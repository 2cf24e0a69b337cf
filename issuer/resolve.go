package issuer

import (
	"context"
	"errors"
	"time"
)

// resolve decides what an identifier that somebody met is: settled for its user, or free. It finishes what a crash left half done,
// so that no address waits for a timeout and there is no takeover to race with.
//
//	user absent, payload there          insert the user, settle the identifier
//	user absent, no payload             unavailable: the payload goes only after the user was inserted and acknowledged, and users are never
//	                                    removed, so the read came from a server that is behind; deleting would cost a living user the address
//	user deleted                        delete the identifier under its claim: free
//	it is the user's address or name    settle it
//	a move that starts where the user is  finish the move; a name's waits while the user is disabled, an address's is off (rename.go, move_email.go)
//	otherwise                           delete it under its claim: free
//
// Invariants: at most one active user per identifier; every active user's identifier points to it; an identifier is deleted
// only under the claim that was read; from every reachable store a fresh registration ends with a working account.
//
// owner is the user that has it, when it is not free.
func (p *Provider) resolve(ctx context.Context, i Identifier) (owner User, free bool, err error) {
	u, err := p.userOf(ctx, i)
	if err != nil {
		return User{}, false, err
	}
	switch {
	case u.State == UserDeleted:
		return User{}, true, p.release(ctx, i)
	case p.isCurrent(u, i.ID):
		return u, false, p.settleMove(ctx, u, i)
	case i.Kind == IdentifierMove && i.Payload != nil && i.Rev == u.NameRev && isName(i.ID):
		return p.finishNameMove(ctx, u, i)
	case i.Kind == IdentifierMove && i.Rev == u.EmailRev && addressOf(i.ID) != "":
		return p.finishEmailMove(ctx, u, i)
	}
	return User{}, true, p.release(ctx, i)
}

// userOf is the identifier's user, inserted from the payload when a crash came between.
func (p *Provider) userOf(ctx context.Context, i Identifier) (User, error) {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, i.UserID) })
	if !errors.Is(err, ErrNotFound) {
		return u, err
	}
	if i.Payload == nil || i.Kind != IdentifierRegister {
		return User{}, unavailable(errors.New("the user of an identifier is not there yet"))
	}
	if err := done(ctx, func() error { return p.store.InsertUser(ctx, *i.Payload) }); err != nil && !errors.Is(err, ErrExists) {
		return User{}, err
	}
	return again(ctx, func() (User, error) { return p.store.User(ctx, i.UserID) })
}

// isCurrent says whether the identifier is the address or the username that the user has now.
func (p *Provider) isCurrent(u User, identifier string) bool {
	if identifier == EmailKey(u.Email) {
		return true
	}
	_, key, err := CanonicalUsername(u.Username)
	return err == nil && identifier == NameKey(key)
}

// letGo deletes the identifier of a move that was not made, unless the user, as read after the claim, has come there another way.
func (p *Provider) letGo(ctx context.Context, u User, i Identifier) (owner User, free bool, err error) {
	if u.State != UserDeleted && p.isCurrent(u, i.ID) {
		return u, false, p.settleMove(ctx, u, i)
	}
	return User{}, true, p.release(ctx, i)
}

// settleIdentifier makes it firm; done before is fine.
func (p *Provider) settleIdentifier(ctx context.Context, i Identifier) error {
	if i.Kind == IdentifierFirm {
		return nil
	}
	_, err := again(ctx, func() (bool, error) { return p.store.FirmIdentifier(ctx, i.ID, i.Claim) })
	return err
}

// release deletes an identifier under the claim that was read; gone or claimed anew is fine.
func (p *Provider) release(ctx context.Context, i Identifier) error {
	_, err := again(ctx, func() (bool, error) { return p.store.DeleteIdentifier(ctx, i.ID, i.Claim) })
	return err
}

// owner looks an identifier up. An unknown one costs the same operations as a known one: what it has no user to
// read, it reads in vain.
func (p *Provider) owner(ctx context.Context, identifier string) (u User, found bool, err error) {
	i, err := again(ctx, func() (Identifier, error) { return p.store.Identifier(ctx, identifier) })
	if errors.Is(err, ErrNotFound) {
		_, err = again(ctx, func() (User, error) { return p.store.User(ctx, "nobody") })
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return User{}, false, err
	}
	if err != nil {
		return User{}, false, err
	}
	u, free, err := p.resolve(ctx, i)
	return u, !free && err == nil, err
}

// errStaleClaim: the same user has moved on since the claim was made up, and is about to come here again. To take that move's identifier over would
// make it one of a move that can't be made, which anyone may delete, while the user is on its way.
var errStaleClaim = unavailable(errors.New("an identifier is claimed by a newer move of its user"))

// claim is the commit of a registration or a move: it inserts the identifier, or finds it claimed by the same act before. False when another
// user has it. What was met on the way is resolved. errStaleClaim is unavailable to who does not look for it.
func (p *Provider) claim(ctx context.Context, want Identifier) (bool, error) {
	for range 8 {
		err := done(ctx, func() error { return p.store.InsertIdentifier(ctx, want) })
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, ErrExists) {
			return false, err
		}
		met, err := again(ctx, func() (Identifier, error) { return p.store.Identifier(ctx, want.ID) })
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil:
			return false, err
		case met.Claim == want.Claim:
			return true, nil
		case met.UserID == want.UserID && met.Kind == IdentifierMove && met.Rev > want.Rev:
			return false, errStaleClaim
		case met.UserID == want.UserID:
			hit, err := again(ctx, func() (bool, error) { return p.store.ReclaimIdentifier(ctx, met.Claim, want) })
			if err != nil || hit {
				return hit, err
			}
			continue
		}
		if _, free, err := p.resolve(ctx, met); err != nil || !free {
			return false, err
		}
	}
	return false, unavailable(errors.New("an identifier changes hands too often"))
}

// newIdentifier is an identifier that is still to be settled.
func newIdentifier(id, userID, claim string, kind IdentifierKind, now time.Time) Identifier {
	return Identifier{ID: id, UserID: userID, Claim: claim, Kind: kind, OpenSince: now}
}
