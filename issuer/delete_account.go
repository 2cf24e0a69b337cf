package issuer

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Deleting an account.
//
//  1. {user, Ver v, NameRev n} -> deleted; what is personal gone; Ver, Cred, Epoch, Pending v+1; Release its address and its username.
//  2. Sweep: end its sessions, take device and network out of them and out of the audit log.
//  3. Resolve what is in Release, which lets it go: address and username are free.
//  4. A mail to the address that it had, as well as can be: nothing is left that remembers it.
//
// A crash after 1: any replica's poll does 2 and 3. The user stays as an empty shell, so that its id is never given out again. A sign-in that
// raced with 1 may leave a session or a line in the audit log after 2 has passed, so polls sweep again for as long as a request may take
// (sweep.go).
//
// Invariants: those of an end-all (act.go) and of resolve; once it has answered, and scrubAgain later, nothing personal is left but in backups and
// in mail that was sent.

// DeleteMe deletes the caller's account. Errors: invalid_request, step_up_required, invalid_credentials, session_revoked, rate_limited, unavailable.
func (p *Provider) DeleteMe(ctx context.Context, who Requester, caller Principal, password string) error {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	now := p.now()
	var f fields
	checkOwnPassword(&f, "password", password)
	if err := f.err(); err != nil {
		return err
	}
	if err := requireRecent(caller, now); err != nil {
		return err
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return err
	}
	// The line comes first among what follows, without where it came from.
	e := caller.event(Requester{RequestID: who.RequestID}, "user.deleted", "user.deleted:"+caller.User.ID, now)
	_, err := p.eraseUser(ctx, caller.User, now, p.confirming(ctx, who, caller, purposeDelete, password, now), e)
	return err
}

// deleteUser deletes an account on behalf of somebody else and records it by said. Errors: not_found when it is gone already, unavailable.
func (p *Provider) deleteUser(ctx context.Context, u User, now time.Time, said ...AuditEvent) (User, error) {
	return p.eraseUser(ctx, u, now, func(u User) error {
		if u.State == UserDeleted {
			return errNoUser
		}
		return nil
	}, said...)
}

// eraseUser is all four steps, allowed by check with the user as it is then, and recorded by said once it is done.
func (p *Provider) eraseUser(ctx context.Context, u User, now time.Time, check func(User) error, said ...AuditEvent) (User, error) {
	var was User
	u, err := p.act(ctx, u, randomID(), now, func(u User) (Act, error) {
		was = u
		rev := u.NameRev
		return Act{State: UserDeleted, EndAll: RevokedDeleted, Erase: true, Release: identifiersOf(u), NameRev: &rev}, check(u)
	})
	if err != nil {
		return u, err
	}
	for _, e := range said {
		p.audit(ctx, e)
	}
	p.tellOfDeletion(ctx, was, now)
	return u, errors.Join(p.sweep(ctx, u, now), p.releaseAll(ctx, u, now))
}

// identifiersOf is what the user has and does not let go already.
func identifiersOf(u User) []string {
	out := []string{EmailKey(u.Email)}
	if name := nameIdentifier(u.Username); name != "" {
		out = append(out, name)
	}
	return slices.DeleteFunc(out, func(id string) bool { return slices.Contains(u.Release, id) })
}

// tellOfDeletion is step 4.
func (p *Provider) tellOfDeletion(ctx context.Context, was User, now time.Time) {
	l := Letter{Kind: LetterDeleted, To: was.Email, Locale: was.Locale, At: now}
	err := p.post(ctx, l, postage{id: "deleted:" + was.ID, giveUpAt: now.Add(noticeLife)}, now)
	if err != nil && !errors.Is(err, ErrNoKeys) {
		p.log.Warn().Err(err).Str("sub", was.ID).Msg("nobody is told of a deleted account")
	}
}
