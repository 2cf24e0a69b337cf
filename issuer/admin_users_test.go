package issuer_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

func TestAdminCreateUser(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	_, root := w.admin(p)
	by, err := p.Admin(root, issuer.Requester{IP: "192.0.2.8", UserAgent: "the administrator's", Locale: "de"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := p.AdminCreateUser(ctx, by, issuer.NewUser{
		Email: "Ada@Example.org", GivenName: " Ada ", FamilyName: "Lovelace", Roles: []string{"editor", "editor", "reader"}, Invite: true,
	})
	if err != nil || u.Email != "ada@example.org" || u.GivenName != "Ada" || u.FamilyName != "Lovelace" || !slices.Equal(u.Roles, []string{"editor", "reader"}) {
		t.Fatalf("%+v, %v", u, err)
	}
	if there := w.user(u.ID); there.GivenName != "Ada" || there.FamilyName != "Lovelace" || there.PasswordHash != "" || there.EmailVerified || there.Locale != "" ||
		there.Pending != 0 || there.Notice != "" || !slices.Equal(there.Roles, u.Roles) {
		t.Errorf("stored %+v", there)
	}
	if letters := w.mails.letters("ada@example.org"); len(letters) != 1 || letters[0].Kind != issuer.LetterInvite || letters[0].Code != "" ||
		letters[0].IP != "" || letters[0].UserAgent != "" || letters[0].Locale != "de" {
		t.Errorf("letters %+v", letters)
	}
	if _, err := p.AdminCreateUser(ctx, by, issuer.NewUser{Email: "quiet@example.org"}); err != nil || len(w.mails.letters("quiet@example.org")) != 0 {
		t.Errorf("without an invitation: %v, %+v", err, w.mails.letters("quiet@example.org"))
	}
	_, err = p.AdminCreateUser(ctx, by, issuer.NewUser{Email: "ada@example.org", Invite: true})
	wantKind(t, err, issuer.KindConflict)
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprint("role-", i)
	}
	for _, roles := range [][]string{{"Bad Role"}, {""}, many} {
		_, err = p.AdminCreateUser(ctx, by, issuer.NewUser{Email: "x", GivenName: "a\x00", FamilyName: "b\x00", Roles: roles})
		wantKind(t, err, issuer.KindInvalidRequest)
		if e := new(issuer.Error); !errors.As(err, &e) || len(e.Fields) != 4 {
			t.Errorf("not all fields are named: %v", err)
		}
	}
	if len(w.mails.letters("ada@example.org")) != 1 {
		t.Error("a refused invitation was mailed")
	}
}

// An invitation is lost by no crash: wherever the call dies, the account that it has made is invited, by mail that is there once.
func TestAnInvitationSurvivesCrashes(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t)
		by, _ := w.admin(w.replica(w.store))
		dying := w.replica(conformance.Faulty(w.store, conformance.From(n, conformance.CrashBefore)))
		made, callErr := dying.AdminCreateUser(t.Context(), by, issuer.NewUser{Email: "ada@example.org", Invite: true})
		p := w.replica(w.store)
		for range 2 {
			if err := p.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		i, err := w.store.Identifier(t.Context(), issuer.EmailKey("ada@example.org"))
		if err == nil {
			u := w.user(i.UserID)
			mails, err := w.store.Mails(t.Context(), "notice:", 10)
			if err != nil || u.Notice != "" || u.Pending != 0 || len(mails) != 1 || mails[0].ID != "notice:"+u.ID+":1" {
				t.Fatalf("dead at operation %d: %+v, mails %+v, %v", n, u, mails, err)
			}
		} else if !errors.Is(err, issuer.ErrNotFound) || callErr == nil {
			t.Fatalf("%v after %v", err, callErr)
		}
		if callErr == nil {
			if made.ID != i.UserID || n < 5 {
				t.Fatalf("%d operations made %+v", n, made)
			}
			return
		}
	}
}

func TestPatchUser(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, _ := w.admin(p)
	ada, s := w.signedIn(p, "ada@example.org", "editor")
	id, given, family := ada.User.ID, " Augusta ", "King"
	patch := func(r issuer.UserPatch) issuer.User {
		t.Helper()
		u, err := p.PatchUser(ctx, by, id, r)
		if err != nil {
			t.Fatal(err)
		}
		if there := w.user(id); there.Ver != u.Ver || there.State != u.State || there.GivenName != u.GivenName || there.Pending != 0 {
			t.Fatalf("answered %+v of %+v", u, there)
		}
		return u
	}
	// Everything at once is one act.
	u := patch(issuer.UserPatch{Disabled: &yes, Roles: &[]string{"reader", "reader"}, GivenName: &given, FamilyName: &family})
	if u.State != issuer.UserDisabled || !slices.Equal(u.Roles, []string{"reader"}) || u.GivenName != "Augusta" || u.FamilyName != "King" || u.Ver != ada.User.Ver+1 {
		t.Errorf("%+v", u)
	}
	_, err := p.Refresh(ctx, who, s.RefreshToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	if r := w.session(ada.Session.ID).Revoked; r == nil || r.Why != issuer.RevokedDisabled {
		t.Errorf("revoked %+v", r)
	}
	_, err = p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	wantKind(t, err, issuer.KindInvalidCredentials)
	// What is so already is no act, and not audited.
	lines := len(w.audited(""))
	if again := patch(issuer.UserPatch{Disabled: &yes, Roles: &[]string{"reader"}, GivenName: &given, FamilyName: &family}); again.Ver != u.Ver || len(w.audited("")) != lines {
		t.Errorf("again: %+v, %d lines more", again, len(w.audited(""))-lines)
	}
	// A disabled account can be named anew.
	other := "Byron"
	if u := patch(issuer.UserPatch{FamilyName: &other}); u.State != issuer.UserDisabled || u.FamilyName != "Byron" {
		t.Errorf("%+v", u)
	}
	other = "Noel"
	if u := patch(issuer.UserPatch{Disabled: &no, FamilyName: &other}); u.State != issuer.UserActive || u.FamilyName != "Noel" {
		t.Errorf("%+v", u)
	}
	if u := patch(issuer.UserPatch{Roles: &[]string{}}); len(u.Roles) != 0 {
		t.Errorf("%+v", u)
	}
	w.signIn(p, "ada@example.org")
	// Nothing is written of a patch that is wrong anywhere.
	long, before := string(make([]byte, 800)), w.user(id)
	_, err = p.PatchUser(ctx, by, id, issuer.UserPatch{Disabled: &yes, Roles: &[]string{"NO"}, GivenName: &other, FamilyName: &long})
	wantKind(t, err, issuer.KindInvalidRequest)
	if e := new(issuer.Error); !errors.As(err, &e) || len(e.Fields) != 2 {
		t.Errorf("not all fields are named: %v", err)
	}
	if u := w.user(id); u.Ver != before.Ver || u.GivenName != before.GivenName || u.State != issuer.UserActive {
		t.Errorf("half of a wrong patch was written: %+v", u)
	}
}

// Roles that are taken away are out of the next refresh, and the scope with them.
func TestDemotion(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, _ := w.admin(p)
	other, s := w.signedIn(p, uniqueAddress("other"), "admin", "editor")
	if s.Scope != "account admin" {
		t.Fatalf("scope %q", s.Scope)
	}
	if _, err := p.PatchUser(ctx, by, other.User.ID, issuer.UserPatch{Roles: &[]string{"editor"}}); err != nil {
		t.Fatal(err)
	}
	next, err := p.Refresh(ctx, who, s.RefreshToken)
	if err != nil || next.Scope != "account" {
		t.Fatalf("%+v, %v", next, err)
	}
	if c := claimsOf(t, next.AccessToken); c["scope"] != "account" || fmt.Sprint(c["roles"]) != "[editor]" {
		t.Errorf("claims %v", c)
	}
	if log := w.audited("user.roles"); len(log) != 1 || log[0].Detail != "were [admin editor], are [editor]" {
		t.Errorf("audited %+v", log)
	}
}

func TestAdministratorsEndSessions(t *testing.T) {
	for name, c := range map[string]struct {
		act func(p *issuer.Provider, by issuer.Admin, id string) error
		why issuer.RevokeReason
	}{
		"logout": {func(p *issuer.Provider, by issuer.Admin, id string) error { return p.LogoutUser(t.Context(), by, id) }, issuer.RevokedLogoutAll},
		"reset": {func(p *issuer.Provider, by issuer.Admin, id string) error {
			return p.RequirePasswordReset(t.Context(), by, id)
		}, issuer.RevokedReset},
		"password": {func(p *issuer.Provider, _ issuer.Admin, id string) error {
			return p.SetPassword(t.Context(), issuer.Operator(), id, "violet otter plays cello")
		}, issuer.RevokedPassword},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p, ctx := w.replica(w.store), t.Context()
			by, _ := w.admin(p)
			ada, s := w.signedIn(p, "ada@example.org")
			pending, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.act(p, by, ada.User.ID); err != nil {
				t.Fatal(err)
			}
			_, err = p.Refresh(ctx, who, s.RefreshToken)
			wantKind(t, err, issuer.KindSessionRevoked)
			_, err = p.Authenticate(ctx, s.AccessToken)
			wantKind(t, err, issuer.KindSessionRevoked)
			_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: pending.ChallengeID, Code: w.mails.code(t, "ada@example.org")})
			wantKind(t, err, issuer.KindChallengeExpired)
			if r := w.session(ada.Session.ID).Revoked; r.Why != c.why {
				t.Errorf("revoked for %s", r.Why)
			}
		})
	}
}

func TestRequirePasswordReset(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, _ := w.admin(p)
	ada, _ := w.signedIn(p, "ada@example.org")
	if err := p.RequirePasswordReset(ctx, by, ada.User.ID); err != nil {
		t.Fatal(err)
	}
	_, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	wantKind(t, err, issuer.KindPasswordResetRequired)
	_, err = p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: "not " + password})
	wantKind(t, err, issuer.KindInvalidCredentials)
	// Only a new password lifts it.
	for _, patch := range []issuer.UserPatch{{Roles: &[]string{"editor"}}, {Disabled: &yes}, {Disabled: &no}} {
		if _, err := p.PatchUser(ctx, by, ada.User.ID, patch); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.LogoutUser(ctx, by, ada.User.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.loginWith(p, "ada@example.org", password), issuer.KindPasswordResetRequired)
}

// An operator's password takes effect at once and its owner is told, by a server where the command has no keys to seal a mail with.
func TestSetPassword(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, _ := w.admin(p)
	ada, _ := w.signedIn(p, "ada@example.org")
	wantKind(t, p.SetPassword(ctx, by, ada.User.ID, "violet otter plays cello"), issuer.KindForbidden)
	wantKind(t, p.SetPassword(ctx, issuer.Operator(), ada.User.ID, "short"), issuer.KindWeakPassword)
	wantKind(t, p.SetPassword(ctx, issuer.Operator(), ada.User.ID, "hopper12"), issuer.KindWeakPassword)
	if w.user(ada.User.ID).Ver != ada.User.Ver {
		t.Fatal("a refused password changed the account")
	}
	w.clock.advance(time.Hour)
	keyless := w.keyless()
	if err := keyless.SetPassword(ctx, issuer.Operator(), ada.User.ID, "violet otter plays cello"); err != nil {
		t.Fatal(err)
	}
	told := func() (n int) {
		for _, l := range w.mails.letters("ada@example.org") {
			if l.Kind == issuer.LetterPasswordChanged {
				n++
			}
		}
		return n
	}
	if u := w.user(ada.User.ID); told() != 0 || u.Notice != issuer.LetterPasswordChanged || u.Pending == 0 {
		t.Fatalf("told %d times before a server's poll: %+v", told(), u)
	}
	for range 2 {
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if u := w.user(ada.User.ID); told() != 1 || u.Notice != "" || u.Pending != 0 {
		t.Errorf("told %d times: %+v", told(), u)
	}
	_, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	wantKind(t, err, issuer.KindInvalidCredentials)
	if _, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: "violet otter plays cello"}); err != nil {
		t.Error(err)
	}
}

// keyless is the use cases as a command has them, which has no key-encryption key.
func (w *world) keyless() *issuer.Provider {
	w.t.Helper()
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1, Slots: 8, Queue: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return issuer.New(issuer.Deps{Settings: w.set, Store: w.store, Keys: onlyClock{Keys: nil, clock: w.clock}, Hasher: h})
}

// onlyClock tells the time and can't seal.
type onlyClock struct {
	issuer.Keys
	clock *clock
}

func (c onlyClock) Now() time.Time                         { return c.clock.Now() }
func (c onlyClock) Seal([]byte, ...string) ([]byte, error) { return nil, issuer.ErrNoKeys }
