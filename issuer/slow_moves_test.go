package issuer_test

import (
	"context"
	"testing"

	"signet/issuer"
	"signet/repository/conformance"
)

// until runs a call up to the operation.
func (c *call) until(t *testing.T, op string) {
	t.Helper()
	for !c.ended && c.next != op {
		c.step(conformance.None)
	}
	if c.ended {
		t.Fatalf("%s ended before %s: %v", c.name, op, c.err)
	}
}

func naming(me issuer.Principal, name string) func(context.Context, *issuer.Provider) (issuer.TokenSet, error) {
	return func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
		_, err := p.UpdateMe(ctx, me, issuer.ProfileUpdate{Username: &name})
		return issuer.TokenSet{}, err
	}
}

// A change of name that was slow to claim does not take over the claim of a newer one of the same user that is on its way to that name: anyone who met
// it would let it go.
func TestASlowMoveTakesNothingOver(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	slow := w.begin("slow", naming(me, "wanted"))
	slow.until(t, "InsertIdentifier")
	if _, err := naming(me, "between")(ctx, p); err != nil {
		t.Fatal(err)
	}
	me.User = w.user(me.User.ID)
	newer := w.begin("newer", naming(me, "wanted"))
	newer.until(t, "MoveUsername")
	slow.until(t, "MoveUsername")
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	newer.finish()
	slow.crash()
	if newer.err != nil || w.user(me.User.ID).Username != "wanted" {
		t.Fatalf("%v, %+v", newer.err, w.user(me.User.ID))
	}
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	w.sound(t, me.User.ID)
}

// A move that can't be made any more, because its user went elsewhere and came back another way, leaves the address to its user.
func TestASlowMoveLeavesTheAddress(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	tk, err := p.ChangeEmail(ctx, who, me, "wanted@example.org", password)
	if err != nil {
		t.Fatal(err)
	}
	slow := w.begin("slow", provingEmail(me, tk.ChallengeID, w.mails.code(t, "wanted@example.org")))
	slow.until(t, "InsertIdentifier")
	for _, to := range []string{"wanted@example.org", "elsewhere@example.org", "wanted@example.org"} {
		if err := w.moveTo(p, me, to); err != nil {
			t.Fatal(err)
		}
	}
	slow.finish()
	wantKind(t, slow.err, issuer.KindChallengeExpired)
	if w.user(me.User.ID).Email != "wanted@example.org" {
		t.Fatalf("%+v", w.user(me.User.ID))
	}
	w.sound(t, me.User.ID)
}

// A change of name that was committed before the account was disabled waits for it: whoever is slow to finish it finds the name still the account's.
func TestAMoveOfADisabledAccountWaits(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me, _ := w.signedIn(p, "ada@example.org")
	died := w.begin("rename", naming(me, "wanted"))
	died.until(t, "MoveUsername")
	died.crash()
	helper := w.begin("poll", settling)
	helper.until(t, "MoveUsername")
	for _, disabled := range []bool{true, false} {
		if _, err := p.PatchUser(ctx, issuer.Operator(), me.User.ID, issuer.UserPatch{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
		if disabled {
			if err := p.Settle(ctx); err != nil {
				t.Fatal(err)
			}
			other, _ := w.signedIn(p, "bob@example.org")
			_, err := naming(other, "wanted")(ctx, p)
			wantKind(t, err, issuer.KindConflict)
		}
	}
	helper.finish()
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if w.user(me.User.ID).Username != "wanted" {
		t.Errorf("%+v", w.user(me.User.ID))
	}
	w.sound(t, me.User.ID)
}

// A code whose call died after its act resumes: the same call is answered, and a reset to another password is refused.
func TestACodeResumes(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	for name, begin := range deeds() {
		if name != "reset" && name != "email" && name != "step-up" {
			continue
		}
		d := begin(w, p)
		died := w.begin(name, func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
			return issuer.TokenSet{}, d.call(ctx, p)
		})
		died.until(t, "FinishChallenge")
		died.crash()
		if err := d.call(ctx, p); err != nil || !d.made() {
			t.Errorf("%s: %v", name, err)
		}
		wantKind(t, d.call(ctx, p), issuer.KindChallengeExpired)
	}
	s := &storm{w: w, p: p, email: uniqueEmail()}
	w.signedIn(p, s.email)
	tk, err := p.ForgotPassword(ctx, who, s.email)
	if err != nil {
		t.Fatal(err)
	}
	s.resetID, s.resetCode = tk.ChallengeID, w.mails.code(t, s.email)
	died := s.resets("reset", resetTo)()
	died.until(t, "FinishChallenge")
	died.crash()
	again := s.resets("again", resetToo)()
	again.finish()
	wantKind(t, again.err, issuer.KindChallengeExpired)
	if err := w.loginWith(p, s.email, resetTo); err != nil {
		t.Error(err)
	}
}

// Two calls with one code are slow, the user has come to the address another way, went, and came back. One call is about to let the address go as it
// was when the user was away, the other has claimed it since: the claims of the two differ, so that the first has no effect.
func TestTwoSlowMovesLeaveTheAddress(t *testing.T) {
	w := newWorld(t)
	w.set.LimitCodes = issuer.Limit{}
	p := w.replica(w.store)
	me, _ := w.signedIn(p, "ada@example.org")
	tk, err := p.ChangeEmail(t.Context(), who, me, "wanted@example.org", password)
	if err != nil {
		t.Fatal(err)
	}
	code := w.mails.code(t, "wanted@example.org")
	one, two := w.begin("one", provingEmail(me, tk.ChallengeID, code)), w.begin("two", provingEmail(me, tk.ChallengeID, code))
	one.until(t, "InsertIdentifier")
	two.until(t, "InsertIdentifier")
	goes := func(to string) {
		t.Helper()
		if err := w.moveTo(p, me, to+"@example.org"); err != nil {
			t.Fatal(err)
		}
	}
	goes("wanted")
	one.until(t, "ActOnUser") // it has claimed the address and is too late for the move
	goes("elsewhere")
	one.until(t, "DeleteIdentifier")
	goes("wanted")
	two.until(t, "ActOnUser")
	one.finish()
	two.finish()
	if w.user(me.User.ID).Email != "wanted@example.org" {
		t.Fatalf("%+v", w.user(me.User.ID))
	}
	w.sound(t, me.User.ID)
}
