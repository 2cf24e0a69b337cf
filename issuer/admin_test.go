package issuer_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

// uniqueAddress is an address that no other test of a world uses.
func uniqueAddress(name string) string { return name + "-" + uniqueEmail() }

// signedIn is a new account with roles and the bearer of its fresh access token.
func (w *world) signedIn(p *issuer.Provider, email string, roles ...string) (issuer.Principal, issuer.TokenSet) {
	w.t.Helper()
	_, err := p.CreateUser(w.t.Context(), issuer.NewUser{Email: email, Password: password, GivenName: "Grace", FamilyName: "Hopper", Roles: roles, Verified: true})
	if err != nil {
		w.t.Fatal(err)
	}
	s := w.signIn(p, email)
	me, err := p.Authenticate(w.t.Context(), s.AccessToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return me, s
}

// admin is a new administrator who has just signed in.
func (w *world) admin(p *issuer.Provider) (issuer.Admin, issuer.Principal) {
	w.t.Helper()
	me, _ := w.signedIn(p, uniqueAddress("root"), "admin")
	by, err := p.Admin(me, who)
	if err != nil {
		w.t.Fatal(err)
	}
	return by, me
}

func (w *world) user(id string) issuer.User {
	w.t.Helper()
	u, err := w.store.User(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// adminCall is one call of the admin API on an account and one of its sessions.
type adminCall struct {
	name    string
	changes bool
	call    func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, sid string) error
}

var (
	yes, no    = true, false
	adminCalls = []adminCall{
		{"list users", false, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, _, _ string) error {
			_, err := p.ListUsers(ctx, by, issuer.UserQuery{}, issuer.Place{}, 10)
			return err
		}},
		{"get", false, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			_, err := p.GetUser(ctx, by, id)
			return err
		}},
		{"list sessions", false, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			_, err := p.ListSessions(ctx, by, id, false, issuer.Place{}, 10)
			return err
		}},
		{"list audit", false, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, _, _ string) error {
			_, err := p.ListAudit(ctx, by, issuer.AuditQuery{}, issuer.Place{}, 10)
			return err
		}},
		{"overview", false, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, _, _ string) error {
			_, err := p.Overview(ctx, by)
			return err
		}},
		{"create", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, _, _ string) error {
			_, err := p.AdminCreateUser(ctx, by, issuer.NewUser{Email: uniqueAddress("made")})
			return err
		}},
		{"names", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			name := "Ada " + uniqueEmail()[:3]
			_, err := p.PatchUser(ctx, by, id, issuer.UserPatch{GivenName: &name})
			return err
		}},
		{"roles", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			_, err := p.PatchUser(ctx, by, id, issuer.UserPatch{Roles: &[]string{"editor"}})
			return err
		}},
		{"end session", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, _, sid string) error {
			return p.EndAnySession(ctx, by, sid)
		}},
		{"require reset", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			return p.RequirePasswordReset(ctx, by, id)
		}},
		{"logout", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			return p.LogoutUser(ctx, by, id)
		}},
		{"disable", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			_, err := p.PatchUser(ctx, by, id, issuer.UserPatch{Disabled: &yes})
			return err
		}},
		{"delete", true, func(ctx context.Context, p *issuer.Provider, by issuer.Admin, id, _ string) error {
			return p.DeleteUser(ctx, by, id)
		}},
	}
)

// refusedAll holds calls to a refusal that changes nothing: no operation of theirs writes.
func (w *world) refusedAll(by issuer.Admin, id, sid string, kind issuer.Kind, which func(adminCall) bool) {
	w.t.Helper()
	counted := conformance.Counting(w.store)
	p := w.replica(counted)
	counted.Reset()
	before, events := w.user(id), len(w.audited(""))
	for _, c := range adminCalls {
		if err := c.call(w.t.Context(), p, by, id, sid); which(c) && issuer.KindOf(err) != kind {
			w.t.Errorf("%s: %v, want %s", c.name, err, kind)
		} else if !which(c) && err != nil {
			w.t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, op := range []string{"InsertUser", "ActOnUser", "UpdateProfile", "RevokeSession", "InsertIdentifier", "InsertMail", "AppendAudit"} {
		if n := counted.Operations()[op]; n != 0 {
			w.t.Errorf("refused calls made %d times %s", n, op)
		}
	}
	if after := w.user(id); after.Ver != before.Ver || after.State != before.State || w.session(sid).Revoked != nil || len(w.audited("")) != events {
		w.t.Errorf("refused calls changed %+v", after)
	}
}

func everyCall(adminCall) bool     { return true }
func everyChange(c adminCall) bool { return c.changes }

// Only the scope and the role together make an administrator, and a value that nobody made may do nothing.
func TestOnlyAdministratorsAreAdmins(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	ada, s := w.signedIn(p, "ada@example.org")
	_, err := p.Admin(ada, who)
	wantKind(t, err, issuer.KindForbidden)

	// A new role gives no scope to the session that there is.
	if _, err := p.PatchUser(ctx, issuer.Operator(), ada.User.ID, issuer.UserPatch{Roles: &[]string{"admin"}}); err != nil {
		t.Fatal(err)
	}
	next, err := p.Refresh(ctx, who, s.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	promoted, err := p.Authenticate(ctx, next.AccessToken)
	if err != nil || !slices.Contains(promoted.User.Roles, "admin") {
		t.Fatalf("%+v, %v", promoted, err)
	}
	_, err = p.Admin(promoted, who)
	wantKind(t, err, issuer.KindForbidden)

	// A role that is gone takes the scope of a token that is still valid.
	_, root := w.admin(p)
	if _, err := p.PatchUser(ctx, issuer.Operator(), root.User.ID, issuer.UserPatch{Roles: &[]string{}}); err != nil {
		t.Fatal(err)
	}
	root.User = w.user(root.User.ID)
	if !slices.Contains(root.Scope, "admin") {
		t.Fatal("the token has no scope to begin with")
	}
	_, err = p.Admin(root, who)
	wantKind(t, err, issuer.KindForbidden)
	w.refusedAll(issuer.Admin{}, ada.User.ID, ada.Session.ID, issuer.KindForbidden, everyCall)
}

// What changes something needs a proof of identity no older than 15 minutes; what only reads does not.
func TestAdministratorsChangeNothingOnAnOldProof(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	ada, _ := w.signedIn(p, "ada@example.org")
	by, _ := w.admin(p)
	w.clock.advance(15*time.Minute + time.Second)
	w.refusedAll(by, ada.User.ID, ada.Session.ID, issuer.KindStepUpRequired, everyChange)
}

// The right to change something is read again from the store: a role or a session that is gone since the request came is not believed in.
func TestTheRightToChangeIsReadAgain(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(ctx context.Context, p *issuer.Provider, root issuer.Principal) error
		kind issuer.Kind
	}{
		"role": {func(ctx context.Context, p *issuer.Provider, root issuer.Principal) error {
			_, err := p.PatchUser(ctx, issuer.Operator(), root.User.ID, issuer.UserPatch{Roles: &[]string{"editor"}})
			return err
		}, issuer.KindForbidden},
		"session": {func(ctx context.Context, p *issuer.Provider, root issuer.Principal) error {
			return p.EndAnySession(ctx, issuer.Operator(), root.Session.ID)
		}, issuer.KindSessionRevoked},
		"account": {func(ctx context.Context, p *issuer.Provider, root issuer.Principal) error {
			return p.DeleteUser(ctx, issuer.Operator(), root.User.ID)
		}, issuer.KindSessionRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.replica(w.store)
			ada, _ := w.signedIn(p, "ada@example.org")
			by, root := w.admin(p)
			if err := c.lose(t.Context(), p, root); err != nil {
				t.Fatal(err)
			}
			w.refusedAll(by, ada.User.ID, ada.Session.ID, c.kind, everyChange)
		})
	}
}

// An administrator can't take itself away; the rest of what it may do to others it may do to itself.
func TestAdministratorsSpareThemselves(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, root := w.admin(p)
	id := root.User.ID
	for name, err := range map[string]error{
		"disable": func() error { _, err := p.PatchUser(ctx, by, id, issuer.UserPatch{Disabled: &yes}); return err }(),
		"demote": func() error {
			_, err := p.PatchUser(ctx, by, id, issuer.UserPatch{Roles: &[]string{"editor"}, GivenName: new(string)})
			return err
		}(),
		"delete": p.DeleteUser(ctx, by, id),
	} {
		if issuer.KindOf(err) != issuer.KindForbidden || !strings.Contains(err.Error(), "its own account") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if u := w.user(id); u.Ver != root.User.Ver || u.GivenName != root.User.GivenName {
		t.Errorf("changed: %+v", u)
	}
	name := "Admiral"
	u, err := p.PatchUser(ctx, by, id, issuer.UserPatch{Disabled: &no, Roles: &[]string{"editor", "admin"}, GivenName: &name})
	if err != nil || !slices.Equal(u.Roles, []string{"editor", "admin"}) || u.GivenName != name {
		t.Fatalf("%+v, %v", u, err)
	}
	if err := p.LogoutUser(ctx, by, id); err != nil {
		t.Fatal(err)
	}
	wantKind(t, p.LogoutUser(ctx, by, id), issuer.KindSessionRevoked)
}

// A deleted account, one that never was, and what can't be an id are not found.
func TestNoSuchAccount(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, _ := w.admin(p)
	ada, s := w.signedIn(p, "ada@example.org")
	if err := p.DeleteUser(ctx, by, ada.User.ID); err != nil {
		t.Fatal(err)
	}
	_, err := p.Refresh(ctx, who, s.RefreshToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	if u := w.user(ada.User.ID); u.State != issuer.UserDeleted || u.Email != "" || u.GivenName != "" || u.PasswordHash != "" {
		t.Errorf("left: %+v", u)
	}
	for _, id := range []string{ada.User.ID, "nobody", "", strings.Repeat("a", 65), "a b", "é", "\x00", "\xff"} {
		for _, c := range adminCalls {
			if c.name == "create" || c.name == "end session" || strings.HasPrefix(c.name, "list") || c.name == "overview" {
				continue
			}
			if err := c.call(ctx, p, by, id, ""); issuer.KindOf(err) != issuer.KindNotFound {
				t.Errorf("%s of %q: %v", c.name, id, err)
			}
		}
		wantKind(t, p.SetPassword(ctx, issuer.Operator(), id, "another "+password), issuer.KindNotFound)
		wantKind(t, p.EndAnySession(ctx, by, id), issuer.KindNotFound)
	}
	counted := conformance.Counting(w.store)
	q := w.replica(counted)
	counted.Reset()
	for _, id := range []string{"", strings.Repeat("a", 65), "a b", "é", "\x00", "\xff"} {
		_, err := q.GetUser(ctx, issuer.Operator(), id)
		wantKind(t, err, issuer.KindNotFound)
		wantKind(t, q.EndAnySession(ctx, issuer.Operator(), id), issuer.KindNotFound)
	}
	if counted.Total() != 0 {
		t.Errorf("what can't be an id is asked of the store: %v", counted.Operations())
	}
	users, err := p.ListUsers(ctx, by, issuer.UserQuery{}, issuer.Place{}, 200)
	if err != nil || len(users.Items) != 1 {
		t.Errorf("listed: %+v, %v", users, err)
	}
	if _, err := p.CreateUser(ctx, issuer.NewUser{Email: "ada@example.org"}); err != nil {
		t.Errorf("the address is not free again: %v", err)
	}
}

// Everything that an administrator changes is in the audit log, with who, whom and from where, and without a secret, an address or a name.
func TestAdministratorsAreAudited(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, root := w.admin(p)
	ada, s := w.signedIn(p, "ada@example.org")
	made, err := p.AdminCreateUser(ctx, by, issuer.NewUser{Email: "bob@example.org", GivenName: "Robert", Roles: []string{"editor"}, Invite: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range adminCalls {
		if c.name == "create" || !c.changes {
			continue
		}
		if err := c.call(ctx, p, by, ada.User.ID, ada.Session.ID); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	if _, err := p.PatchUser(ctx, by, made.ID, issuer.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.PatchUser(ctx, by, made.ID, issuer.UserPatch{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	if err := p.SetPassword(ctx, issuer.Operator(), made.ID, "violet otter plays cello"); err != nil {
		t.Fatal(err)
	}
	log := w.audited("")
	for _, want := range []issuer.AuditEvent{
		{Type: "user.created", Target: made.ID}, {Type: "user.invited", Target: made.ID}, {Type: "user.updated", Target: ada.User.ID},
		{Type: "user.roles", Target: ada.User.ID}, {Type: "password.reset_required", Target: ada.User.ID}, {Type: "session.ended", Target: ada.User.ID},
		{Type: "logout.all", Target: ada.User.ID}, {Type: "user.disabled", Target: ada.User.ID}, {Type: "user.deleted", Target: ada.User.ID},
		{Type: "user.enabled", Target: made.ID}, {Type: "password.changed", Target: made.ID},
	} {
		i := slices.IndexFunc(log, func(e issuer.AuditEvent) bool {
			return e.Type == want.Type && e.Target == want.Target && (e.Actor == root.User.ID || want.Type == "password.changed" && e.Actor == "operator")
		})
		if i < 0 {
			t.Errorf("no line %s of %s", want.Type, want.Target)
			continue
		}
		e, sid := log[i], root.Session.ID
		if want.Type == "session.ended" {
			sid = ada.Session.ID
		}
		if want.Type != "password.changed" && (e.SID != sid || e.RequestID != who.RequestID || e.Source != who.IP || e.At.IsZero()) {
			t.Errorf("line %+v", e)
		}
	}
	text, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"@example.org", "Grace", "Hopper", "Robert", "Ada", password, "violet", s.AccessToken, s.RefreshToken, w.user(made.ID).PasswordHash} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the audit log holds %q", secret)
		}
	}
}

// An administrator who hangs up in the middle of a change keeps neither it nor its line in the log from being finished.
func TestHangingUpHidesNothing(t *testing.T) {
	for _, at := range []string{"ActOnUser", "AppendAudit", "SessionsOf", "RevokeSession"} {
		w := newWorld(t)
		p := w.replica(w.store)
		by, root := w.admin(p)
		ada, _ := w.signedIn(p, "ada@example.org")
		ctx, hangUp := context.WithCancel(t.Context())
		q := w.replica(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
			if op == at {
				hangUp()
			}
			return conformance.None
		}))
		_, _ = q.PatchUser(ctx, by, ada.User.ID, issuer.UserPatch{Disabled: &yes})
		if ctx.Err() == nil {
			t.Fatalf("no %s", at)
		}
		if u := w.user(ada.User.ID); u.State != issuer.UserDisabled || w.session(ada.Session.ID).Revoked == nil {
			t.Errorf("hung up at %s: %+v", at, u)
		}
		if log := w.audited("user.disabled"); len(log) != 1 || log[0].Actor != root.User.ID {
			t.Errorf("hung up at %s: audited %+v", at, log)
		}
	}
	// A guesser, too, is in the log.
	w := newWorld(t)
	w.signedIn(w.replica(w.store), "ada@example.org")
	ctx, hangUp := context.WithCancel(t.Context())
	q := w.replica(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
		if op == "AppendAudit" {
			hangUp()
		}
		return conformance.None
	}))
	_, err := q.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: "a wrong guess"})
	wantKind(t, err, issuer.KindInvalidCredentials)
	if log := w.audited("sign_in.failed"); len(log) != 1 {
		t.Errorf("a guesser who hung up: audited %+v", log)
	}
}
