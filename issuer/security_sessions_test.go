package issuer_test

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

// signIn goes through password and code of an account that is there.
func (w *world) signIn(p *issuer.Provider, email string) issuer.TokenSet {
	w.t.Helper()
	tk, err := p.Login(w.t.Context(), who, issuer.LoginRequest{Email: email, Password: password})
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := p.Verify(w.t.Context(), who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(w.t, email)})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// Requirement 89: a new session, under an id and with tokens of its own, at every sign-in.
func TestEverySignInHasASessionOfItsOwn(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	seen := map[string]bool{}
	for i, s := range []issuer.TokenSet{w.signUp("ada@example.org"), w.signIn(p, "ada@example.org"), w.signIn(p, "ada@example.org")} {
		for _, x := range []string{s.SID, s.RefreshToken, s.AccessToken, s.DeviceToken} {
			if x == "" || seen[x] {
				t.Errorf("sign-in %d: %q is not its own", i, x)
			}
			seen[x] = true
		}
	}
}

// clientsAre is a store with other registered clients.
type clientsAre struct {
	conformance.Store
	list []issuer.Client
}

func (c clientsAre) AllClients(context.Context) ([]issuer.Client, error) { return c.list, nil }

// Requirements 61 and 65: a refresh token works for the client that it was given to, while that is an enabled first-party one. A refusal
// leaves the session as it is.
func TestRefreshIsBoundToItsClient(t *testing.T) {
	w := newWorld(t)
	s := w.signUp("ada@example.org")
	served := func(list ...issuer.Client) error {
		p := w.replica(clientsAre{w.store, list})
		if err := p.LoadClients(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := p.Refresh(t.Context(), who, s.RefreshToken)
		return err
	}
	other := issuer.Client{ID: "other", FirstParty: true}
	wantKind(t, served(other), issuer.KindInvalidToken)
	wantKind(t, served(other, issuer.Client{ID: issuer.FirstPartyID, FirstParty: true, Disabled: true}), issuer.KindInvalidToken)
	wantKind(t, served(other, issuer.Client{ID: issuer.FirstPartyID}), issuer.KindInvalidToken)
	if got := w.session(s.SID); got.Gen != 0 || got.Revoked != nil {
		t.Fatalf("the refusals changed the session: %+v", got)
	}
	if err := served(other, issuer.Client{ID: issuer.FirstPartyID, FirstParty: true}); err != nil {
		t.Errorf("its own client: %v", err)
	}
}

// Requirement 62: a role that comes later does not widen what a session was granted, and one that goes takes its scope along.
func TestScopeNeverWidens(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	plain := w.signUp("ada@example.org")
	if _, err := p.CreateUser(ctx, issuer.NewUser{Email: "root@example.org", Password: password, Roles: []string{"admin"}, Verified: true}); err != nil {
		t.Fatal(err)
	}
	admin := w.signIn(p, "root@example.org")
	refreshed := func(s issuer.TokenSet, ver int64, roles []string) string {
		t.Helper()
		if _, hit, err := w.store.RaiseSession(ctx, s.SID, ver, roles, 0, ""); err != nil || !hit {
			t.Fatal(hit, err)
		}
		next, err := p.Refresh(ctx, who, s.RefreshToken)
		if err != nil || claimsOf(t, next.AccessToken)["scope"] != next.Scope {
			t.Fatalf("%+v, %v", next, err)
		}
		return next.Scope
	}
	if got := refreshed(plain, 1, []string{"admin"}); got != "account" {
		t.Errorf("a role that came later: scope %q", got)
	}
	if admin.Scope != "account admin" {
		t.Errorf("an admin's scope: %q", admin.Scope)
	}
	if got := refreshed(admin, 1, nil); got != "account" {
		t.Errorf("a role that is gone: scope %q", got)
	}
}

// Requirement 21: the id of a deleted user is never given out again, though a step that stalled before the deletion still carries the whole
// user: the address comes free for an account with another id.
func TestADeletedUsersIDIsNeverGivenOutAgain(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	const id = "01900000-0000-7000-8000-000000000000"
	if err := w.store.InsertUser(ctx, issuer.User{ID: id, State: issuer.UserDeleted}); err != nil {
		t.Fatal(err)
	}
	stalled := issuer.User{ID: id, State: issuer.UserActive, Email: "ada@example.org"}
	if err := w.store.InsertUser(ctx, stalled); !errors.Is(err, issuer.ErrExists) {
		t.Fatalf("a deleted user's id: %v", err)
	}
	err := w.store.InsertIdentifier(ctx, issuer.Identifier{ID: issuer.EmailKey("ada@example.org"), UserID: id, Claim: "stalled", Kind: issuer.IdentifierRegister,
		Payload: &stalled, OpenSince: epoch})
	if err != nil {
		t.Fatal(err)
	}
	if s := w.signUp("ada@example.org"); s.UserID == id {
		t.Error("the id was given out again")
	}
	if u, err := w.store.User(ctx, id); err != nil || u.State != issuer.UserDeleted {
		t.Errorf("the deleted user: %+v, %v", u, err)
	}
}

var (
	uuidV7  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	uuidAny = regexp.MustCompile(`(?i)^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$`)
	number  = regexp.MustCompile(`^[0-9]+$`)
)

// Requirement 19: subjects are UUIDs (imported ones: numbers or UUIDs), and the client that every store has is neither.
func TestNoClientIDIsASubject(t *testing.T) {
	w := newWorld(t)
	if s := w.signUp("ada@example.org"); !uuidV7.MatchString(s.UserID) || claimsOf(t, s.AccessToken)["sub"] != s.UserID {
		t.Errorf("subject %q", s.UserID)
	}
	clients, err := w.store.AllClients(t.Context())
	if err != nil || len(clients) != 1 {
		t.Fatalf("clients of a new store: %v, %v", clients, err)
	}
	for _, c := range clients {
		if uuidAny.MatchString(c.ID) || number.MatchString(c.ID) {
			t.Errorf("client %q could be a subject", c.ID)
		}
	}
}

// Requirement 105: a store that fails gives nothing away and nobody a verdict: every use case answers unavailable, within its time.
func TestAStoreThatFailsClosesEverything(t *testing.T) {
	w := newWorld(t)
	s := w.signUp("ada@example.org")
	me, err := w.replica(w.store).Authenticate(t.Context(), s.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	tk, err := w.replica(w.store).Register(t.Context(), who, issuer.RegisterRequest{Email: "bob@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	code, name := w.mails.code(t, "bob@example.org"), "ada"
	reset, err := w.replica(w.store).ForgotPassword(t.Context(), who, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	resetCode := w.mails.code(t, "ada@example.org")
	step, err := w.replica(w.store).StepUp(t.Context(), who, me, password)
	if err != nil {
		t.Fatal(err)
	}
	stepCode := w.mails.code(t, "ada@example.org")
	move, err := w.replica(w.store).ChangeEmail(t.Context(), who, me, "new@example.org", password)
	if err != nil {
		t.Fatal(err)
	}
	moveCode := w.mails.code(t, "new@example.org")
	mails := w.mails.count()
	p := w.replica(conformance.Faulty(w.store, conformance.From(1, conformance.CrashBefore)))
	for what, run := range map[string]func(ctx context.Context) (any, error){
		"register": func(ctx context.Context) (any, error) {
			return p.Register(ctx, who, issuer.RegisterRequest{Email: "eve@example.org", Password: password})
		},
		"login": func(ctx context.Context) (any, error) {
			return p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
		},
		"verify": func(ctx context.Context) (any, error) {
			return p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: code})
		},
		"resend":       func(ctx context.Context) (any, error) { return p.Resend(ctx, who, tk.ChallengeID) },
		"refresh":      func(ctx context.Context) (any, error) { return p.Refresh(ctx, who, s.RefreshToken) },
		"authenticate": func(ctx context.Context) (any, error) { return p.Authenticate(ctx, s.AccessToken) },
		"verify token": func(ctx context.Context) (any, error) {
			claims, active, err := p.VerifyToken(ctx, s.AccessToken)
			if claims != nil || active {
				t.Errorf("active %v: %s", active, claims)
			}
			return nil, err
		},
		"logout":     func(ctx context.Context) (any, error) { return nil, p.Logout(ctx, who, s.RefreshToken) },
		"logout all": func(ctx context.Context) (any, error) { return nil, p.LogoutAll(ctx, who, me) },
		"change password": func(ctx context.Context) (any, error) {
			return nil, p.ChangePassword(ctx, who, me, password, newPassword)
		},
		"forgot": func(ctx context.Context) (any, error) { return p.ForgotPassword(ctx, who, "ada@example.org") },
		"reset": func(ctx context.Context) (any, error) {
			return nil, p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: reset.ChallengeID, Code: resetCode, NewPassword: newPassword})
		},
		"change email": func(ctx context.Context) (any, error) {
			return p.ChangeEmail(ctx, who, me, "other@example.org", password)
		},
		"verify email": func(ctx context.Context) (any, error) {
			return p.VerifyEmail(ctx, who, me, issuer.VerifyRequest{ChallengeID: move.ChallengeID, Code: moveCode})
		},
		"step up": func(ctx context.Context) (any, error) { return p.StepUp(ctx, who, me, password) },
		"verify step up": func(ctx context.Context) (any, error) {
			return p.VerifyStepUp(ctx, who, me, issuer.VerifyRequest{ChallengeID: step.ChallengeID, Code: stepCode})
		},
		"delete": func(ctx context.Context) (any, error) { return nil, p.DeleteMe(ctx, who, me, password) },
		"rename": func(ctx context.Context) (any, error) {
			return p.UpdateMe(ctx, me, issuer.ProfileUpdate{Username: &name})
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		got, err := run(ctx)
		cancel()
		if issuer.KindOf(err) != issuer.KindUnavailable {
			t.Errorf("%s: %v", what, err)
		}
		if set, ok := got.(issuer.TokenSet); ok && (set != issuer.TokenSet{}) {
			t.Errorf("%s: tokens %+v", what, set)
		}
	}
	if n := w.mails.count() - mails; n != 0 {
		t.Errorf("%d mails left", n)
	}
}
