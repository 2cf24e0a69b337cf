package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Ending what a revoked key signed. An operator runs it after the key has left the ring, with or without a server running.
//
//  1. A line in the audit log says what is about to be done; without it nothing is.
//  2. Walk the sessions created or refreshed since, by page. Each: {sid, not revoked} -> revoked: key_revoked.
//  3. A line in the audit log says how many.
//
// Invariant: once it has returned without an error, every session that was created or refreshed in [since, its beginning) is over. After an
// error or a crash, running it again goes on: what was ended is no longer listed. Sessions that begin while it runs are let be, so that people
// can sign in again at once and the walk has an end.
//
// A replica may sign with the revoked key until it has read the ring without it (R of the key ring's policy: four polls), and the times of a
// session are by its replica's clock. So who must miss nothing waits R and the clock skew after the revocation, and gives a since that is earlier
// by the skew.

// EndSessionsStore is the part of Store that EndSessionsSince uses.
type EndSessionsStore interface {
	Session(ctx context.Context, sid string) (Session, error)
	SessionsActiveSince(ctx context.Context, since time.Time, after SessionCursor, limit int) ([]Session, error)
	RevokeSession(ctx context.Context, sid string, r Revoking) (Session, bool, error)
	AppendAudit(ctx context.Context, e AuditEvent) error
}

// EndSessionsSince revokes every session created or refreshed since, of all users; their owners are not told by mail. now is the store's
// time; progress, unless nil, is told after each page how many this call has ended so far. It returns how many it ended, also beside
// an error: invalid_request for a since to come, unavailable. Safe beside servers and beside itself.
func EndSessionsSince(ctx context.Context, store EndSessionsStore, since time.Time, now func() time.Time, progress func(done int)) (int, error) {
	began := now().UTC().Truncate(time.Millisecond)
	if since.After(began) {
		return 0, (fields{{Field: "since", Message: "must not be in the future"}}).err()
	}
	e := ending{store: store, why: RevokedKey, since: since, before: began, now: now}
	run := "end_sessions:" + randomID()
	said := since.UTC().Format(time.RFC3339Nano)
	if err := e.audit(ctx, AuditEvent{ID: run, Type: "sessions.ending", At: began, Detail: "created or refreshed since " + said}); err != nil {
		return 0, err
	}
	err := e.walk(ctx, progress)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sayWithin) // an operator who interrupts it is told what was done
	defer cancel()
	detail := fmt.Sprintf("%d created or refreshed since %s", e.ended, said)
	if err != nil {
		detail += ", not all"
	}
	return e.ended, errors.Join(err, e.audit(ctx, AuditEvent{ID: run + ":ended", Type: "sessions.ended", At: e.time(), Detail: detail}))
}

// endPage is smaller in tests, which walk over many pages of few.
var endPage = 200

const (
	sayWithin  = 5 * time.Second
	listWithin = time.Minute // a page of the few that are left may have to look at many that are over
)

// ending is one run.
type ending struct {
	store         EndSessionsStore
	why           RevokeReason
	since, before time.Time // sessions created or refreshed since, unless they were not created before
	now           func() time.Time
	ended         int
}

func (e *ending) time() time.Time { return e.now().UTC().Truncate(time.Millisecond) }

func (e *ending) audit(ctx context.Context, event AuditEvent) error {
	return done(ctx, func() error { return e.store.AppendAudit(ctx, event) })
}

func (e *ending) walk(ctx context.Context, progress func(int)) error {
	for after := (SessionCursor{}); ; {
		page, err := again(ctx, func() ([]Session, error) {
			ctx, cancel := context.WithTimeout(ctx, listWithin)
			defer cancel()
			return e.store.SessionsActiveSince(ctx, e.since, after, endPage)
		})
		if err != nil {
			return err
		}
		for _, s := range page {
			after = s.Cursor()
			if !s.CreatedAt.Before(e.before) {
				continue
			}
			if err := e.end(ctx, s.ID); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(e.ended)
		}
		if len(page) < endPage {
			return nil
		}
	}
}

// end revokes one session. It is over also on a miss; that tells, by the moment, whether this run ended it and the answer was lost.
func (e *ending) end(ctx context.Context, sid string) error {
	r := Revoking{At: e.time(), Why: e.why}
	_, hit, err := applied(ctx, func() (Session, bool, error) { return e.store.RevokeSession(ctx, sid, r) })
	if err != nil {
		return err
	}
	if !hit {
		s, err := again(ctx, func() (Session, error) { return e.store.Session(ctx, sid) })
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		hit = err == nil && s.Revoked != nil && s.Revoked.Why == r.Why && s.Revoked.At.Equal(r.At)
	}
	if hit {
		e.ended++
	}
	return nil
}
