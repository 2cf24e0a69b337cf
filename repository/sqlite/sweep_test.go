package sqlite

import (
	"fmt"
	"testing"
	"time"

	"signet/issuer"
	"signet/keys"
)

// TestSweep makes one of everything that ends at benchNow, and looks when it goes.
func TestSweep(t *testing.T) {
	s, ctx := openAt(t, fileIn(t)), t.Context()
	end, never := benchNow, benchNow.Add(1000*day)
	make := func(id string, until time.Time) {
		t.Helper()
		theft := issuer.Session{ID: "theft " + id, UserID: "u", AbsAt: until, Notice: true}
		counted, _, err := s.TakeBudget(ctx, "budget "+id, "a", 1, time.Hour, until.Add(-time.Hour))
		if !counted || err != nil {
			t.Fatalf("%v, %v", counted, err)
		}
		_, err = s.CountSource(ctx, "source "+id, until)
		for _, err := range []error{
			err,
			s.InsertUser(ctx, newUser(id)),
			s.InsertIdentifier(ctx, issuer.Identifier{ID: id, OpenSince: until}),
			s.InsertChallenge(ctx, issuer.Challenge{ID: id, ExpiresAt: until}),
			s.InsertSession(ctx, issuer.Session{ID: id, UserID: "u", AbsAt: until, IdleAt: until.Add(-time.Hour)}),
			s.InsertSession(ctx, theft),
			s.InsertMail(ctx, issuer.Mail{ID: id, GiveUpAt: until}),
			s.AppendAudit(ctx, issuer.AuditEvent{ID: id, At: until}),
			s.PutHeartbeat(ctx, keys.Heartbeat{Replica: id, At: until}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	make("ended", end)
	make("needed", never)
	rows := func(where string) (found []string) {
		t.Helper()
		for _, table := range []string{"users", "identifiers", "challenges", "sessions", "outbox", "throttles", "audit", "heartbeats"} {
			ids, err := listIDs(ctx, s, fmt.Sprintf(`SELECT '%s ' || id FROM %s WHERE id LIKE '%%' || ?`, table, table), where)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, ids...)
		}
		return found
	}
	sweep := func(now time.Time, limit, want int) {
		t.Helper()
		if n, err := s.Sweep(ctx, now, limit); n != want || err != nil {
			t.Errorf("%d swept, %v, want %d", n, err, want)
		}
	}
	sweep(end.Add(day), 100, 0)
	sweep(end.Add(2*day+time.Millisecond), 2, 2)
	sweep(end.Add(2*day+time.Millisecond), 100, 4)
	sweep(end.Add(2*day+time.Millisecond), 100, 0)
	if left := rows("ended"); fmt.Sprint(left) != "[users ended identifiers ended sessions theft ended audit ended]" {
		t.Errorf("left: %q", left)
	}
	if left := rows("needed"); len(left) != 10 {
		t.Errorf("what is needed: %q", left)
	}
	if _, err := s.ClearNotice(ctx, "theft ended"); err != nil {
		t.Fatal(err)
	}
	sweep(end.Add(2*day+time.Millisecond), 100, 1)
}

func TestSweepOfMany(t *testing.T) {
	s := openAt(t, fileIn(t))
	for i := range 3*sweepStep + 1 {
		if err := s.InsertChallenge(t.Context(), issuer.Challenge{ID: fmt.Sprint(i), ExpiresAt: benchNow}); err != nil {
			t.Fatal(err)
		}
	}
	before := s.Stats().Operations
	n, err := s.Sweep(t.Context(), benchNow.Add(10*day), 1_000_000)
	if n != 3*sweepStep+1 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if ops := s.Stats().Operations - before; ops < 4 {
		t.Errorf("swept in %d operations: others had to wait for all of it", ops)
	}
}

// TestSweepRetiresTheExpired: a day after it expired a session is passed over by lists without being read, and by then it is nobody's; one that is revoked
// all the same is listed as revoked.
func TestSweepRetiresTheExpired(t *testing.T) {
	s, ctx := openAt(t, fileIn(t)), t.Context()
	const expired = sweepStep + 3
	for i := range expired {
		d := benchSession(i)
		d.IdleAt = benchNow.Add(-25 * time.Hour)
		if err := s.InsertSession(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	recent, live := benchSession(expired), benchSession(expired+1)
	recent.IdleAt = benchNow.Add(-23 * time.Hour)
	for _, d := range []issuer.Session{recent, live} {
		if err := s.InsertSession(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	check := func(outstanding, revoked int64, retired int) {
		t.Helper()
		c, err := s.Counts(ctx, benchNow)
		if err != nil || c.Outstanding != outstanding || c.Revoked != revoked {
			t.Errorf("counts %+v, %v", c, err)
		}
		if n, _, err := readRow[int](ctx, s, `SELECT count(*) FROM sessions WHERE ended = 2`); n != retired || err != nil {
			t.Errorf("%d retired, %v, want %d", n, err, retired)
		}
		if list, err := s.ListSessions(ctx, issuer.SessionQuery{Now: benchNow}, issuer.Place{}, 10); err != nil || len(list) != 1 || list[0].ID != live.ID {
			t.Errorf("listed %v, %v", list, err)
		}
	}
	check(1, 0, 0)
	if n, err := s.Sweep(ctx, benchNow, 1000); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	check(1, 0, expired)
	sid := benchSession(0).ID
	if _, hit, err := s.RaiseSession(ctx, sid, 9, nil, 0, ""); !hit || err != nil {
		t.Error(hit, err)
	}
	check(1, 0, expired)
	if _, hit, err := s.RevokeSession(ctx, sid, issuer.Revoking{At: benchNow, Why: issuer.RevokedDeleted}); !hit || err != nil {
		t.Error(hit, err)
	}
	check(1, 1, expired-1)
}

func TestForgetTransient(t *testing.T) {
	s, ctx := openAt(t, fileIn(t)), t.Context()
	for range 2 { // it can be repeated, and what was forgotten may come again
		if err := s.ForgetTransient(ctx); err != nil {
			t.Fatal(err)
		}
		_, _, taken := s.TakeBudget(ctx, "k", "a", 1, time.Hour, benchNow)
		for _, err := range []error{
			taken, s.InsertChallenge(ctx, issuer.Challenge{ID: "c"}), s.InsertMail(ctx, issuer.Mail{ID: "m"}), s.PutHeartbeat(ctx, keys.Heartbeat{Replica: "r"}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	kept := []error{
		s.InsertUser(ctx, newUser("u")), s.InsertSession(ctx, benchSession(1)), s.InsertIdentifier(ctx, issuer.Identifier{ID: "email:a"}),
		s.AppendAudit(ctx, issuer.AuditEvent{ID: "e"}), s.ForgetTransient(ctx),
	}
	for _, err := range kept {
		if err != nil {
			t.Fatal(err)
		}
	}
	for table, want := range map[string]int{
		"challenges": 0, "outbox": 0, "throttles": 0, "heartbeats": 0, "users": 1, "sessions": 1, "identifiers": 1, "audit": 1, "clients": 1,
	} {
		if n, _, err := readRow[int](ctx, s, `SELECT count(*) FROM `+table); n != want || err != nil {
			t.Errorf("%s: %d left, %v, want %d", table, n, err, want)
		}
	}
}
