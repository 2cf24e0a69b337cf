package conformance

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/issuer"
)

// activeAt is a live session that was created and last refreshed then.
func activeAt(created, at time.Time) issuer.Session {
	d := liveSession()
	d.CreatedAt, d.At, d.IdleAt = created, at, after(24*time.Hour)
	return d
}

// activeSessions tests the list that ends sessions by their time: what is on it, in which order, and that a walk misses nothing.
func activeSessions(t *testing.T, s Store) {
	t.Run("each clause", func(t *testing.T) { activeClauses(t, s) })
	t.Run("order", func(t *testing.T) { activeOrder(t, s) })
	t.Run("a walk under change", func(t *testing.T) { walksUnderChange(t, s) })
}

func activeClauses(t *testing.T, s Store) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name string
		doc  issuer.Session
		set  func(*issuer.Session)
		hit  bool
	}{
		{"refreshed then", activeAt(after(-day), base), nil, true},
		{"refreshed a millisecond before", activeAt(after(-day), after(-ms)), nil, false},
		{"refreshed just before, within microseconds", activeAt(after(-day), base.Add(-time.Microsecond)), nil, false},
		{"created then, by a slow clock refreshed before", activeAt(base, after(-day)), nil, true},
		{"created a millisecond before, and never refreshed", activeAt(after(-ms), after(-ms)), nil, false},
		{"refreshed long after", activeAt(after(-day), after(day)), nil, true},
		{"created long before", activeAt(after(-day), after(-day)), nil, false},
		{"of generation 0", activeAt(base, base), func(d *issuer.Session) { d.Gen, d.Recent = 0, nil }, true},
		{"revoked", activeAt(base, base), revoked, false},
		{"revoked, its owner still to be told", activeAt(base, base), func(d *issuer.Session) { revoked(d); d.Notice = true }, false},
		{"idled out", activeAt(base, base), func(d *issuer.Session) { d.IdleAt = base }, true},
		{"at its end", activeAt(base, base), func(d *issuer.Session) { d.AbsAt = base }, true},
	} {
		if c.set != nil {
			c.set(&c.doc)
		}
		ok(t, s.InsertSession(t.Context(), c.doc))
		list := must(s.SessionsActiveSince(t.Context(), base, issuer.SessionCursor{}, 100))(t)
		i := slices.IndexFunc(list, func(d issuer.Session) bool { return d.ID == c.doc.ID })
		if (i >= 0) != c.hit {
			t.Errorf("%s: listed: %v, want %v", c.name, i >= 0, c.hit)
		}
		if i >= 0 {
			same(t, c.name, list[i], c.doc)
		}
		_, _, err := s.RevokeSession(t.Context(), c.doc.ID, issuer.Revoking{At: base, Why: issuer.RevokedKey})
		ok(t, err)
		if c.hit {
			same(t, c.name+", why it ended", must(s.Session(t.Context(), c.doc.ID))(t).Revoked, &issuer.Revocation{At: base, Why: issuer.RevokedKey})
		}
		if n := len(must(s.SessionsActiveSince(t.Context(), time.Time{}, issuer.SessionCursor{}, 100))(t)); n != 0 {
			t.Fatalf("%s: %d are listed though it is revoked", c.name, n)
		}
	}
}

func activeOrder(t *testing.T, s Store) {
	var want []issuer.Session
	for i, id := range []string{"a", "B", "é", "A", "0", "🦊", "b", "_", "-"} { // in three hours
		d := activeAt(after(-time.Hour*240), after(time.Hour*time.Duration(i%3)))
		d.ID = id
		ok(t, s.InsertSession(t.Context(), d))
		want = append(want, d)
	}
	defer endActive(t, s)
	slices.SortFunc(want, func(a, b issuer.Session) int {
		return cmp.Or(cmp.Compare(a.ActiveHour(), b.ActiveHour()), cmp.Compare(a.ID, b.ID))
	})
	for since, skip := range map[time.Time]int{{}: 0, base: 0, base.Add(time.Minute): 3, base.Add(2 * time.Hour): 6, base.Add(3 * time.Hour): 9} {
		var ids []string
		for _, d := range want[skip:] {
			ids = append(ids, d.ID)
		}
		cursors := map[string]issuer.SessionCursor{}
		paging(t, ids, func(after string, limit int) (page []string, _ error) {
			list, err := s.SessionsActiveSince(t.Context(), since, cursors[after], limit)
			for _, d := range list {
				cursors[d.ID] = d.Cursor()
				page = append(page, d.ID)
			}
			return page, err
		})
	}
	if list := must(s.SessionsActiveSince(t.Context(), base, issuer.SessionCursor{}, 0))(t); len(list) != 0 {
		t.Errorf("a page of none lists %d", len(list))
	}
}

// endActive revokes what is listed, so that the next test begins with none.
func endActive(t *testing.T, s Store) {
	for _, d := range must(s.SessionsActiveSince(t.Context(), time.Time{}, issuer.SessionCursor{}, 1000))(t) {
		_, _, err := s.RevokeSession(t.Context(), d.ID, issuer.Revoking{At: base, Why: issuer.RevokedKey})
		ok(t, err)
	}
}

// refreshAt rotates a session by a replica whose clock says now. A session that is over is left as it is.
func refreshAt(ctx context.Context, s Store, sid string, now time.Time) error {
	for {
		d, err := s.Session(ctx, sid)
		if err != nil {
			return err
		}
		_, hit, err := s.RotateSession(ctx, issuer.Rotation{SID: sid, Gen: d.Gen, Secret: d.Secret, ClientIDs: []string{d.ClientID}, Now: now, Next: "s1", Idle: 240 * time.Hour, Att: "a"})
		if err != nil || hit || d.Ended(now) {
			return err
		}
	}
}

// walksUnderChange: between any two pages sessions are refreshed by clocks that differ by hours, dated again, created and ended. Whatever was on
// the list at its first page, and is not ended, is met.
func walksUnderChange(t *testing.T, s Store) {
	walks := 8
	if long() {
		walks = 200
	}
	rng := rand.New(rand.NewPCG(uint64(walks), 1))
	near := func() time.Time { return after(time.Duration(rng.IntN(10*3600)-5*3600) * time.Second) }
	for walk := range walks {
		due := map[string]bool{}
		var all []string
		for range 4 + rng.IntN(12) {
			d := activeAt(after(-240*time.Hour), near())
			ok(t, s.InsertSession(t.Context(), d))
			all = append(all, d.ID)
			if !d.At.Before(base) {
				due[d.ID] = true
			}
		}
		change := func() {
			sid := all[rng.IntN(len(all))]
			switch rng.IntN(5) {
			case 0:
				d := activeAt(near(), near())
				ok(t, s.InsertSession(t.Context(), d))
				all = append(all, d.ID)
			case 1:
				if _, hit, err := s.RevokeSession(t.Context(), sid, issuer.Revoking{At: base, Why: issuer.RevokedLogout}); err != nil || hit {
					ok(t, err)
					delete(due, sid)
				}
			case 2:
				d := must(s.Session(t.Context(), sid))(t)
				must(s.RedateRotation(t.Context(), sid, d.Gen, d.By, near()))(t)
			default:
				ok(t, refreshAt(t.Context(), s, sid, near()))
			}
		}
		for cursor, limit := (issuer.SessionCursor{}), 1+rng.IntN(3); ; {
			page := must(s.SessionsActiveSince(t.Context(), base, cursor, limit))(t)
			for _, d := range page {
				delete(due, d.ID)
				cursor = d.Cursor()
			}
			if len(page) < limit {
				break
			}
			for range rng.IntN(4) {
				change()
			}
		}
		if len(due) > 0 {
			t.Fatalf("walk %d missed %v", walk, due)
		}
		endActive(t, s)
	}
}

// walkRace walks while others refresh what it walks over, by clocks that differ, without a pause.
func walkRace(t *testing.T, s Store) {
	t.Run("SessionsActiveSince against RotateSession", func(t *testing.T) {
		for round := range max(1, rounds()/20) {
			due := map[string]bool{}
			var all []string
			for i := range 40 {
				d := activeAt(after(-240*time.Hour), after(time.Hour*time.Duration(i%8)))
				ok(t, s.InsertSession(t.Context(), d))
				due[d.ID], all = true, append(all, d.ID)
			}
			stop := make(chan struct{})
			var refreshing sync.WaitGroup
			for caller := range 4 {
				refreshing.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(round), uint64(caller)))
					for {
						select {
						case <-stop:
							return
						default:
							if err := refreshAt(t.Context(), s, all[rng.IntN(len(all))], after(time.Duration(rng.IntN(10*3600))*time.Second)); err != nil {
								t.Error(err)
								return
							}
						}
					}
				})
			}
			missed := unmet(t, s, due)
			close(stop)
			refreshing.Wait()
			if len(missed) > 0 {
				t.Fatalf("round %d missed %v", round, missed)
			}
			endActive(t, s)
		}
	})
}

// unmet walks by small pages and returns what of due it did not meet.
func unmet(t *testing.T, s Store, due map[string]bool) map[string]bool {
	for cursor := (issuer.SessionCursor{}); ; {
		page, err := s.SessionsActiveSince(t.Context(), base, cursor, 3)
		if err != nil {
			t.Error(err)
			return due
		}
		for _, d := range page {
			delete(due, d.ID)
			cursor = d.Cursor()
		}
		if len(page) < 3 {
			return due
		}
	}
}
