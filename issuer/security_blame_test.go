package issuer_test

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/keys"
	"signet/repository/conformance"
)

// A rotation that was applied and not answered before the request's time was up is nobody's theft, however long the outage: the same token is
// answered once the store is back.
func TestAnOutageIsNoTheft(t *testing.T) {
	w := newWorld(t)
	first := w.signUp("ada@example.org")
	up := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	p := w.replica(conformance.Faulty(w.store, func(_ string, n int) conformance.Fault {
		select {
		case <-up:
			return conformance.None
		default:
		}
		if n == 1 {
			return conformance.AnswerLost
		}
		cancel() // the request's time is up
		return conformance.CrashBefore
	}))
	_, err := p.Refresh(ctx, who, first.RefreshToken)
	wantKind(t, err, issuer.KindUnavailable)
	w.clock.advance(40 * time.Second)
	close(up)
	p.Drain(t.Context()) // what the request left to the background is done
	if _, err := w.replica(w.store).Refresh(t.Context(), who, first.RefreshToken); err != nil {
		t.Fatalf("after an outage, on another replica: %v", err)
	}
}

// While a rotation is still to be dated anew, its replica calls nobody a thief over that session.
func TestNoVerdictWhileARotationIsUndated(t *testing.T) {
	w := newWorld(t)
	first := w.signUp("ada@example.org")
	ctx, cancel := context.WithCancel(t.Context())
	p := w.replica(conformance.Faulty(w.store, func(op string, n int) conformance.Fault {
		switch {
		case n == 1:
			return conformance.AnswerLost
		case n == 2:
			cancel() // the request's time is up
			return conformance.CrashBefore
		case op == "RedateRotation":
			return conformance.CrashBefore
		}
		return conformance.None
	}))
	_, err := p.Refresh(ctx, who, first.RefreshToken)
	wantKind(t, err, issuer.KindUnavailable)
	w.clock.advance(40 * time.Second)
	_, err = p.Refresh(t.Context(), who, first.RefreshToken)
	wantKind(t, err, issuer.KindUnavailable)
	died, now := context.WithCancel(context.Background())
	now()
	p.Drain(died)
	if s := w.session(first.SID); s.Revoked != nil {
		t.Errorf("the session ended: %+v", s.Revoked)
	}
}

// An attempt that the service could not judge (no free slot for the hash, a store that fails) takes nothing from the account's budget.
func TestNobodyPaysForA503(t *testing.T) {
	w := newWorld(t)
	w.signUp("ada@example.org")
	w.clock.advance(time.Hour)
	p := w.replica(w.store)
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1, Slots: 1, Queue: 1})
	if err != nil {
		t.Fatal(err)
	}
	busy := issuer.New(issuer.Deps{Settings: w.set, Store: w.store, Keys: w.keys, Hasher: h, Postman: w.mails, Observer: ignore{}, Log: zerolog.Nop()})
	busy.ShareClients(p)
	h.Occupy()
	right := issuer.LoginRequest{Email: "ada@example.org", Password: password}
	for range w.set.LimitPasswords.N + 1 {
		_, err := busy.Login(t.Context(), who, right)
		wantKind(t, err, issuer.KindUnavailable)
	}
	if _, err := p.Login(t.Context(), who, right); err != nil {
		t.Errorf("afterwards, with the right password: %v", err)
	}
	for range w.set.LimitCodes.N + 1 {
		_, err := busy.Register(t.Context(), who, issuer.RegisterRequest{Email: "new@example.org", Password: password})
		wantKind(t, err, issuer.KindUnavailable)
	}
	if _, err := p.Register(t.Context(), who, issuer.RegisterRequest{Email: "new@example.org", Password: password}); err != nil {
		t.Errorf("afterwards, a registration: %v", err)
	}
}

type countedKeys struct {
	*testKeys
	n *int
}

func (k countedKeys) MACSecretByID(ctx context.Context, p keys.MACPurpose, id string) (keys.MACSecret, error) {
	*k.n++
	return k.testKeys.MACSecretByID(ctx, p, id)
}

// Requirement 86: a device token is looked at alike for known and unknown accounts; an unknown secret in it makes the ring be read.
func TestADeviceTokenTellsNothingOfAccounts(t *testing.T) {
	w := newWorld(t)
	s := w.signUp("known@example.org")
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	p := issuer.New(issuer.Deps{Settings: w.set, Store: w.store, Keys: countedKeys{w.keys, &n}, Hasher: h, Postman: w.mails, Observer: ignore{}, Log: zerolog.Nop()})
	if err := p.LoadClients(t.Context()); err != nil {
		t.Fatal(err)
	}
	cost := func(email string) int {
		n = 0
		_, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: email, Password: "wrong password", DeviceToken: s.DeviceToken})
		wantKind(t, err, issuer.KindInvalidCredentials)
		return n
	}
	if a, b := cost("known@example.org"), cost("unknown@example.org"); a != b {
		t.Errorf("secrets looked up: known %d, unknown %d", a, b)
	}
}

// Requirement 104: refused sign-ins are in the audit log too.
func TestRefusedSignInsAreAudited(t *testing.T) {
	w := newWorld(t)
	s := w.signUp("ada@example.org")
	_, err := w.replica(w.store).Login(t.Context(), who, issuer.LoginRequest{Email: "ada@example.org", Password: "wrong password"})
	wantKind(t, err, issuer.KindInvalidCredentials)
	events, err := w.store.ListAudit(t.Context(), issuer.AuditQuery{}, issuer.Place{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == "sign_in.failed" && e.Source == who.IP && (e.Actor == s.UserID || e.Target == s.UserID) {
			return
		}
	}
	t.Errorf("no sign_in.failed in %+v", events)
}

// A password that was accepted at registration is accepted at sign-in in the same keystrokes, decomposed ones included.
func TestALongDecomposedPasswordSignsIn(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	long := ""
	for range 230 {
		long += "e\u0301x1" // 5 bytes as typed, 4 as stored
	}
	if _, err := p.Register(t.Context(), who, issuer.RegisterRequest{Email: "ada@example.org", Password: long}); err != nil {
		t.Fatal(err)
	}
	_, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: "ada@example.org", Password: long})
	if issuer.KindOf(err) == issuer.KindInvalidRequest {
		t.Errorf("at sign-in: %v", err)
	}
}
