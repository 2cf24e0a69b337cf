package issuer_test

import (
	"context"
	"testing"
	"time"

	"signet/issuer"
)

// Requirement 92: a right code is good for what it was mailed for, and for nothing else; whatever else it was tried for takes nothing from it.
func TestACodeServesItsPurposeAlone(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	uses := []struct {
		name string
		use  func(id, code string) error
	}{
		{"sign-in", func(id, code string) error {
			_, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: id, Code: code})
			return err
		}},
		{"step-up", func(id, code string) error {
			_, err := p.VerifyStepUp(ctx, who, me, issuer.VerifyRequest{ChallengeID: id, Code: code})
			return err
		}},
		{"email", func(id, code string) error {
			_, err := p.VerifyEmail(ctx, who, me, issuer.VerifyRequest{ChallengeID: id, Code: code})
			return err
		}},
		{"reset", func(id, code string) error {
			return p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: id, Code: code, NewPassword: newPassword})
		}},
	}
	for _, c := range []struct {
		good, to string
		open     func() (issuer.Ticket, error)
	}{
		{"sign-in", "ada@example.org", func() (issuer.Ticket, error) {
			return p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
		}},
		{"sign-in", "bob@example.org", func() (issuer.Ticket, error) {
			return p.Register(ctx, who, issuer.RegisterRequest{Email: "bob@example.org", Password: password})
		}},
		{"step-up", "ada@example.org", func() (issuer.Ticket, error) { return p.StepUp(ctx, who, me, password) }},
		{"email", "new@example.org", func() (issuer.Ticket, error) { return p.ChangeEmail(ctx, who, me, "new@example.org", password) }},
		{"reset", "new@example.org", func() (issuer.Ticket, error) { return p.ForgotPassword(ctx, who, "new@example.org") }},
	} {
		tk, err := c.open()
		if err != nil {
			t.Fatal(err)
		}
		code := w.mails.code(t, c.to)
		for _, u := range uses {
			if u.name == c.good {
				continue
			}
			if err := u.use(tk.ChallengeID, code); issuer.KindOf(err) != issuer.KindChallengeExpired {
				t.Errorf("a code for %s, mailed to %s, used for %s: %v", c.good, c.to, u.name, err)
			}
		}
		if ch, err := w.store.Challenge(ctx, issuer.ChallengeKey(tk.ChallengeID)); err != nil || len(ch.Tries) != 0 {
			t.Errorf("%d tries counted, %v", len(ch.Tries), err)
		}
		for _, u := range uses {
			if u.name == c.good {
				if err := u.use(tk.ChallengeID, code); err != nil {
					t.Errorf("a code for %s: %v", u.name, err)
				}
			}
		}
	}
}

// Requirement 93: a new address gets so many mails and no more, however many accounts ask to move there, and however they are asked for.
func TestMailsToANewAddressAreLimited(t *testing.T) {
	w := newWorld(t)
	w.set.LimitCodes = issuer.Limit{N: 3, Window: time.Hour}
	p, ctx := w.replica(w.store), t.Context()
	for i, want := range []issuer.Kind{"", "", issuer.KindRateLimited} {
		me, _ := w.signedIn(p, uniqueEmail())
		tk, err := p.ChangeEmail(ctx, who, me, "new@example.org", password)
		if (err != nil || want != "") && issuer.KindOf(err) != want {
			t.Errorf("account %d: %v, want %s", i, err, want)
		}
		if i == 0 {
			w.clock.advance(30 * time.Second)
			if _, err := p.Resend(ctx, who, tk.ChallengeID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.ChangeEmail(ctx, who, me, uniqueEmail(), password); err != nil {
			t.Errorf("account %d, elsewhere: %v", i, err)
		}
	}
}

// Requirements 86, 93: wrong codes of resets are limited by address, over all its challenges, whether it has an account or not: a limit that only
// accounts have would tell which addresses have one.
func TestWrongResetCodesAreLimitedByAddress(t *testing.T) {
	w := newWorld(t)
	w.set.LimitGuesses = issuer.Limit{N: 4, Window: time.Hour}
	p, ctx := w.replica(w.store), t.Context()
	w.signUp("known@example.org")
	for _, email := range []string{"known@example.org", "unknown@example.org"} {
		for n := range 6 {
			tk, err := p.ForgotPassword(ctx, who, email)
			if err != nil {
				t.Fatal(err)
			}
			code, want := "31415926", issuer.KindInvalidCode
			if l := w.outbox(email, issuer.LetterReset); len(l) > 0 {
				code = otherResetCode(l[len(l)-1].Code)
			}
			if n >= 4 {
				want = issuer.KindRateLimited
			}
			err = p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: code, NewPassword: newPassword})
			if issuer.KindOf(err) != want {
				t.Errorf("wrong code %d of %s: %v, want %s", n+1, email, err, want)
			}
		}
	}
}

// A reset that died half-way is not told as one when its account was disabled since: a disabled account answers as if there was none.
func TestAResetOfAnAccountDisabledSince(t *testing.T) {
	w := newWorld(t)
	d := deeds()["reset"](w, w.replica(w.store))
	c := w.begin("reset", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
		return issuer.TokenSet{}, d.call(ctx, p)
	})
	for c.next != "FinishChallenge" {
		c.step(0)
	}
	c.crash()
	p := w.replica(w.store)
	if _, err := p.PatchUser(t.Context(), issuer.Operator(), d.user, issuer.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, d.call(t.Context(), p), issuer.KindChallengeExpired)
}

// Requirement 104: resets of addresses that nobody has are recorded, but however many a stranger asks for and guesses at, there is one line an hour of each
// kind for its network, which names no account.
func TestResetsOfNobodyDoNotFillTheAuditLog(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	for range 5 {
		tk, err := p.ForgotPassword(ctx, who, uniqueEmail())
		if err != nil {
			t.Fatal(err)
		}
		err = p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: "31415926", NewPassword: newPassword})
		wantKind(t, err, issuer.KindInvalidCode)
	}
	for _, kind := range []string{"password.reset_requested", "code.sent", "code.failed"} {
		if e := w.events(kind, ""); len(e) != 1 || e[0].Target != "" || e[0].Actor != "" {
			t.Errorf("%s: %+v", kind, e)
		}
	}
}
