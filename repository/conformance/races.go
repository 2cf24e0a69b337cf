package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/issuer"
	"signet/keys"
)

const callers = 16

func rounds() int {
	if long() {
		return 400
	}
	return 40
}

// race lets callers loose on one document at once, once a round, and counts those whose call was true.
func race(t *testing.T, name string, winners int, prepare func(*testing.T) string, call func(ctx context.Context, id string, caller int) (bool, error)) {
	t.Run(name, func(t *testing.T) {
		for round := range rounds() {
			id := prepare(t)
			if won := together(t, func(caller int) (bool, error) { return call(t.Context(), id, caller) }); won != winners {
				t.Fatalf("round %d: %d winners, want %d", round, won, winners)
			}
		}
	})
}

func together(t *testing.T, call func(caller int) (bool, error)) int {
	t.Helper()
	var won atomic.Int64
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(callers)
	for caller := range callers {
		done.Go(func() {
			ready.Done()
			<-start
			hit, err := call(caller)
			if err != nil {
				t.Errorf("caller %d: %v", caller, err)
			}
			if hit {
				won.Add(1)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return int(won.Load())
}

// inserted makes an insert a call that is true when it was the first.
func inserted(err error) (bool, error) {
	if errors.Is(err, issuer.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

func races(t *testing.T, s Store) {
	insertRaces(t, s)
	sessionRaces(t, s)
	race(t, "ActOnUser", 1,
		func(t *testing.T) string { u := sampleUser(); ok(t, s.InsertUser(t.Context(), u)); return u.ID },
		func(ctx context.Context, id string, caller int) (bool, error) {
			_, hit, err := s.ActOnUser(ctx, id, issuer.Act{Ver: 7, Att: fmt.Sprint(caller), At: base, EndAll: issuer.RevokedLogoutAll})
			return hit, err
		})
	challenge := func(t *testing.T) string {
		c := sampleChallenge()
		c.Tries = nil
		ok(t, s.InsertChallenge(t.Context(), c))
		return c.ID
	}
	race(t, "CountTry to the limit", 5, challenge, func(ctx context.Context, id string, caller int) (bool, error) {
		_, hit, err := s.CountTry(ctx, id, issuer.PurposeLogin, fmt.Sprint(caller), 5, base)
		return hit, err
	})
	race(t, "CountTry of one attempt", 1, challenge, func(ctx context.Context, id string, caller int) (bool, error) {
		_, hit, err := s.CountTry(ctx, id, issuer.PurposeLogin, "same", 5, base)
		return hit, err
	})
	race(t, "FinishChallenge", 1, challenge, func(ctx context.Context, id string, caller int) (bool, error) {
		_, hit, err := s.FinishChallenge(ctx, id, 1, fmt.Sprint(caller))
		return hit, err
	})
	race(t, "ClaimMail", 1,
		func(t *testing.T) string { m := sampleMail(); ok(t, s.InsertMail(t.Context(), m)); return m.ID },
		func(ctx context.Context, id string, caller int) (bool, error) {
			_, hit, err := s.ClaimMail(ctx, id, base, after(time.Minute), fmt.Sprint(caller))
			return hit, err
		})
	race(t, "ResealMail", 1,
		func(t *testing.T) string { m := sampleMail(); ok(t, s.InsertMail(t.Context(), m)); return m.ID },
		func(ctx context.Context, id string, caller int) (bool, error) {
			return s.ResealMail(ctx, id, sampleMail().Sealed, []byte{byte(caller)})
		})
	walkRace(t, s)
	userWalkRace(t, s)
	sessionWalkRace(t, s)
	budgetRaces(t, s)
	ringRaces(t, s)
}

func insertRaces(t *testing.T, s Store) {
	id := func(*testing.T) string { return newID("race") }
	race(t, "InsertUser", 1, id, func(ctx context.Context, id string, caller int) (bool, error) {
		return inserted(s.InsertUser(ctx, issuer.User{ID: id, State: issuer.UserActive, Username: fmt.Sprint(caller)}))
	})
	race(t, "InsertIdentifier", 1, id, func(ctx context.Context, id string, caller int) (bool, error) {
		return inserted(s.InsertIdentifier(ctx, issuer.Identifier{ID: id, Claim: fmt.Sprint(caller)}))
	})
	race(t, "InsertChallenge", 1, id, func(ctx context.Context, id string, caller int) (bool, error) {
		return inserted(s.InsertChallenge(ctx, issuer.Challenge{ID: id, ExpiresAt: base, UserID: fmt.Sprint(caller)}))
	})
	race(t, "InsertSession", 1, id, func(ctx context.Context, id string, caller int) (bool, error) {
		return inserted(s.InsertSession(ctx, issuer.Session{ID: id, UserID: fmt.Sprint(caller), IdleAt: base, AbsAt: base}))
	})
	race(t, "InsertMail", 1, id, func(ctx context.Context, id string, caller int) (bool, error) {
		return inserted(s.InsertMail(ctx, issuer.Mail{ID: id, By: fmt.Sprint(caller), GiveUpAt: base}))
	})
	race(t, "InsertClient", 1, id, func(ctx context.Context, id string, caller int) (bool, error) {
		return inserted(s.InsertClient(ctx, issuer.Client{ID: id, Name: fmt.Sprint(caller)}))
	})
	race(t, "AppendAudit", callers, id, func(ctx context.Context, id string, caller int) (bool, error) {
		err := s.AppendAudit(ctx, issuer.AuditEvent{ID: id, Type: fmt.Sprint(caller), At: base})
		return err == nil, err
	})
	if n := len(must(s.ListAudit(t.Context(), issuer.AuditQuery{Since: base}, issuer.Place{}, 2*rounds()))(t)); n != rounds() {
		t.Errorf("%d audit events, want one of each of %d rounds", n, rounds())
	}
}

func sessionRaces(t *testing.T, s Store) {
	session := func(t *testing.T) string {
		d := liveSession()
		ok(t, s.InsertSession(t.Context(), d))
		return d.ID
	}
	rotate := func(ctx context.Context, id string, gen int64, att string) (issuer.Session, bool, error) {
		return s.RotateSession(ctx, issuer.Rotation{SID: id, Gen: gen, Secret: "s1", ClientIDs: []string{issuer.FirstPartyID}, Now: base, Next: "s1", Idle: time.Hour, Att: att})
	}
	race(t, "RotateSession", 1, session, func(ctx context.Context, id string, caller int) (bool, error) {
		d, hit, err := rotate(ctx, id, 5, fmt.Sprint(caller))
		if hit && (d.By != fmt.Sprint(caller) || d.Gen != 6) {
			return hit, fmt.Errorf("won with the document of %q, generation %d", d.By, d.Gen)
		}
		if err != nil {
			return hit, err
		}
		// Whoever was answered reads what was decided.
		d, err = s.Session(ctx, id)
		if err == nil && d.Gen != 6 {
			err = fmt.Errorf("read generation %d after the rotation was answered", d.Gen)
		}
		return hit, err
	})
	race(t, "RevokeSession", 1, session, func(ctx context.Context, id string, caller int) (bool, error) {
		_, hit, err := s.RevokeSession(ctx, id, issuer.Revoking{At: base, Why: issuer.RevokedLogout})
		return hit, err
	})
	race(t, "RevokeSession against RotateSession", 1, session, func(ctx context.Context, id string, caller int) (bool, error) {
		if caller > 0 {
			_, _, err := rotate(ctx, id, 5, fmt.Sprint(caller))
			return false, err
		}
		before, hit, err := s.RevokeSession(ctx, id, issuer.Revoking{At: base, Why: issuer.RevokedLogout})
		if err != nil || !hit {
			return hit, err
		}
		if _, late, err := rotate(ctx, id, before.Gen, "late"); late || err != nil {
			return hit, fmt.Errorf("rotated after the revocation was answered: %v, %v", late, err)
		}
		return hit, nil
	})
}

func budgetRaces(t *testing.T, s Store) {
	key := func(*testing.T) string { return newID("race") }
	race(t, "TakeBudget to the limit", 5, key, func(ctx context.Context, id string, caller int) (bool, error) {
		counted, until, err := s.TakeBudget(ctx, id, fmt.Sprint(caller), 5, window, base)
		if err == nil && !counted && !until.Equal(after(window)) {
			err = fmt.Errorf("full until %v, want %v", until, after(window))
		}
		return counted, err
	})
	race(t, "TakeBudget of one attempt", callers, key, func(ctx context.Context, id string, caller int) (bool, error) {
		counted, _, err := s.TakeBudget(ctx, id, "same", 1, window, base)
		return counted, err
	})
	t.Run("CountSource", func(t *testing.T) {
		for range rounds() {
			id, seen := newID("race"), [callers + 1]atomic.Int64{}
			together(t, func(int) (bool, error) {
				n, err := s.CountSource(t.Context(), id, after(time.Minute))
				if err == nil && (n < 1 || n > callers || seen[n].Add(1) > 1) {
					err = fmt.Errorf("the count %d came twice or is beyond %d", n, callers)
				}
				return true, err
			})
		}
	})
}

func ringRaces(t *testing.T, s Store) {
	version := int64(0)
	race(t, "SaveRing", 1,
		func(*testing.T) string { version++; return "" },
		func(ctx context.Context, _ string, caller int) (bool, error) {
			return s.SaveRing(ctx, version-1, keys.RingDocument{Version: version, By: fmt.Sprint(caller), Body: []byte("{}")})
		})
	race(t, "PutHeartbeat", callers,
		func(*testing.T) string { return "replica" },
		func(ctx context.Context, id string, caller int) (bool, error) {
			err := s.PutHeartbeat(ctx, keys.Heartbeat{Replica: id, At: base, RingVersion: int64(caller)})
			return err == nil, err
		})
}

// endedContext calls with a context that has ended: the answer is an error that says that nothing is known, never a miss.
func endedContext(t *testing.T, s Store) {
	d := liveSession()
	ok(t, s.InsertSession(t.Context(), d))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.RotateSession(ctx, issuer.Rotation{SID: d.ID, Gen: d.Gen, Secret: d.Secret, ClientIDs: []string{d.ClientID}, Now: base, Next: "s2", Idle: time.Hour, Att: "a"})
	is(t, "RotateSession", err, issuer.ErrUnknown)
	_, err = s.Session(ctx, d.ID)
	is(t, "Session", err, issuer.ErrUnknown)
	is(t, "InsertUser", s.InsertUser(ctx, issuer.User{ID: newID("user")}), issuer.ErrUnknown)
	_, err = s.SessionsOf(ctx, d.UserID, "", 5)
	is(t, "SessionsOf", err, issuer.ErrUnknown)
	_, err = s.SessionsActiveSince(ctx, base, issuer.SessionCursor{}, 5)
	is(t, "SessionsActiveSince", err, issuer.ErrUnknown)
	_, _, err = s.ActOnUser(ctx, newID("user"), issuer.Act{Att: "a"})
	is(t, "ActOnUser", err, issuer.ErrUnknown)
	_, err = s.ListUsers(ctx, issuer.UserQuery{Prefix: "a", Role: "b"}, issuer.Place{}, 5)
	is(t, "ListUsers", err, issuer.ErrUnknown)
	_, err = s.HashKinds(ctx)
	is(t, "HashKinds", err, issuer.ErrUnknown)
	_, err = s.Counts(ctx, base)
	is(t, "Counts", err, issuer.ErrUnknown)
	_, err = s.ListSessions(ctx, issuer.SessionQuery{Now: base}, issuer.Place{}, 5)
	is(t, "ListSessions", err, issuer.ErrUnknown)
	_, err = s.ListAudit(ctx, issuer.AuditQuery{UserID: "u"}, issuer.Place{}, 5)
	is(t, "ListAudit", err, issuer.ErrUnknown)
	_, err = s.PurgeAudit(ctx, base, 5)
	is(t, "PurgeAudit", err, issuer.ErrUnknown)
	_, err = s.ResealMail(ctx, newID("mail"), []byte("a"), []byte("b"))
	is(t, "ResealMail", err, issuer.ErrUnknown)
	_, _, err = s.TakeBudget(ctx, newID("key"), "a", 1, window, base)
	is(t, "TakeBudget", err, issuer.ErrUnknown)
}

// whileChanging calls walk while four callers change something without a pause.
func whileChanging(t *testing.T, change func(*rand.Rand) error, walk func()) {
	t.Helper()
	stop := make(chan struct{})
	var changing sync.WaitGroup
	for caller := range 4 {
		changing.Go(func() {
			rng := rand.New(rand.NewPCG(5, uint64(caller)))
			for {
				select {
				case <-stop:
					return
				default:
					if err := change(rng); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	walk()
	close(stop)
	changing.Wait()
}
