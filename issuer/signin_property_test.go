package issuer_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/issuer"
	"signet/repository/conformance"
)

// drive steps calls until all have ended, in an order and with faults drawn evenly: rapid's own draws prefer small numbers, and so would
// let the first call run to its end before the others begin. The trace is printed when the property fails.
func drive(rt *rapid.T, calls []*call) { driveWatched(rt, calls, func(*call) {}) }

// driveWatched is drive with a look at every call after each of its steps.
func driveWatched(rt *rapid.T, calls []*call, watch func(*call)) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
	for {
		var live []*call
		for _, c := range calls {
			if !c.ended {
				live = append(live, c)
			}
		}
		if len(live) == 0 {
			return
		}
		c := live[rng.IntN(len(live))]
		fault, crash := conformance.None, false
		switch rng.IntN(24) {
		case 0:
			crash = true
		case 1:
			fault = conformance.AnswerLost
		case 2:
			fault = conformance.Twice
		case 3:
			fault = conformance.CrashBefore
		}
		rt.Logf("%s: %s, fault %d, crash %v", c.name, c.next, fault, crash)
		if crash {
			c.crash()
		} else {
			c.step(fault)
		}
		watch(c)
	}
}

func verifying(id, code string) func(context.Context, *issuer.Provider) (issuer.TokenSet, error) {
	return func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
		return p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: id, Code: code})
	}
}

func settling(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
	return issuer.TokenSet{}, p.Settle(ctx)
}

// onlyKinds: a call fails only with these, or because the store does.
func onlyKinds(rt *rapid.T, c *call, kinds ...issuer.Kind) {
	if c.err == nil || errors.Is(c.err, errCrashed) {
		return
	}
	for _, k := range append(kinds, issuer.KindUnavailable) {
		if issuer.KindOf(c.err) == k {
			return
		}
	}
	rt.Fatalf("%s: %v", c.name, c.err)
}

// Two registrations of one address and a helper, crashes and repeated writes anywhere. At most one active user has the address, an active user's identifier points to
// it, a challenge is answered at most once, and afterwards a fresh registration (or a sign-in) by the mailbox's reader ends with a working account.
func TestRegistrationProperties(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		email := uniqueEmail()
		p := w.replica(w.store)
		register := func(pw string) (id, code string) {
			ticket, err := p.Register(t.Context(), who, issuer.RegisterRequest{Email: email, Password: pw})
			if err != nil {
				rt.Fatal(err)
			}
			return ticket.ChallengeID, w.mails.code(t, email)
		}
		id1, code1 := register("first " + password)
		id2, code2 := register("second " + password)
		calls := []*call{
			w.begin("one", verifying(id1, code1)), w.begin("one again", verifying(id1, code1)),
			w.begin("two", verifying(id2, code2)), w.begin("helper", settling),
		}
		drive(rt, calls)
		answered := map[string]int{}
		for i, c := range calls {
			onlyKinds(rt, c, issuer.KindChallengeExpired, issuer.KindTooManyAttempts)
			if c.err == nil && i < 3 {
				answered[c.name[:3]]++
				if c.tokens.AccessToken == "" || w.session(c.tokens.SID).Revoked != nil {
					rt.Fatalf("%s was answered without a living session", c.name)
				}
			}
		}
		if answered["one"] > 1 || answered["two"] > 1 || len(answered) > 1 {
			rt.Fatalf("answers: %v", answered)
		}
		if err := p.Settle(t.Context()); err != nil {
			rt.Fatal(err)
		}
		addressWorks(rt, w, p, email, "first "+password, "second "+password)
	})
}

// addressWorks: the address belongs to one of its registrations, or is free and can be registered.
func addressWorks(rt *rapid.T, w *world, p *issuer.Provider, email string, passwords ...string) {
	ctx := w.t.Context()
	i, err := w.store.Identifier(ctx, issuer.EmailKey(email))
	if errors.Is(err, issuer.ErrNotFound) {
		ticket, err := p.Register(ctx, who, issuer.RegisterRequest{Email: email, Password: password})
		if err != nil {
			rt.Fatalf("a free address can't be registered: %v", err)
		}
		if _, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: ticket.ChallengeID, Code: w.mails.code(w.t, email)}); err != nil {
			rt.Fatalf("a free address can't be proven: %v", err)
		}
		return
	}
	if err != nil || i.Kind != issuer.IdentifierFirm || !i.OpenSince.IsZero() || i.Payload != nil {
		rt.Fatalf("identifier after a poll: %+v, %v", i, err)
	}
	u, err := w.store.User(ctx, i.UserID)
	if err != nil || u.State != issuer.UserActive || u.Email != email {
		rt.Fatalf("the address's user: %+v, %v", u, err)
	}
	w.clock.advance(time.Hour) // mails per address
	for _, pw := range passwords {
		ticket, err := p.Login(ctx, who, issuer.LoginRequest{Email: email, Password: pw})
		if err != nil {
			continue
		}
		if _, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: ticket.ChallengeID, Code: w.mails.code(w.t, email)}); err != nil {
			rt.Fatalf("sign-in after the storm: %v", err)
		}
		return
	}
	rt.Fatal("nobody who registered the address can sign in")
}

// The right code sent twice, wrong ones in parallel, a resend between: at most CodeAttempts comparisons, one answer, and a right code with tries left is honoured
// from every state that crashes leave.
func TestChallengeProperties(t *testing.T) {
	w := newWorld(t)
	w.set.CodeAttempts = 4
	rapid.Check(t, func(rt *rapid.T) {
		email := uniqueEmail()
		w.signUp(email)
		w.clock.advance(time.Hour)
		p := w.replica(w.store)
		ticket, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: email, Password: password})
		if err != nil {
			rt.Fatal(err)
		}
		code := w.mails.code(t, email)
		wrong := "000000"
		if code == wrong {
			wrong = "111111"
		}
		id := ticket.ChallengeID
		w.clock.advance(time.Minute)
		calls := []*call{
			w.begin("right", verifying(id, code)), w.begin("right", verifying(id, code)), w.begin("wrong", verifying(id, wrong)),
			w.begin("wrong", verifying(id, wrong)), w.begin("wrong", verifying(id, wrong)),
			w.begin("resend", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
				_, err := p.Resend(ctx, who, id)
				return issuer.TokenSet{}, err
			}),
		}
		drive(rt, calls)
		answers, compared := 0, 0
		for _, c := range calls {
			onlyKinds(rt, c, issuer.KindInvalidCode, issuer.KindChallengeExpired, issuer.KindTooManyAttempts)
			if c.name == "wrong" && c.err == nil {
				rt.Fatal("a wrong code was accepted")
			}
			if c.err == nil && c.name == "right" {
				answers++
				compared++
				if w.session(c.tokens.SID).Revoked != nil {
					rt.Fatal("answered with a revoked session")
				}
			}
			if issuer.KindOf(c.err) == issuer.KindInvalidCode {
				compared++
			}
		}
		ch, err := w.store.Challenge(t.Context(), issuer.ChallengeKey(id))
		if err != nil || answers > 1 || compared > w.set.CodeAttempts || len(ch.Tries) > w.set.CodeAttempts {
			rt.Fatalf("%d answers, %d comparisons, %d tries, %v", answers, compared, len(ch.Tries), err)
		}
		back, err := p.Verify(t.Context(), who, issuer.VerifyRequest{ChallengeID: id, Code: w.mails.code(t, email)})
		honoured := err == nil && back.AccessToken != ""
		lost := ch.Send > int64(len(w.mails.letters(email))-1) // the newest code's mail died with its resend
		if ch.State == issuer.ChallengeOpen && len(ch.Tries) < w.set.CodeAttempts && !honoured && !lost {
			rt.Fatalf("a right code with tries left is refused: %v (%+v)", err, ch)
		}
		if ch.State == issuer.ChallengeDone && honoured {
			rt.Fatal("a used code was honoured")
		}
	})
}

// A sign-in and a refresh race with a logout of all sessions. Once that has answered, no session from before it is alive, then or later.
func TestEndAllProperties(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		email := uniqueEmail()
		s := w.signUp(email)
		p := w.replica(w.store)
		who1, err := p.Authenticate(t.Context(), s.AccessToken)
		if err != nil {
			rt.Fatal(err)
		}
		ticket, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: email, Password: password})
		if err != nil {
			rt.Fatal(err)
		}
		calls := []*call{
			w.begin("end all", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
				return issuer.TokenSet{}, p.LogoutAll(ctx, who, who1)
			}),
			w.begin("verify", verifying(ticket.ChallengeID, w.mails.code(t, email))),
			w.begin("refresh", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
				return p.Refresh(ctx, who, s.RefreshToken)
			}),
			w.begin("poll", settling),
		}
		drive(rt, calls)
		for _, c := range calls {
			onlyKinds(rt, c, issuer.KindChallengeExpired, issuer.KindSessionRevoked)
		}
		u, err := w.store.User(t.Context(), who1.User.ID)
		if err != nil {
			rt.Fatal(err)
		}
		ended := calls[0].err == nil
		if !ended {
			if u.Epoch == 0 {
				return // died before its write: nothing was promised
			}
			if err := p.Settle(t.Context()); err != nil { // whoever's poll comes next
				rt.Fatal(err)
			}
		}
		all, err := w.store.SessionsOf(t.Context(), u.ID, "", 100)
		if err != nil {
			rt.Fatal(err)
		}
		for _, x := range all {
			if x.Revoked == nil && x.Ver < u.Epoch && !midSignIn(calls[1], x) {
				rt.Fatalf("session %s of Ver %d outlives the end-all of %d", x.ID, x.Ver, u.Epoch)
			}
		}
		if _, err := p.Refresh(t.Context(), who, s.RefreshToken); err == nil {
			rt.Fatal("a refresh token from before the end-all works")
		}
		if calls[1].err == nil {
			if _, err := p.Refresh(t.Context(), who, calls[1].tokens.RefreshToken); err == nil {
				rt.Fatal("the sign-in that raced with the end-all left a working session")
			}
		}
	})
}

// midSignIn: the session of a sign-in that died between insert and user write was never in anybody's hands, and its code is dead.
func midSignIn(verify *call, s issuer.Session) bool {
	return errors.Is(verify.err, errCrashed) && s.Gen == 0
}

// Two users want one name, one of them twice in different case, with crashes: the name ends with one of them, and everybody's identifiers are theirs.
func TestRenameProperties(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		p := w.replica(w.store)
		a, b := principal(rt, w, p), principal(rt, w, p)
		old, name := "old"+a.User.ID[24:], "Name"+a.User.ID[24:]
		if _, err := p.UpdateMe(t.Context(), a, issuer.ProfileUpdate{Username: &old}); err != nil {
			rt.Fatal(err)
		}
		a.User, _ = w.store.User(t.Context(), a.User.ID)
		rename := func(who issuer.Principal, to string) func(context.Context, *issuer.Provider) (issuer.TokenSet, error) {
			return func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
				_, err := p.UpdateMe(ctx, who, issuer.ProfileUpdate{Username: &to})
				return issuer.TokenSet{}, err
			}
		}
		calls := []*call{
			w.begin("a", rename(a, name)), w.begin("b", rename(b, "NAME"+name[4:])), w.begin("a gives up", rename(a, "")), w.begin("poll", settling),
		}
		drive(rt, calls)
		for _, c := range calls {
			onlyKinds(rt, c, issuer.KindConflict)
		}
		if err := p.Settle(t.Context()); err != nil {
			rt.Fatal(err)
		}
		for _, id := range []string{a.User.ID, b.User.ID} {
			u, err := w.store.User(t.Context(), id)
			if err != nil || len(u.Release) > 0 {
				rt.Fatalf("user after a poll: %+v, %v", u, err)
			}
			if u.Username == "" {
				continue
			}
			_, key, _ := issuer.CanonicalUsername(u.Username)
			i, err := w.store.Identifier(t.Context(), issuer.NameKey(key))
			if err != nil || i.UserID != id || i.Kind != issuer.IdentifierFirm {
				rt.Fatalf("the identifier of %q: %+v, %v", u.Username, i, err)
			}
		}
		for _, n := range []string{old, name} {
			_, key, _ := issuer.CanonicalUsername(n)
			i, err := w.store.Identifier(t.Context(), issuer.NameKey(key))
			if err == nil {
				u, err := w.store.User(t.Context(), i.UserID)
				_, has, _ := issuer.CanonicalUsername(u.Username)
				if err != nil || has != key {
					rt.Fatalf("%q is held for %+v, who has another name", n, u)
				}
			}
		}
	})
}

func principal(rt *rapid.T, w *world, p *issuer.Provider) issuer.Principal {
	s := w.signUp(uniqueEmail())
	who, err := p.Authenticate(w.t.Context(), s.AccessToken)
	if err != nil {
		rt.Fatal(err)
	}
	return who
}
