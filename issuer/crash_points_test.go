package issuer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

// deed is one call of somebody on the own account, in a world where it has not been made yet.
type deed struct {
	call func(ctx context.Context, p *issuer.Provider) error
	made func() bool   // it has taken effect
	then []issuer.Kind // what the same call may answer once it has
	user string
	told issuer.LetterKind // what the owner is told of it, once; "" for nothing
	to   string            // at this address
}

// deeds are all that change an account over several documents.
func deeds() map[string]func(w *world, p *issuer.Provider) deed {
	return map[string]func(w *world, p *issuer.Provider) deed{
		"password": func(w *world, p *issuer.Provider) deed {
			email := uniqueEmail()
			me, s := w.signedIn(p, email)
			w.signIn(p, email)
			return deed{
				call: func(ctx context.Context, p *issuer.Provider) error {
					return p.ChangePassword(ctx, who, me, password, newPassword)
				},
				made: func() bool { return w.loginWith(p, email, newPassword) == nil && w.session(s.SID).Revoked == nil },
				then: []issuer.Kind{issuer.KindInvalidCredentials}, user: me.User.ID, told: issuer.LetterPasswordChanged, to: email,
			}
		},
		"reset": func(w *world, p *issuer.Provider) deed {
			email := uniqueEmail()
			me, s := w.signedIn(p, email)
			tk, err := p.ForgotPassword(w.t.Context(), who, email)
			if err != nil {
				w.t.Fatal(err)
			}
			r := issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(w.t, email), NewPassword: newPassword}
			return deed{
				call: func(ctx context.Context, p *issuer.Provider) error { return p.ResetPassword(ctx, who, r) },
				made: func() bool { return w.loginWith(p, email, newPassword) == nil && w.session(s.SID).Revoked != nil },
				then: []issuer.Kind{issuer.KindChallengeExpired}, user: me.User.ID, told: issuer.LetterPasswordChanged, to: email,
			}
		},
		"email": func(w *world, p *issuer.Provider) deed {
			email, to := uniqueEmail(), uniqueEmail()
			me, _ := w.signedIn(p, email)
			tk, err := p.ChangeEmail(w.t.Context(), who, me, to, password)
			if err != nil {
				w.t.Fatal(err)
			}
			run := provingEmail(me, tk.ChallengeID, w.mails.code(w.t, to))
			return deed{
				call: func(ctx context.Context, p *issuer.Provider) error { _, err := run(ctx, p); return err },
				made: func() bool {
					_, err := w.store.Identifier(context.Background(), issuer.EmailKey(email))
					return w.user(me.User.ID).Email == to && err != nil
				},
				then: []issuer.Kind{issuer.KindChallengeExpired}, user: me.User.ID,
			}
		},
		"step-up": func(w *world, p *issuer.Provider) deed {
			email := uniqueEmail()
			me, s := w.signedIn(p, email)
			tk, err := p.StepUp(w.t.Context(), who, me, password)
			if err != nil {
				w.t.Fatal(err)
			}
			w.clock.advance(time.Second)
			r := issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(w.t, email)}
			return deed{
				call: func(ctx context.Context, p *issuer.Provider) error {
					_, err := p.VerifyStepUp(ctx, who, me, r)
					return err
				},
				made: func() bool { return w.session(s.SID).AuthTime.After(me.AuthTime) },
				then: []issuer.Kind{issuer.KindChallengeExpired}, user: me.User.ID,
			}
		},
		"delete": func(w *world, p *issuer.Provider) deed {
			email := uniqueEmail()
			me, s := w.signedIn(p, email)
			name := "name" + me.User.ID[24:]
			if _, err := p.UpdateMe(w.t.Context(), me, issuer.ProfileUpdate{Username: &name}); err != nil {
				w.t.Fatal(err)
			}
			return deed{
				call: func(ctx context.Context, p *issuer.Provider) error { return p.DeleteMe(ctx, who, me, password) },
				made: func() bool {
					_, a := w.store.Identifier(context.Background(), issuer.EmailKey(email))
					_, b := w.store.Identifier(context.Background(), issuer.NameKey(name))
					got := w.session(s.SID)
					from := func(e issuer.AuditEvent) bool { return e.Source != "" }
					return w.user(me.User.ID).State == issuer.UserDeleted && a != nil && b != nil && got.Revoked != nil && got.IP == "" && got.UserAgent == "" &&
						!slices.ContainsFunc(w.events("", me.User.ID), from)
				},
				then: []issuer.Kind{issuer.KindSessionRevoked}, user: me.User.ID,
			}
		},
		"logout": func(w *world, p *issuer.Provider) deed {
			me, s := w.signedIn(p, uniqueEmail())
			return deed{
				call: func(ctx context.Context, p *issuer.Provider) error { return p.LogoutAll(ctx, who, me) },
				made: func() bool { return w.session(s.SID).Revoked != nil },
				user: me.User.ID,
			}
		},
	}
}

// A process dies before or after each of a call's operations, each answer is lost, and each write arrives twice. A call whose process lives is answered
// and has taken effect by then; one whose process died has taken effect whole, or not at all, within a poll, and the same call made again ends in the
// same place. The owner is told exactly once.
func TestEveryPointOfEveryCall(t *testing.T) {
	for name, begin := range deeds() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.set.LimitPasswords, w.set.LimitCodes = issuer.Limit{}, issuer.Limit{}
			points := 0
			for ; pointOf(t, w, begin, points); points++ {
			}
			if points < 5 {
				t.Errorf("only %d operations", points)
			}
		})
	}
}

// pointOf tries everything that can go wrong with operation n; false when the call has none.
func pointOf(t *testing.T, w *world, begin func(*world, *issuer.Provider) deed, n int) bool {
	t.Helper()
	for _, how := range []string{"dies before", "dies after", "answer lost", "twice"} {
		p := w.replica(w.store)
		d := begin(w, p)
		c := w.begin(how, func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
			return issuer.TokenSet{}, d.call(ctx, p)
		})
		for range n {
			if !c.ended {
				c.step(conformance.None)
			}
		}
		if c.ended {
			return false
		}
		at := fmt.Sprintf("operation %d, %s, %s", n, c.next, how)
		switch how {
		case "dies after":
			c.step(conformance.AnswerLost)
			fallthrough
		case "dies before":
			if !c.ended {
				c.crash()
			}
		case "answer lost":
			c.step(conformance.AnswerLost)
			c.finish()
		case "twice":
			c.step(conformance.Twice)
			c.finish()
		}
		outlives(t, w, p, d, c, at)
	}
	return true
}

// outlives checks what is left of a call.
func outlives(t *testing.T, w *world, p *issuer.Provider, d deed, c *call, at string) {
	t.Helper()
	lived := how(c) != "died"
	if lived && (c.err != nil || !d.made()) {
		t.Fatalf("%s: %v, taken effect %v", at, c.err, d.made())
	}
	if err := p.Settle(t.Context()); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	w.sound(t, d.user)
	made := d.made()
	if lived && !made {
		t.Fatalf("%s: undone by a poll", at)
	}
	err := d.call(t.Context(), w.replica(w.store))
	if err != nil && (!made || !slices.Contains(d.then, issuer.KindOf(err))) {
		t.Fatalf("%s: made again, having taken effect %v: %v", at, made, err)
	}
	if !d.made() {
		t.Fatalf("%s: made again, it has no effect", at)
	}
	w.sound(t, d.user)
	if d.told == "" {
		return
	}
	if n := len(w.outbox(d.to, d.told)); n != 1 {
		t.Fatalf("%s: told %d times", at, n)
	}
}

func how(c *call) string {
	if c.err == errCrashed {
		return "died"
	}
	return "lived"
}

// What a deletion promises of the audit log and of sessions holds of what other people did to the account as well: that keeps where it came from.
func TestADeletionKeepsWhereOthersCameFrom(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, _ := w.admin(p)
	ada, _ := w.signedIn(p, "ada@example.org")
	if err := p.LogoutUser(ctx, by, ada.User.ID); err != nil {
		t.Fatal(err)
	}
	if err := p.DeleteUser(ctx, by, ada.User.ID); err != nil {
		t.Fatal(err)
	}
	for _, e := range w.events("", ada.User.ID) {
		others := e.Actor != "" && e.Actor != ada.User.ID && e.Actor != "operator"
		if (e.Source != "") != others {
			t.Errorf("%+v", e)
		}
	}
}

// What has taken effect is in the audit log, though the process died before it used up the code: whoever did it need not come again. Coming again adds no
// second line.
func TestEffectsAreRecordedBeforeTheCodeIsUsedUp(t *testing.T) {
	for name, kind := range map[string]string{"reset": "password.reset", "step-up": "step_up.ok"} {
		w := newWorld(t)
		d := deeds()[name](w, w.replica(w.store))
		c := w.begin(name, func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
			return issuer.TokenSet{}, d.call(ctx, p)
		})
		for c.next != "FinishChallenge" {
			c.step(conformance.None)
		}
		c.crash()
		if n := len(w.events(kind, d.user)); n != 1 {
			t.Errorf("%s: recorded %d times", name, n)
		}
		if err := d.call(t.Context(), w.replica(w.store)); err != nil || len(w.events(kind, d.user)) != 1 {
			t.Errorf("%s again: %v, %+v", name, err, w.events(kind, d.user))
		}
	}
}
