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
