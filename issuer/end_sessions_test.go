package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/issuer"
	"signet/repository/conformance"
)

// addSession puts a live session into the store, last refreshed at.
func (w *world) addSession(id string, created, at time.Time) {
	w.t.Helper()
	err := w.store.InsertSession(context.Background(), issuer.Session{
		ID: id, UserID: "u-" + id, ClientID: issuer.FirstPartyID, Secret: "k", CreatedAt: created, At: at, IdleAt: epoch.Add(1e5 * time.Hour), AbsAt: epoch.Add(1e5 * time.Hour),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// refreshedAt refreshes a session by a replica whose clock says now; one that is over stays so.
func (w *world) refreshedAt(id string, now time.Time) {
	w.t.Helper()
	_, _, err := w.store.RotateSession(context.Background(), issuer.Rotation{
		SID: id, Gen: w.session(id).Gen, Secret: "k", ClientIDs: []string{issuer.FirstPartyID}, Now: now, Next: "k", Idle: 1e5 * time.Hour, Att: "a",
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// sometimes is a fault every other time; never so often in a row that a call gives up.
func sometimes(rng *rand.Rand) conformance.Fault {
	return []conformance.Fault{conformance.None, conformance.None, conformance.None, conformance.AnswerLost, conformance.Twice, conformance.CrashBefore}[rng.IntN(6)]
}

// mayDie runs a call whose process is killed when the store panics with errCrashed.
func mayDie(run func() (int, error)) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != any(errCrashed) {
				panic(r)
			}
			n, err = 0, errCrashed
		}
	}()
	return run()
}

func (w *world) audited(prefix string) (events []issuer.AuditEvent) {
	w.t.Helper()
	all, err := w.store.ListAudit(context.Background(), issuer.AuditQuery{}, issuer.Place{}, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range all {
		if strings.HasPrefix(e.Type, prefix) {
			events = append(events, e)
		}
	}
	return events
}

func TestEndSessionsSince(t *testing.T) {
	w := newWorld(t)
	ctx, p := t.Context(), w.replica(w.store)
	before := w.signUp("before@example.org")
	w.clock.advance(time.Hour)
	since := w.clock.Now()
	refreshed := w.signIn(p, "before@example.org")
	w.clock.advance(30 * time.Hour)
	created := w.signUp("since@example.org")
	next, err := p.Refresh(ctx, who, refreshed.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 { // more than a page, over many hours
		w.addSession(fmt.Sprint("old-", i), since.Add(-300*time.Hour), since.Add(time.Duration(i)*5*time.Hour))
	}
	w.addSession("just-before", since.Add(-time.Hour), since.Add(-time.Millisecond))
	w.clock.advance(time.Minute)
	w.addSession("signs-in-meanwhile", w.clock.Now(), w.clock.Now())
	mails, told := w.mails.count(), []int{}
	meanwhile := w.clock.Now() // what is created from here on is let be
	n, err := issuer.EndSessionsSince(ctx, w.store, since, w.clock.Now, func(done int) { told = append(told, done) })
	if n != 9 || err != nil {
		t.Fatalf("ended %d, %v, want 9", n, err)
	}
	if !slices.IsSorted(told) || told[len(told)-1] != n || len(told) < 4 {
		t.Errorf("progress %v", told)
	}
	if n, err := issuer.EndSessionsSince(ctx, w.store, since, func() time.Time { return meanwhile }, nil); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	for _, sid := range []string{created.SID, refreshed.SID, "old-0", "old-6"} {
		if r := w.session(sid).Revoked; r == nil || r.Why != issuer.RevokedKey || !r.At.Equal(w.clock.Now()) {
			t.Errorf("%s: %+v", sid, r)
		}
	}
	for _, sid := range []string{before.SID, "just-before", "signs-in-meanwhile"} {
		if r := w.session(sid).Revoked; r != nil {
			t.Errorf("%s is over: %+v", sid, r)
		}
	}
	for _, token := range []string{next.RefreshToken, created.RefreshToken} {
		_, err := p.Refresh(ctx, who, token)
		wantKind(t, err, issuer.KindSessionRevoked)
	}
	if _, err := p.Refresh(ctx, who, before.RefreshToken); err != nil {
		t.Errorf("a session from before: %v", err)
	}
	if err := p.Settle(ctx); err != nil || w.mails.count() != mails {
		t.Errorf("owners were mailed: %d, %v", w.mails.count()-mails, err)
	}
	log := w.audited("sessions.")
	const what = "created or refreshed since 2030-01-02T04:04:05Z"
	for _, want := range []string{"sessions.ending " + what, "sessions.ended 9 " + what, "sessions.ended 0 " + what} {
		if !slices.ContainsFunc(log, func(e issuer.AuditEvent) bool { return e.Type+" "+e.Detail == want && e.At.Equal(meanwhile) }) {
			t.Errorf("not audited: %s, only %+v", want, log)
		}
	}
}

func TestEndSessionsSinceRefuses(t *testing.T) {
	w := newWorld(t)
	w.addSession("s", epoch.Add(-time.Hour), epoch)
	_, err := issuer.EndSessionsSince(t.Context(), w.store, epoch.Add(time.Second), w.clock.Now, nil)
	wantKind(t, err, issuer.KindInvalidRequest)
	dead := conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
		if op == "AppendAudit" {
			return conformance.CrashBefore
		}
		return conformance.None
	})
	_, err = issuer.EndSessionsSince(t.Context(), dead, epoch, w.clock.Now, nil)
	wantKind(t, err, issuer.KindUnavailable)
	if w.session("s").Revoked != nil || len(w.audited("")) != 0 {
		t.Error("what can't be audited was done")
	}
}

// An operator who interrupts it finds in the log what was done, and goes on later.
func TestEndSessionsSinceInterrupted(t *testing.T) {
	w := newWorld(t)
	for i := range 8 {
		w.addSession(fmt.Sprint("s", i), epoch.Add(-time.Hour), epoch)
	}
	w.clock.advance(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	n, err := issuer.EndSessionsSince(ctx, w.store, epoch, w.clock.Now, func(int) { cancel() })
	wantKind(t, err, issuer.KindUnavailable)
	log := w.audited("sessions.ended")
	if n != 3 || len(log) != 1 || !strings.HasPrefix(log[0].Detail, "3 ") || !strings.HasSuffix(log[0].Detail, ", not all") {
		t.Fatalf("ended %d, audited %+v", n, log)
	}
	if n, err := issuer.EndSessionsSince(t.Context(), w.store, epoch, w.clock.Now, nil); n != 5 || err != nil {
		t.Errorf("then %d, %v", n, err)
	}
}

// Between any two operations other sessions are refreshed, by clocks hours apart, created and logged out; answers are lost, writes arrive twice,
// and the process dies at any moment and is started again. Once a run has ended well, whatever was on the list when it began is over, nothing
// else was touched, and, if no process died, the counts are exact.
func TestEndSessionsSinceProperties(t *testing.T) {
	w, made := newWorld(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 9))
		w.clock.advance(100 * time.Hour) // nothing of the check before is listed
		since := w.clock.Now().Add(-20 * time.Hour)
		near := func() time.Time { return since.Add(time.Duration(rng.IntN(20*3600)-10*3600) * time.Second) }
		var all []string
		add := func(created, at time.Time) {
			id := fmt.Sprintf("%02x-%d", rng.IntN(256), made)
			w.addSession(id, created, at)
			all, made = append(all, id), made+1
		}
		for range rng.IntN(14) {
			created := near()
			add(created, created.Add(time.Duration(rng.IntN(5))*time.Hour))
		}
		touched := map[string]bool{} // refreshed during a run: over or not, as it happens
		interfere := func() {
			w.clock.advance(time.Duration(rng.IntN(3)) * time.Millisecond)
			if rng.IntN(3) > 0 || len(all) == 0 {
				return
			}
			sid := all[rng.IntN(len(all))]
			switch rng.IntN(4) {
			case 0:
				add(w.clock.Now(), w.clock.Now())
			case 1:
				_, _, err := w.store.RevokeSession(t.Context(), sid, issuer.Revoking{At: epoch, Why: issuer.RevokedLogout})
				if err != nil {
					rt.Fatal(err)
				}
			default:
				w.refreshedAt(sid, w.clock.Now().Add(time.Duration(rng.IntN(7200)-3600)*time.Second))
				touched[sid] = true
			}
		}
		counted, died := 0, false
		for run := 0; ; run++ {
			w.clock.advance(time.Second)
			due, crash := map[string]bool{}, -1
			for _, sid := range all {
				if s := w.session(sid); s.Revoked == nil && (!s.At.Before(since) || !s.CreatedAt.Before(since)) {
					due[sid] = true
				}
			}
			if run < 3 {
				crash = rng.IntN(40)
			}
			store := conformance.Faulty(w.store, func(_ string, n int) conformance.Fault {
				if n == crash {
					died = true
					panic(errCrashed)
				}
				interfere()
				return sometimes(rng)
			})
			n, err := mayDie(func() (int, error) { return issuer.EndSessionsSince(t.Context(), store, since, w.clock.Now, nil) })
			counted += n
			if errors.Is(err, errCrashed) {
				continue
			}
			if err != nil {
				rt.Fatal(err)
			}
			for _, sid := range slices.Sorted(maps.Keys(due)) {
				if s := w.session(sid); s.Revoked == nil {
					rt.Fatalf("run %d left %+v", run, s)
				}
			}
			break
		}
		byUs := 0
		for _, sid := range all {
			s := w.session(sid)
			if s.Revoked == nil || s.Revoked.Why != issuer.RevokedKey {
				continue
			}
			byUs++
			if !touched[sid] && s.At.Before(since) && s.CreatedAt.Before(since) {
				rt.Fatalf("a session from before is over: %+v", s)
			}
		}
		if counted > byUs || (!died && counted != byUs) {
			rt.Fatalf("counted %d, ended %d", counted, byUs)
		}
	})
}
