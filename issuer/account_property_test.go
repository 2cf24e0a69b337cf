package issuer_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"signet/issuer"
)

// some is a few of the calls, in any order, drawn evenly.
func some(rt *rapid.T, calls []func() *call, least int) (out []*call) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "which"), 3))
	rng.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
	for _, begin := range calls[:least+rng.IntN(len(calls)-least+1)] {
		out = append(out, begin())
	}
	return out
}

// answered counts the calls of a name that were answered without an error; open those of which nobody knows.
func answered(calls []*call, name string) (ok, open int) {
	for _, c := range calls {
		switch {
		case c.name != name:
		case c.err == nil:
			ok++
		case errors.Is(c.err, errCrashed) || issuer.KindOf(c.err) == issuer.KindUnavailable:
			open++
		}
	}
	return ok, open
}

// renewed returns a world that a hundred checks share: what they read of it together would take longer and longer.
func renewed(t *testing.T) func() *world {
	var w *world
	used := 0
	return func() *world {
		if used%100 == 0 {
			w = newWorld(t)
		}
		used++
		return w
	}
}

// storm is an account with two sessions in their owner's hands, and what is done to it at once.
type storm struct {
	w          *world
	p          *issuer.Provider
	email      string
	me         issuer.Principal // of the session that a change of password keeps
	mine, also issuer.TokenSet
	resetID    string
	resetCode  string
	loginID    string
	loginCode  string
}

func newStorm(rt *rapid.T, w *world) *storm {
	s := &storm{w: w, p: w.replica(w.store), email: uniqueEmail()}
	s.me, s.mine = w.signedIn(s.p, s.email, "editor")
	s.also = w.signIn(s.p, s.email)
	tk, err := s.p.ForgotPassword(w.t.Context(), who, s.email)
	if err != nil {
		rt.Fatal(err)
	}
	s.resetID, s.resetCode = tk.ChallengeID, w.mails.code(w.t, s.email)
	if tk, err = s.p.Login(w.t.Context(), who, issuer.LoginRequest{Email: s.email, Password: password}); err != nil {
		rt.Fatal(err)
	}
	s.loginID, s.loginCode = tk.ChallengeID, w.mails.code(w.t, s.email)
	return s
}

func (s *storm) begins(name string, run func(ctx context.Context, p *issuer.Provider) error) func() *call {
	return func() *call {
		return s.w.begin(name, func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
			return issuer.TokenSet{}, run(ctx, p)
		})
	}
}

func (s *storm) resets(name, to string) func() *call {
	return s.begins(name, func(ctx context.Context, p *issuer.Provider) error {
		return p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: s.resetID, Code: s.resetCode, NewPassword: to})
	})
}

const (
	changedTo = "changed " + newPassword
	resetTo   = "reset " + newPassword
	resetToo  = "reset otherwise " + newPassword
)

// Section 4: a change of password, two resets with one code, a logout of everything, new roles, a sign-in, a refresh and a poll, some of them at once,
// with crashes, lost answers and repeated writes anywhere. At the moment that an end-all is answered, no session that is older is alive, then or later;
// the session that a change of password keeps stays; new roles that were answered are those of every session; a code resets once; the owner is told of
// every change of the password, and once; and one poll after a crash all of it holds of everything that was recorded.
func TestActProperties(t *testing.T) {
	world := renewed(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := world()
		s := newStorm(rt, w)
		roles := []string{"reader"}
		calls := some(rt, []func() *call{
			s.begins("change", func(ctx context.Context, p *issuer.Provider) error {
				return p.ChangePassword(ctx, who, s.me, password, changedTo)
			}),
			s.resets("reset", resetTo), s.resets("reset too", resetToo), s.resets("reset", resetTo),
			s.begins("logout", func(ctx context.Context, p *issuer.Provider) error { return p.LogoutAll(ctx, who, s.me) }),
			s.begins("roles", func(ctx context.Context, p *issuer.Provider) error {
				_, err := p.PatchUser(ctx, issuer.Operator(), s.me.User.ID, issuer.UserPatch{Roles: &roles})
				return err
			}),
			func() *call { return w.begin("verify", verifying(s.loginID, s.loginCode)) },
			func() *call { return w.begin("refresh", refreshing(s.mine.RefreshToken)) },
			func() *call { return w.begin("poll", settling) },
		}, 2)
		driveWatched(rt, calls, func(c *call) { s.atAnswer(rt, c, roles) })
		for _, c := range calls {
			onlyKinds(rt, c, issuer.KindChallengeExpired, issuer.KindSessionRevoked, issuer.KindInvalidCredentials, issuer.KindTooManyAttempts)
		}
		s.raced(rt, calls, roles)
		if err := s.p.Settle(t.Context()); err != nil {
			rt.Fatal(err)
		}
		s.afterPoll(rt, calls)
	})
}

// atAnswer is what must hold at the very moment that a call is answered.
func (s *storm) atAnswer(rt *rapid.T, c *call, roles []string) {
	if !c.ended || c.err != nil {
		return
	}
	mine, also := s.w.session(s.mine.SID), s.w.session(s.also.SID)
	switch c.name {
	case "reset", "reset too", "logout":
		if mine.Revoked == nil || also.Revoked == nil {
			rt.Fatalf("%s was answered and a session is alive: %+v, %+v", c.name, mine, also)
		}
	case "change":
		if also.Revoked == nil {
			rt.Fatalf("a change of password was answered and another session is alive: %+v", also)
		}
	case "roles":
		for _, x := range []issuer.Session{mine, also} {
			if x.Revoked == nil && !slices.Equal(x.Roles, roles) {
				rt.Fatalf("roles were answered and a session has %v", x.Roles)
			}
		}
	}
}

// raced is what must hold, before any poll, of a sign-in that raced with what was answered: its password was checked before all of it.
func (s *storm) raced(rt *rapid.T, calls []*call, roles []string) {
	ended, given := 0, 0
	for _, name := range []string{"change", "reset", "reset too", "logout"} {
		ok, _ := answered(calls, name)
		ended += ok
	}
	given, _ = answered(calls, "roles")
	for _, c := range calls {
		if c.name != "verify" || c.err != nil {
			continue
		}
		got := s.w.session(c.tokens.SID)
		if ended > 0 && got.Revoked == nil {
			rt.Fatalf("an end-all was answered and a sign-in from before is alive: %+v", got)
		}
		if given > 0 && got.Revoked == nil && !slices.Equal(got.Roles, roles) {
			rt.Fatalf("roles were answered and a sign-in from before has %v", got.Roles)
		}
	}
}

// afterPoll is what must hold once a poll has passed.
func (s *storm) afterPoll(rt *rapid.T, calls []*call) {
	ctx, u := s.w.t.Context(), s.w.user(s.me.User.ID)
	s.w.sound(rt, u.ID)
	if u.Keep == s.mine.SID {
		if _, err := s.p.Refresh(ctx, who, s.mine.RefreshToken); err != nil {
			rt.Fatalf("the session that was kept: %v", err)
		}
	} else if u.Epoch > s.me.User.Epoch {
		if _, err := s.p.Refresh(ctx, who, s.mine.RefreshToken); err == nil {
			rt.Fatal("a session from before the last end-all works")
		}
	}
	changes, mayHave := answered(calls, "change")
	one, mayOne := answered(calls, "reset")
	two, mayTwo := answered(calls, "reset too")
	if one > 0 && two > 0 {
		rt.Fatal("one code reset to two passwords")
	}
	works := map[string]bool{}
	for _, pw := range []string{password, changedTo, resetTo, resetToo} {
		works[pw] = s.w.loginWith(s.p, s.email, pw) == nil
	}
	set := 0
	for pw, ok := range works {
		if ok {
			set++
		}
		asked := map[string]bool{password: changes+one+two == 0, changedTo: changes+mayHave > 0, resetTo: one+mayOne > 0, resetToo: two+mayTwo > 0}
		if ok && !asked[pw] {
			rt.Fatalf("%q signs in", pw)
		}
	}
	if set != 1 {
		rt.Fatalf("passwords that sign in: %v", works)
	}
	told := len(s.w.outbox(s.email, issuer.LetterPasswordChanged))
	if least, most := changes+min(1, one+two), changes+mayHave+min(1, one+two+mayOne+mayTwo); told < least || told > most {
		rt.Fatalf("told %d times, of %d to %d changes", told, least, most)
	}
}

// failer is a test or one check of a property.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// sound: nothing is left to be carried out on the users, their sessions are none that an end-all should have ended and have their user's
// roles, and their identifiers are theirs and settled.
func (w *world) sound(t failer, ids ...string) {
	t.Helper()
	ctx := context.Background()
	for _, id := range ids {
		u := w.user(id)
		if u.Notice != "" || len(u.Release) > 0 || (u.Pending != 0 && u.State != issuer.UserDeleted) {
			t.Fatalf("something is left to be done: %+v", u)
		}
		all, err := w.store.SessionsOf(ctx, id, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.Revoked == nil && ((s.Ver < u.Epoch && s.ID != u.Keep) || (s.Ver >= u.Epoch && !slices.Equal(s.Roles, u.Roles))) && !w.neverGivenOut(s) {
				t.Fatalf("session %+v of %+v", s, u)
			}
		}
		if u.State == issuer.UserDeleted {
			continue
		}
		keys := []string{issuer.EmailKey(u.Email)}
		if _, key, err := issuer.CanonicalUsername(u.Username); err == nil {
			keys = append(keys, issuer.NameKey(key))
		}
		for _, key := range keys {
			if i, err := w.store.Identifier(ctx, key); err != nil || i.UserID != id || i.Kind != issuer.IdentifierFirm || !i.OpenSince.IsZero() {
				t.Fatalf("identifier %s of %+v: %+v, %v", key, u, i, err)
			}
		}
	}
}

// neverGivenOut: a session whose sign-in died before it was recorded. Nobody has its token, and its code is dead or will bring it forward.
func (w *world) neverGivenOut(s issuer.Session) bool {
	told := func(e issuer.AuditEvent) bool { return e.SID == s.ID }
	return s.Gen == 0 && !slices.ContainsFunc(w.events("sign_in.ok", s.UserID), told)
}

// free: nobody has the identifiers, or an active user whose they are.
func (w *world) free(t failer, keys ...string) {
	t.Helper()
	for _, key := range keys {
		i, err := w.store.Identifier(context.Background(), key)
		if errors.Is(err, issuer.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		u := w.user(i.UserID)
		_, name, _ := issuer.CanonicalUsername(u.Username)
		if u.State == issuer.UserDeleted || (key != issuer.EmailKey(u.Email) && key != issuer.NameKey(name)) {
			t.Fatalf("%s is held for %+v by %+v", key, u, i)
		}
	}
}
