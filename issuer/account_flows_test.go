package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

const newPassword = "violet otter plays cello"

// me is the bearer of an access token, asked just now.
func (w *world) me(p *issuer.Provider, s issuer.TokenSet) issuer.Principal {
	w.t.Helper()
	me, err := p.Authenticate(w.t.Context(), s.AccessToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return me
}

// events are the lines of the audit log of a type, or of all that begin so, about a user or, with "", anybody.
func (w *world) events(kind, userID string) []issuer.AuditEvent {
	w.t.Helper()
	list, err := w.store.ListAudit(context.Background(), issuer.AuditQuery{Type: kind, UserID: userID}, issuer.Place{}, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// outbox is what was posted to an address, dispatched or not. What is to be dropped is not.
func (w *world) outbox(to string, kind issuer.LetterKind) (out []issuer.Letter) {
	w.t.Helper()
	for after := ""; ; {
		page, err := w.store.Mails(context.Background(), after, 200)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range page {
			var l issuer.Letter
			if !m.Drop && json.Unmarshal(m.Sealed, &l) == nil && l.To == to && l.Kind == kind {
				out = append(out, l)
			}
			after = m.ID
		}
		if len(page) < 200 {
			return out
		}
	}
}

// loginWith says whether a password signs in, as far as the password step goes.
func (w *world) loginWith(p *issuer.Provider, email, password string) error {
	w.t.Helper()
	_, err := p.Login(w.t.Context(), who, issuer.LoginRequest{Email: email, Password: password})
	return err
}

// reset asks for a code and chooses a new password.
func (w *world) reset(p *issuer.Provider, email, password string) error {
	w.t.Helper()
	tk, err := p.ForgotPassword(w.t.Context(), who, email)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.ResetPassword(w.t.Context(), who, issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(w.t, email), NewPassword: password})
}

// Requirement 88: a change needs the current password, ends every other session before it answers, kills codes, and is told to the owner.
func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	mine := w.signUp("ada@example.org")
	other := w.signIn(p, "ada@example.org")
	pending, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	code := w.mails.code(t, "ada@example.org")
	me := w.me(p, mine)
	wantKind(t, p.ChangePassword(ctx, who, me, "not "+password, newPassword), issuer.KindInvalidCredentials)
	if w.user(me.User.ID).Ver != me.User.Ver || w.session(other.SID).Revoked != nil {
		t.Fatal("a wrong password changed something")
	}
	if err := p.ChangePassword(ctx, who, me, password, newPassword); err != nil {
		t.Fatal(err)
	}
	_, err = p.Refresh(ctx, who, other.RefreshToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	if why := w.session(other.SID).Revoked.Why; why != issuer.RevokedPassword {
		t.Errorf("the other session ended by %s", why)
	}
	if _, err := p.Refresh(ctx, who, mine.RefreshToken); err != nil {
		t.Errorf("the caller's own session: %v", err)
	}
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: pending.ChallengeID, Code: code})
	wantKind(t, err, issuer.KindChallengeExpired)
	wantKind(t, w.loginWith(p, "ada@example.org", password), issuer.KindInvalidCredentials)
	if err := w.loginWith(p, "ada@example.org", newPassword); err != nil {
		t.Error(err)
	}
	if n := len(w.outbox("ada@example.org", issuer.LetterPasswordChanged)); n != 1 {
		t.Errorf("told %d times", n)
	}
	if u := w.user(me.User.ID); u.Pending != 0 || u.Notice != "" {
		t.Errorf("marks stay: %+v", u)
	}
	if e := w.events("password.changed", me.User.ID); len(e) != 1 || e[0].Actor != me.User.ID || e[0].SID != mine.SID || e[0].Source != who.IP {
		t.Errorf("audited %+v", e)
	}
	if e := w.events("sign_in.failed", me.User.ID); len(e) != 2 || !slices.ContainsFunc(e, func(e issuer.AuditEvent) bool { return e.Detail == "password, password-change" }) {
		t.Errorf("the wrong password is audited as %+v", e)
	}
}

// Requirements 81, 83: a new password follows the rules, and what is refused for them counts nothing.
func TestNewPasswordRules(t *testing.T) {
	w := newWorld(t)
	w.set.LimitPasswords = issuer.Limit{N: 1, Window: time.Hour}
	w.set.LimitGuesses = issuer.Limit{N: 1, Window: time.Hour}
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "lovelace@example.org")
	name := "countess"
	if _, err := p.UpdateMe(ctx, me, issuer.ProfileUpdate{Username: &name}); err != nil {
		t.Fatal(err)
	}
	me.User = w.user(me.User.ID)
	tk, err := p.ForgotPassword(ctx, who, "lovelace@example.org")
	if err != nil {
		t.Fatal(err)
	}
	code := w.mails.code(t, "lovelace@example.org")
	for _, weak := range []string{"short", "password1", "lovelace1", "id.example", strings.Repeat("x", 2000), "aaaaaaaaaa"} {
		wantKind(t, p.ChangePassword(ctx, who, me, password, weak), issuer.KindWeakPassword)
		wantKind(t, p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: otherResetCode(code), NewPassword: weak}), issuer.KindWeakPassword)
	}
	wantKind(t, p.ChangePassword(ctx, who, me, password, "countess1"), issuer.KindWeakPassword)
	// The names of an account are looked at once its code is proven: before, they would tell a stranger.
	for _, r := range []struct {
		code string
		kind issuer.Kind
	}{{code, issuer.KindWeakPassword}, {otherResetCode(code), issuer.KindInvalidCode}} {
		wantKind(t, p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: r.code, NewPassword: "hopper12"}), r.kind)
	}
	for _, e := range []error{p.ChangePassword(ctx, who, me, "", newPassword), p.ChangePassword(ctx, who, me, password, "")} {
		wantKind(t, e, issuer.KindInvalidRequest)
	}
	if err := p.ChangePassword(ctx, who, me, password, newPassword); err != nil {
		t.Errorf("after refusals that count nothing: %v", err)
	}
}

func otherResetCode(code string) string {
	if code == "31415926" {
		return "27182818"
	}
	return "31415926"
}

// Wrong current passwords are limited, in a budget of their own: they take nothing from the sign-in's, and a right one is given back.
func TestWrongOwnPasswordsAreLimited(t *testing.T) {
	w := newWorld(t)
	w.set.LimitPasswords = issuer.Limit{N: 3, Window: time.Hour}
	w.set.LimitCodes = issuer.Limit{}
	p, ctx := w.replica(w.store), t.Context()
	me, s := w.signedIn(p, "ada@example.org")
	for what, call := range map[string]func(string) error{
		"password": func(pw string) error { return p.ChangePassword(ctx, who, me, pw, newPassword) },
		"email": func(pw string) error {
			_, err := p.ChangeEmail(ctx, who, me, "new@example.org", pw)
			return err
		},
		"step-up": func(pw string) error { _, err := p.StepUp(ctx, who, me, pw); return err },
		"delete":  func(pw string) error { return p.DeleteMe(ctx, who, me, pw) },
	} {
		if what != "password" && what != "delete" {
			for range 5 {
				if err := call(password); err != nil {
					t.Fatalf("%s: the right one, again: %v", what, err)
				}
			}
		}
		for range 3 {
			wantKind(t, call("not "+password), issuer.KindInvalidCredentials)
		}
		wantKind(t, call(password), issuer.KindRateLimited)
	}
	if err := w.loginWith(p, "ada@example.org", password); err != nil {
		t.Errorf("the sign-in's budget: %v", err)
	}
	if _, err := p.Refresh(ctx, who, s.RefreshToken); err != nil {
		t.Error(err)
	}
}

// Dangerous calls need a session that is current when they act, whatever was known when the request arrived.
func TestDangerousCallsNeedACurrentSession(t *testing.T) {
	for what, call := range map[string]func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error{
		"password": func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error {
			return p.ChangePassword(ctx, who, me, password, newPassword)
		},
		"email": func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error {
			_, err := p.ChangeEmail(ctx, who, me, uniqueEmail(), password)
			return err
		},
		"step-up": func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error {
			_, err := p.StepUp(ctx, who, me, password)
			return err
		},
		"delete": func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error {
			return p.DeleteMe(ctx, who, me, password)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			p, ctx := w.replica(w.store), t.Context()
			for over, end := range map[string]func(me issuer.Principal, s issuer.TokenSet){
				"logout": func(_ issuer.Principal, s issuer.TokenSet) {
					if err := p.Logout(ctx, who, s.RefreshToken); err != nil {
						t.Fatal(err)
					}
				},
				"an end-all that has not swept": func(me issuer.Principal, _ issuer.TokenSet) {
					u := w.user(me.User.ID)
					if _, hit, err := w.store.ActOnUser(ctx, u.ID, issuer.Act{Ver: u.Ver, Att: "a", At: epoch, EndAll: issuer.RevokedLogoutAll}); !hit || err != nil {
						t.Fatal(hit, err)
					}
				},
				"a deletion": func(me issuer.Principal, _ issuer.TokenSet) {
					if err := p.DeleteUser(ctx, issuer.Operator(), me.User.ID); err != nil {
						t.Fatal(err)
					}
				},
			} {
				me, s := w.signedIn(p, uniqueEmail())
				end(me, s)
				after := w.user(me.User.ID)
				if err := call(ctx, p, me); issuer.KindOf(err) != issuer.KindSessionRevoked {
					t.Errorf("after %s: %v", over, err)
				}
				if u := w.user(me.User.ID); u.Ver != after.Ver {
					t.Errorf("after %s the account was changed: %+v", over, u)
				}
			}
		})
	}
}

// The password is checked again when another act came between: the one that was right before is not enough.
func TestAnActConfirmsAgain(t *testing.T) {
	for what, run := range map[string]func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error{
		"password": func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error {
			return p.ChangePassword(ctx, who, me, password, "another "+newPassword)
		},
		"delete": func(ctx context.Context, p *issuer.Provider, me issuer.Principal) error {
			return p.DeleteMe(ctx, who, me, password)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			p := w.replica(w.store)
			me, _ := w.signedIn(p, "ada@example.org")
			slow := w.begin(what, func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
				return issuer.TokenSet{}, run(ctx, p, me)
			})
			for slow.next != "ActOnUser" {
				slow.step(0)
			}
			if err := p.ChangePassword(t.Context(), who, me, password, newPassword); err != nil {
				t.Fatal(err)
			}
			slow.finish()
			wantKind(t, slow.err, issuer.KindInvalidCredentials)
			if err := w.loginWith(p, "ada@example.org", newPassword); err != nil {
				t.Error(err)
			}
		})
	}
}

// Requirements 87, 112: a reset proves the address, ends every session, is no sign-in, kills older codes, and works once.
func TestResetPassword(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	s := w.signUp("ada@example.org")
	old, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	oldCode := w.mails.code(t, "ada@example.org")
	tk, err := p.ForgotPassword(ctx, who, " Ada@Example.ORG")
	if err != nil || tk.CodeLength != 8 || tk.ExpiresIn != 600 || tk.Hint != "a***@e***.org" {
		t.Fatalf("%+v, %v", tk, err)
	}
	code := w.mails.code(t, "ada@example.org")
	if l := w.outbox("ada@example.org", issuer.LetterReset); len(l) != 1 || l[0].Code != code || len(code) != 8 {
		t.Fatalf("mailed %+v", l)
	}
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: code})
	wantKind(t, err, issuer.KindChallengeExpired) // it signs nobody in
	r := issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: code[:4] + " " + code[4:], NewPassword: newPassword}
	if err := p.ResetPassword(ctx, who, r); err != nil {
		t.Fatal(err)
	}
	_, err = p.Refresh(ctx, who, s.RefreshToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	if got := w.session(s.SID).Revoked.Why; got != issuer.RevokedReset {
		t.Errorf("ended by %s", got)
	}
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: old.ChallengeID, Code: oldCode})
	wantKind(t, err, issuer.KindChallengeExpired)
	wantKind(t, p.ResetPassword(ctx, who, r), issuer.KindChallengeExpired)
	wantKind(t, w.loginWith(p, "ada@example.org", password), issuer.KindInvalidCredentials)
	if err := w.loginWith(p, "ada@example.org", newPassword); err != nil {
		t.Error(err)
	}
	if n := len(w.outbox("ada@example.org", issuer.LetterPasswordChanged)); n != 1 {
		t.Errorf("told %d times", n)
	}
	for _, kind := range []string{"password.reset_requested", "password.reset"} {
		if e := w.events(kind, s.UserID); len(e) != 1 || e[0].Source != who.IP {
			t.Errorf("%s: %+v", kind, e)
		}
	}
}

// An account that was never verified, has no usable password, or must have a new one, gets one by proving its address.
func TestWhoCanReset(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	h, _ := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1})
	hash, err := h.Hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]issuer.User{
		"unverified":     {PasswordHash: hash},
		"no password":    {},
		"unusable":       {PasswordHash: "!none"},
		"reset required": {PasswordHash: hash, ResetRequired: true, EmailVerified: true},
	} {
		u.ID, u.Email, u.State = "id-"+strings.ReplaceAll(name, " ", "-"), uniqueEmail(), issuer.UserActive
		firm := issuer.Identifier{ID: issuer.EmailKey(u.Email), UserID: u.ID, Claim: "import", Kind: issuer.IdentifierFirm}
		if err := errors.Join(w.store.InsertUser(ctx, u), w.store.InsertIdentifier(ctx, firm)); err != nil {
			t.Fatal(err)
		}
		if u.ResetRequired {
			wantKind(t, w.loginWith(p, u.Email, password), issuer.KindPasswordResetRequired)
			wantKind(t, w.loginWith(p, u.Email, "not "+password), issuer.KindInvalidCredentials)
		}
		if err := w.reset(p, u.Email, newPassword); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := w.user(u.ID); got.ResetRequired || !got.EmailVerified {
			t.Errorf("%s: %+v", name, got)
		}
		if err := w.loginWith(p, u.Email, newPassword); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A code that a change of password or address, or a disabling, came after resets nothing.
func TestAResetDiesWithWhatItSaw(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	for what, change := range map[string]func(me issuer.Principal) error{
		"password": func(me issuer.Principal) error { return p.ChangePassword(ctx, who, me, password, newPassword) },
		"logout":   func(me issuer.Principal) error { return p.LogoutAll(ctx, who, me) },
		"address":  func(me issuer.Principal) error { return w.moveTo(p, me, uniqueEmail()) },
		"disabled": func(me issuer.Principal) error {
			_, err := p.PatchUser(ctx, issuer.Operator(), me.User.ID, issuer.UserPatch{Disabled: &yes})
			return err
		},
		"deleted": func(me issuer.Principal) error { return p.DeleteMe(ctx, who, me, password) },
	} {
		email := uniqueEmail()
		me, _ := w.signedIn(p, email)
		tk, err := p.ForgotPassword(ctx, who, email)
		if err != nil {
			t.Fatal(err)
		}
		code := w.mails.code(t, email)
		if err := change(me); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		before := w.user(me.User.ID)
		err = p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: code, NewPassword: "third " + newPassword})
		if issuer.KindOf(err) != issuer.KindChallengeExpired || w.user(me.User.ID).PasswordHash != before.PasswordHash {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// moveTo changes the caller's address.
func (w *world) moveTo(p *issuer.Provider, me issuer.Principal, to string) error {
	tk, err := p.ChangeEmail(w.t.Context(), who, me, to, password)
	if err != nil {
		return err
	}
	_, err = p.VerifyEmail(w.t.Context(), who, me, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(w.t, to)})
	return err
}

// Requirements 96, 112: a change of address needs the password and a recent sign-in, is told to the old address, and kills the codes mailed there.
func TestChangeEmail(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, s := w.signedIn(p, "old@example.org")
	_, err := p.ChangeEmail(ctx, who, me, "new@example.org", "not "+password)
	wantKind(t, err, issuer.KindInvalidCredentials)
	for _, bad := range []string{"", "nope", "OLD@example.org"} {
		_, err := p.ChangeEmail(ctx, who, me, bad, password)
		wantKind(t, err, issuer.KindInvalidRequest)
	}
	reset, err := p.ForgotPassword(ctx, who, "old@example.org")
	if err != nil {
		t.Fatal(err)
	}
	resetCode := w.mails.code(t, "old@example.org")
	tk, err := p.ChangeEmail(ctx, who, me, "New@Example.org", password)
	if err != nil || tk.CodeLength != 6 || tk.Hint != "n***@e***.org" {
		t.Fatalf("%+v, %v", tk, err)
	}
	if n := w.outbox("old@example.org", issuer.LetterEmailChange); len(n) != 1 || n[0].Code != "" {
		t.Errorf("the old address was told %+v", n)
	}
	if n := w.outbox("new@example.org", issuer.LetterEmailCode); len(n) != 1 || n[0].Code == "" {
		t.Errorf("the new address got %+v", n)
	}
	if u := w.user(me.User.ID); u.Email != "old@example.org" {
		t.Fatalf("moved before the code: %+v", u)
	}
	stranger, _ := w.signedIn(p, "eve@example.org")
	r := issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "new@example.org")}
	_, err = p.VerifyEmail(ctx, who, stranger, r)
	wantKind(t, err, issuer.KindChallengeExpired)
	_, err = p.Verify(ctx, who, r)
	wantKind(t, err, issuer.KindChallengeExpired)
	u, err := p.VerifyEmail(ctx, who, me, r)
	if err != nil || u.Email != "new@example.org" || !u.EmailVerified {
		t.Fatalf("%+v, %v", u, err)
	}
	if u.Cred != u.Ver {
		t.Errorf("the change ends no code: %+v", u)
	}
	_, err = p.VerifyEmail(ctx, who, me, r)
	wantKind(t, err, issuer.KindChallengeExpired)
	wantKind(t, p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: reset.ChallengeID, Code: resetCode, NewPassword: newPassword}), issuer.KindChallengeExpired)
	if _, err := p.Refresh(ctx, who, s.RefreshToken); err != nil {
		t.Errorf("the session: %v", err)
	}
	wantKind(t, w.loginWith(p, "old@example.org", password), issuer.KindInvalidCredentials)
	if w.signUp("old@example.org").UserID == me.User.ID {
		t.Error("the old address is not free")
	}
	if err := w.loginWith(p, "new@example.org", password); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"email.change_requested", "email.changed"} {
		if e := w.events(kind, me.User.ID); len(e) != 1 || e[0].Source != who.IP || e[0].SID != s.SID {
			t.Errorf("%s: %+v", kind, e)
		}
	}
	raw, _ := json.Marshal(w.events("", ""))
	if strings.Contains(string(raw), "example.org") {
		t.Errorf("the audit log holds an address: %s", raw)
	}
}

// Somebody took the address between the request and the code: a conflict, and the account stays as it is.
func TestChangeEmailToAnAddressTakenMeanwhile(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	tk, err := p.ChangeEmail(ctx, who, me, "new@example.org", password)
	if err != nil {
		t.Fatal(err)
	}
	code := w.mails.code(t, "new@example.org")
	w.signUp("new@example.org")
	_, err = p.VerifyEmail(ctx, who, me, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: code})
	wantKind(t, err, issuer.KindConflict)
	if w.user(me.User.ID).Email != "ada@example.org" {
		t.Error("the account moved")
	}
}

// A move that was committed and not made when the password was changed is made by nobody any more, and the address comes free.
func TestACommittedMoveDiesWithAPasswordChange(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	email, to := uniqueEmail(), uniqueEmail()
	me, _ := w.signedIn(p, email)
	tk, err := p.ChangeEmail(ctx, who, me, to, password)
	if err != nil {
		t.Fatal(err)
	}
	dying := w.begin("move", provingEmail(me, tk.ChallengeID, w.mails.code(t, to)))
	for dying.next != "ActOnUser" {
		dying.step(0)
	}
	dying.crash()
	if err := w.reset(p, email, newPassword); err != nil {
		t.Fatal(err)
	}
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Identifier(ctx, issuer.EmailKey(to)); w.user(me.User.ID).Email != email || !errors.Is(err, issuer.ErrNotFound) {
		t.Errorf("%+v, identifier %v", w.user(me.User.ID), err)
	}
}

func provingEmail(me issuer.Principal, id, code string) func(context.Context, *issuer.Provider) (issuer.TokenSet, error) {
	return func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
		_, err := p.VerifyEmail(ctx, who, me, issuer.VerifyRequest{ChallengeID: id, Code: code})
		return issuer.TokenSet{}, err
	}
}

// A step-up gives tokens of the same session and generation with a new auth_time, and opens what needs one.
func TestStepUp(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, s := w.signedIn(p, "ada@example.org")
	other := w.me(p, w.signIn(p, "ada@example.org"))
	w.clock.advance(15*time.Minute + time.Second)
	s, err := p.Refresh(ctx, who, s.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if me = w.me(p, s); !me.AuthTime.Equal(epoch) {
		t.Fatalf("a refresh moved auth_time to %v", me.AuthTime)
	}
	_, err = p.ChangeEmail(ctx, who, me, "new@example.org", password)
	wantKind(t, err, issuer.KindStepUpRequired)
	wantKind(t, p.DeleteMe(ctx, who, me, password), issuer.KindStepUpRequired)

	_, err = p.StepUp(ctx, who, me, "not "+password)
	wantKind(t, err, issuer.KindInvalidCredentials)
	tk, err := p.StepUp(ctx, who, me, password)
	if err != nil {
		t.Fatal(err)
	}
	if l := w.outbox("ada@example.org", issuer.LetterStepUp); len(l) != 1 || l[0].Code == "" {
		t.Fatalf("mailed %+v", l)
	}
	r := issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")}
	_, err = p.VerifyStepUp(ctx, who, other, r)
	wantKind(t, err, issuer.KindChallengeExpired)
	_, err = p.Verify(ctx, who, r)
	wantKind(t, err, issuer.KindChallengeExpired)
	if w.session(s.SID).Revoked != nil {
		t.Fatal("the wrong endpoint ended the session")
	}
	got, err := p.VerifyStepUp(ctx, who, me, r)
	if err != nil || got.SID != s.SID || got.RefreshToken != s.RefreshToken || got.DeviceToken != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	c := claimsOf(t, got.AccessToken)
	if now := float64(w.clock.Now().Unix()); c["auth_time"] != now || c["sid"] != s.SID {
		t.Errorf("claims %v", c)
	}
	_, err = p.VerifyStepUp(ctx, who, me, r)
	wantKind(t, err, issuer.KindChallengeExpired)
	me = w.me(p, got)
	if _, err := p.ChangeEmail(ctx, who, me, "new@example.org", password); err != nil {
		t.Errorf("after the step-up: %v", err)
	}
	if e := w.events("step_up.ok", me.User.ID); len(e) != 1 || e[0].SID != s.SID {
		t.Errorf("audited %+v", e)
	}
	next, err := p.Refresh(ctx, who, got.RefreshToken)
	if err != nil || claimsOf(t, next.AccessToken)["auth_time"] != c["auth_time"] {
		t.Errorf("the next refresh: %v", err)
	}
}

// A step-up whose session, password or address has changed meanwhile confirms nothing.
func TestAStepUpDiesWithWhatItSaw(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	for what, c := range map[string]struct {
		change func(me issuer.Principal, s issuer.TokenSet) error
		kind   issuer.Kind
	}{
		"logout": {func(_ issuer.Principal, s issuer.TokenSet) error { return p.Logout(ctx, who, s.RefreshToken) }, issuer.KindSessionRevoked},
		"password": {func(me issuer.Principal, _ issuer.TokenSet) error {
			return p.ChangePassword(ctx, who, me, password, newPassword)
		}, issuer.KindChallengeExpired},
		"address":  {func(me issuer.Principal, _ issuer.TokenSet) error { return w.moveTo(p, me, uniqueEmail()) }, issuer.KindChallengeExpired},
		"deletion": {func(me issuer.Principal, _ issuer.TokenSet) error { return p.DeleteMe(ctx, who, me, password) }, issuer.KindChallengeExpired},
	} {
		email := uniqueEmail()
		me, s := w.signedIn(p, email)
		tk, err := p.StepUp(ctx, who, me, password)
		if err != nil {
			t.Fatal(err)
		}
		code := w.mails.code(t, email)
		if err := c.change(me, s); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
		got, err := p.VerifyStepUp(ctx, who, me, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: code})
		if issuer.KindOf(err) != c.kind || got != (issuer.TokenSet{}) || w.session(s.SID).AuthTime.After(me.AuthTime) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A deletion ends the sessions, frees address and username, takes what is personal out of users, sessions and the audit log, and never gives
// the id out again.
func TestDeleteMe(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, s := w.signedIn(p, "ada@example.org")
	other := w.signIn(p, "ada@example.org")
	name := "countess"
	if _, err := p.UpdateMe(ctx, me, issuer.ProfileUpdate{Username: &name}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, p.DeleteMe(ctx, who, me, "not "+password), issuer.KindInvalidCredentials)
	wantKind(t, p.DeleteMe(ctx, who, me, ""), issuer.KindInvalidRequest)
	me = w.me(p, s)
	if err := p.DeleteMe(ctx, who, me, password); err != nil {
		t.Fatal(err)
	}
	for _, x := range []issuer.TokenSet{s, other} {
		_, err := p.Refresh(ctx, who, x.RefreshToken)
		wantKind(t, err, issuer.KindSessionRevoked)
		if got := w.session(x.SID); got.UserAgent != "" || got.IP != "" || got.Revoked.Why != issuer.RevokedDeleted {
			t.Errorf("session after: %+v", got)
		}
	}
	for _, e := range w.events("", me.User.ID) {
		if e.Source != "" {
			t.Errorf("the audit log keeps %+v", e)
		}
	}
	if len(w.events("user.deleted", me.User.ID)) != 1 || len(w.events("sign_in.failed", me.User.ID)) == 0 {
		t.Error("the audit log lost lines")
	}
	if n := len(w.outbox("ada@example.org", issuer.LetterDeleted)); n != 1 {
		t.Errorf("told %d times", n)
	}
	shell := w.user(me.User.ID)
	raw, _ := json.Marshal(shell)
	for _, personal := range []string{"example", "Grace", "Hopper", "countess", "argon2"} {
		if strings.Contains(string(raw), personal) {
			t.Errorf("the shell holds %q: %s", personal, raw)
		}
	}
	if len(shell.Release) != 0 || shell.State != issuer.UserDeleted {
		t.Errorf("%+v", shell)
	}
	again, _ := w.signedIn(p, "ada@example.org")
	if again.User.ID == me.User.ID {
		t.Error("the id was given out again")
	}
	if _, err := p.UpdateMe(ctx, again, issuer.ProfileUpdate{Username: &name}); err != nil {
		t.Errorf("the username: %v", err)
	}
}

// What a request that began before the deletion leaves after it is cleaned by later polls, for as long as a request may take.
func TestADeletedAccountIsLookedThroughAgain(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	tk, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	slow := w.begin("verify", verifying(tk.ChallengeID, w.mails.code(t, "ada@example.org")))
	for slow.next != "InsertSession" {
		slow.step(0)
	}
	if err := p.DeleteMe(ctx, who, me, password); err != nil {
		t.Fatal(err)
	}
	slow.finish()
	wantKind(t, slow.err, issuer.KindChallengeExpired)
	w.clock.advance(time.Minute)
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := w.store.SessionsOf(ctx, me.User.ID, "", 10)
	if err != nil || len(all) != 2 || slices.ContainsFunc(all, func(s issuer.Session) bool { return s.IP != "" || s.Revoked == nil }) {
		t.Errorf("sessions %+v, %v", all, err)
	}
	if u := w.user(me.User.ID); u.Pending != 0 {
		t.Errorf("the mark stays: %+v", u)
	}
}

// noKeys can't seal, as at the command line.
type noKeys struct{ *testKeys }

func (noKeys) Seal([]byte, ...string) ([]byte, error) { return nil, issuer.ErrNoKeys }

var _ issuer.Keys = noKeys{}

// Where nothing can be sealed the act is made, its effects on sessions are carried out, and its notice is left to a server, even over another act.
func TestANoticeWaitsForKeys(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, s := w.signedIn(p, "ada@example.org")
	u := w.user(me.User.ID)
	hash := u.PasswordHash
	if _, hit, err := w.store.ActOnUser(ctx, u.ID, issuer.Act{Ver: u.Ver, Att: "a", At: w.clock.Now(), EndAll: issuer.RevokedPassword, PasswordHash: &hash, Notice: issuer.LetterPasswordChanged}); !hit || err != nil {
		t.Fatal(hit, err)
	}
	cli := w.with(noKeys{w.keys})
	if err := cli.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if got := w.user(u.ID); got.Notice == "" || got.Pending == 0 || w.session(s.SID).Revoked == nil {
		t.Fatalf("after a pass without keys: %+v", got)
	}
	if err := cli.LogoutUser(ctx, issuer.Operator(), u.ID); err != nil {
		t.Fatal(err)
	}
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if got, n := w.user(u.ID), len(w.outbox("ada@example.org", issuer.LetterPasswordChanged)); n != 1 || got.Notice != "" || got.Pending != 0 {
		t.Errorf("told %d times: %+v", n, got)
	}
}

// with is a replica with other keys.
func (w *world) with(k issuer.Keys) *issuer.Provider {
	w.t.Helper()
	return w.made(w.store, k, w.hasher())
}

// A notice that is still to be sent goes to the address that the account has when its password was changed, before anything else happens to it.
func TestANoticeGoesToTheAddressOfItsAct(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	me, _ := w.signedIn(p, "old@example.org")
	dying := w.begin("password", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
		return issuer.TokenSet{}, p.ChangePassword(ctx, who, me, password, password)
	})
	for dying.next != "SessionsOf" {
		dying.step(0)
	}
	dying.crash()
	if err := w.moveTo(p, me, "new@example.org"); err != nil {
		t.Fatal(err)
	}
	if err := p.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := w.outbox("old@example.org", issuer.LetterPasswordChanged), w.outbox("new@example.org", issuer.LetterPasswordChanged); len(a) != 1 || len(b) != 0 {
		t.Errorf("the old address was told %d times, the new one %d times", len(a), len(b))
	}
}

// Each code is mailed again by a letter of its own kind, and every posted code is in the audit log.
func TestResendOfEveryPurpose(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	var stop issuer.Ticket
	for _, c := range []struct {
		to   string
		kind issuer.LetterKind
		open func() (issuer.Ticket, error)
	}{
		{"ada@example.org", issuer.LetterStepUp, func() (issuer.Ticket, error) { return p.StepUp(ctx, who, me, password) }},
		{"ada@example.org", issuer.LetterReset, func() (issuer.Ticket, error) { return p.ForgotPassword(ctx, who, "ada@example.org") }},
		{"new@example.org", issuer.LetterEmailCode, func() (issuer.Ticket, error) { return p.ChangeEmail(ctx, who, me, "new@example.org", password) }},
		{"bob@example.org", issuer.LetterWelcome, func() (issuer.Ticket, error) {
			return p.Register(ctx, who, issuer.RegisterRequest{Email: "bob@example.org", Password: password})
		}},
	} {
		var err error
		if stop, err = c.open(); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(30 * time.Second)
		if _, err := p.Resend(ctx, who, stop.ChallengeID); err != nil {
			t.Fatal(err)
		}
		l := w.outbox(c.to, c.kind)
		if len(l) != 2 || l[0].Code == "" || l[1].Code == "" || len(l[0].Code) != len(l[1].Code) {
			t.Errorf("%s: %+v", c.kind, l)
		}
	}
	count := map[string]int{}
	for _, e := range w.events("code.sent", "") {
		count[e.Detail+" "+e.Target]++
	}
	for _, want := range []string{"login", "step-up", "reset", "email"} {
		if n := count[want+" "+me.User.ID]; n != 2 && (want != "login" || n != 1) {
			t.Errorf("%s: %d lines in %v", want, n, count)
		}
	}
	if len(w.outbox("old@example.org", issuer.LetterEmailChange)) != 0 || len(w.outbox("ada@example.org", issuer.LetterEmailChange)) != 1 {
		t.Error("a resend tells the old address again")
	}
}

// Wrong codes: of a sign-in they are failed sign-ins, of anything else failed codes.
func TestWrongCodesAreAudited(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	reset, err := p.ForgotPassword(ctx, who, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	code := w.mails.code(t, "ada@example.org")
	wantKind(t, p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: reset.ChallengeID, Code: otherResetCode(code), NewPassword: newPassword}), issuer.KindInvalidCode)
	step, err := p.StepUp(ctx, who, me, password)
	if err != nil {
		t.Fatal(err)
	}
	code = w.mails.code(t, "ada@example.org")
	_, err = p.VerifyStepUp(ctx, who, me, issuer.VerifyRequest{ChallengeID: step.ChallengeID, Code: otherCode(code)})
	wantKind(t, err, issuer.KindInvalidCode)
	login, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	code = w.mails.code(t, "ada@example.org")
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: login.ChallengeID, Code: otherCode(code)})
	wantKind(t, err, issuer.KindInvalidCode)
	var got []string
	for _, e := range append(w.events("code.failed", me.User.ID), w.events("sign_in.failed", me.User.ID)...) {
		got = append(got, e.Type+" "+e.Detail)
	}
	slices.Sort(got)
	if want := []string{"code.failed reset", "code.failed step-up", "sign_in.failed code"}; !slices.Equal(got, want) {
		t.Errorf("audited %v", got)
	}
}

// Whoever hangs up in the middle keeps nothing out of the audit log.
func TestAnActIsRecordedForWhoHangsUp(t *testing.T) {
	for kind, begin := range map[string]string{"password.changed": "password", "password.reset": "reset", "email.changed": "email", "user.deleted": "delete", "logout.all": "logout"} {
		w := newWorld(t)
		d := deeds()[begin](w, w.replica(w.store))
		ctx, hangUp := context.WithCancel(t.Context())
		p := w.replica(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
			if op == "ActOnUser" && ctx.Err() == nil {
				hangUp()
				return conformance.AnswerLost
			}
			return conformance.None
		}))
		if err := d.call(ctx, p); err != nil || !d.made() || len(w.events(kind, d.user)) != 1 {
			t.Errorf("%s: %v, audited %+v", kind, err, w.events(kind, d.user))
		}
	}
}

// delayed is a store whose servers may be behind for a while, as a replica set's are.
type delayed struct{ conformance.Store }

func (delayed) EffectDelay() time.Duration { return 30 * time.Second }

// Where a server may be behind, effects are carried out at once and stay recorded until a pass that began late enough; a mail, which is named by its
// cause, is made once.
func TestEffectsStayRecordedWhereServersAreBehind(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(delayed{w.store}), t.Context()
	me, _ := w.signedIn(p, "old@example.org")
	other := w.signIn(p, "old@example.org")
	if err := p.ChangePassword(ctx, who, me, password, password); err != nil {
		t.Fatal(err)
	}
	if err := w.moveTo(p, me, "new@example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Identifier(ctx, issuer.EmailKey("old@example.org")); w.session(other.SID).Revoked == nil || !errors.Is(err, issuer.ErrNotFound) {
		t.Fatalf("not carried out: %v", err)
	}
	for _, wait := range []time.Duration{0, 29 * time.Second, time.Second} {
		w.clock.advance(wait)
		if err := p.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		u, last := w.user(me.User.ID), wait == time.Second
		if (u.Pending == 0) != last || (len(u.Release) == 0) != last || u.Notice != "" {
			t.Errorf("after %v more: %+v", wait, u)
		}
	}
	if n := len(w.outbox("old@example.org", issuer.LetterPasswordChanged)); n != 1 {
		t.Errorf("told %d times", n)
	}
}
