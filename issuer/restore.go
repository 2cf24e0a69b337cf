package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/keys"
)

// Making a store that was put back from a backup fit to be served. It can't know what happened since the backup was made: logouts, changes of
// passwords, generations of refresh tokens, revoked keys. So nothing that is to be trusted for what it was then survives:
//
//  1. The key ring begins anew (keys.Operator.Restart): what the operator knows to be revoked is, every MAC secret is new, and the ring is marked in
//     the same write, so that from here on no server serves the store until 7.
//  2. Challenges, mail, budgets and heartbeats are dropped.
//  3. Every session is revoked.
//  4. Every identifier is resolved; one whose user is not in the backup is let go.
//  5. Every user gets the identifiers that it lacks (restore_users.go), and what its last act left is carried out.
//  6. A line in the audit log, named by the mark. 7. The mark is taken off.
//
// A crash anywhere: run again, it goes on. Each step finds what was done and does the rest; all are repeated but 1, which knows by the mark that
// it was done. A crash before 1 is for whoever runs it to rule out: a store is not put where servers look for it before that.
//
// Invariants: no token, code or challenge from before a restore is accepted after it (access tokens only by services that don't ask here,
// until they expire); a restore brings back no revoked key that it can know of; those of resolve.

// RestoreRing is the key ring of the store. keys.Operator is the one implementation.
type RestoreRing interface {
	Restart(ctx context.Context, revoked []string) ([]keys.Change, error)
	Standing(ctx context.Context) (keys.Standing, error)
	Restarted(ctx context.Context) error
}

// Restoring is what a restore works with beside the store.
type Restoring struct {
	Ring    RestoreRing
	Forget  func(context.Context) error // drops challenges, mail, budgets and heartbeats; may be called again
	Revoked []string                    // kids known to be revoked, in the backup or not
	Detail  string                      // for the audit log
	// Progress is told now and then how many of what were looked at; nil is for nobody.
	Progress func(what string, n int)
}

// Restored is what a restore did in this run.
type Restored struct {
	KeyChanges  []keys.Change
	Sessions    int      // ended
	Users       int      // looked at, deleted ones aside
	Identifiers int      // looked at
	Released    int      // identifiers let go
	Inserted    int      // identifiers that users lacked
	Conflicts   []string // ids of users whose address is another's now, who are disabled, or who lost their username
}

// Restore carries out all steps on a store that nobody serves. It returns what it did also beside an error: unavailable, or the key ring's. A store without a
// ring never served, and has nothing to mark.
func (p *Provider) Restore(ctx context.Context, r Restoring) (Restored, error) {
	if r.Progress == nil {
		r.Progress = func(string, int) {}
	}
	run := restore{Provider: p, Restoring: r, began: p.now()}
	mark, err := run.begin(ctx)
	if err != nil {
		return run.sum, err
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return done(ctx, func() error { return r.Forget(ctx) }) },
		run.endSessions,
		run.resolveIdentifiers,
		run.restoreUsers,
		func(ctx context.Context) error { return run.tell(ctx, mark) },
	} {
		if err := step(ctx); err != nil {
			return run.sum, err
		}
	}
	if mark == "" {
		return run.sum, nil
	}
	return run.sum, r.Ring.Restarted(ctx)
}

// restore is one run.
type restore struct {
	*Provider
	Restoring
	began time.Time
	sum   Restored
}

// begin is step 1; the mark is "" where there is no ring.
func (r *restore) begin(ctx context.Context) (mark string, err error) {
	r.sum.KeyChanges, err = r.Ring.Restart(ctx, r.Revoked)
	if errors.Is(err, keys.ErrNoRing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	standing, err := r.Ring.Standing(ctx)
	if err == nil && standing.Restarting == "" {
		err = errors.New("somebody else completed a restore of this store meanwhile")
	}
	return standing.Restarting, err
}

// ever is later than every moment that a clock that was wrong can have left in a session.
var ever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// endSessions is step 3: every session that is not revoked, expired ones too, since it was perhaps the clock that said so.
func (r *restore) endSessions(ctx context.Context) error {
	all := ending{store: r.store, why: RevokedRestored, before: ever, now: r.now}
	err := all.walk(ctx, func(n int) { r.Progress("sessions ended", n) })
	r.sum.Sessions = all.ended
	return err
}

// restorePage is smaller in tests, which walk over many pages of few.
var restorePage = 200

// resolveIdentifiers is step 4.
func (r *restore) resolveIdentifiers(ctx context.Context) error {
	for after := ""; ; {
		page, err := again(ctx, func() ([]Identifier, error) { return r.store.ListIdentifiers(ctx, after, restorePage) })
		if err != nil {
			return err
		}
		for _, i := range page {
			after = i.ID
			free, err := r.resolveRestored(ctx, i)
			if err != nil {
				return fmt.Errorf("identifier of user %s: %w", i.UserID, err)
			}
			r.sum.Identifiers++
			if free {
				r.sum.Released++
			}
		}
		r.Progress("addresses and usernames checked", r.sum.Identifiers)
		if len(page) < restorePage {
			return nil
		}
	}
}

// resolveRestored is resolve, save that a user who is absent, with nothing to make it from, is lost: nobody writes now, and no read is of a server that
// is behind, so that the backup just did not have it.
func (r *restore) resolveRestored(ctx context.Context, i Identifier) (free bool, err error) {
	if i.Payload == nil || i.Kind != IdentifierRegister {
		_, err := again(ctx, func() (User, error) { return r.store.User(ctx, i.UserID) })
		if errors.Is(err, ErrNotFound) {
			return true, r.release(ctx, i)
		}
		if err != nil {
			return false, err
		}
	}
	_, free, err = r.resolve(ctx, i)
	return free, err
}

// tell is step 6. Without the line a restore is not complete.
func (r *restore) tell(ctx context.Context, mark string) error {
	if mark == "" {
		mark = randomID()
	}
	e := AuditEvent{ID: "store.restored:" + mark, Type: "store.restored", At: r.began, Actor: operatorActor, Detail: r.Detail}
	return done(ctx, func() error { return r.store.AppendAudit(ctx, e) })
}
