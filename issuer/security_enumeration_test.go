package issuer_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"signet/issuer"
	"signet/issuer/mail"
	"signet/repository/conformance"
)

// price is what a call costs: each operation of the store, hashes and what they are made of, mails (dropped ones too), and what the caller is told.
type price struct {
	ops    map[string]int
	hashes int64
	work   map[string]uint64
	mails  int
	kind   issuer.Kind
	ticket issuer.Ticket
}

func (a price) equal(b price) bool {
	a.ticket.ChallengeID, b.ticket.ChallengeID = "", ""
	a.ticket.Hint, b.ticket.Hint = "", ""
	return maps.Equal(a.ops, b.ops) && a.hashes == b.hashes && maps.Equal(a.work, b.work) && a.mails == b.mails && a.kind == b.kind && a.ticket == b.ticket
}

// priced runs a call on a replica of its own.
func (w *world) priced(run func(p *issuer.Provider) (issuer.Ticket, error)) price {
	w.t.Helper()
	counted, h := conformance.Counting(w.store), w.hasher()
	p := w.made(counted, w.keys, h)
	counted.Reset()
	mails := w.mails.count()
	tk, err := run(p)
	kind := issuer.Kind("")
	if err != nil {
		kind = issuer.KindOf(err)
	}
	_, _, hashes := h.Stats()
	return price{counted.Operations(), hashes, h.Work(), w.mails.count() - mails, kind, tk}
}

// variety is accounts of every state that an address can be in, one with each; the first is an ordinary one.
func (w *world) variety() []string {
	w.t.Helper()
	ctx := w.t.Context()
	p := w.replica(w.store)
	w.signUp("known@example.org")
	u, err := w.store.User(ctx, w.events("sign_in.ok", "")[0].Actor)
	if err != nil {
		w.t.Fatal(err)
	}
	for id, u := range map[string]issuer.User{
		"imported":  {State: issuer.UserActive, PasswordHash: "pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		"unusable":  {State: issuer.UserActive},
		"disabled":  {State: issuer.UserDisabled, PasswordHash: u.PasswordHash},
		"forbidden": {State: issuer.UserActive, PasswordHash: u.PasswordHash, ResetRequired: true},
	} {
		u.ID, u.Email = "id-"+id, id+"@example.org"
		firm := issuer.Identifier{ID: issuer.EmailKey(u.Email), UserID: u.ID, Claim: "import", Kind: issuer.IdentifierFirm}
		if err := errors.Join(w.store.InsertUser(ctx, u), w.store.InsertIdentifier(ctx, firm)); err != nil {
			w.t.Fatal(err)
		}
	}
	gone := w.signUp("deleted@example.org")
	if err := p.DeleteUser(ctx, issuer.Operator(), gone.UserID); err != nil {
		w.t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	return []string{"known@example.org", "imported@example.org", "unusable@example.org", "forbidden@example.org", "disabled@example.org", "deleted@example.org", "unknown@example.org"}
}

// Requirement 86: asking for a reset, asking again, and guessing its code cost and say the same whatever the address is: no hash, the same
// operations of the store, one mail, of which a decoy's is dropped.
func TestAResetTellsNothingOfAccounts(t *testing.T) {
	w := newWorld(t)
	addresses := w.variety()
	tickets := map[string]string{}
	steps := []struct {
		name string
		run  func(p *issuer.Provider, email string) (issuer.Ticket, error)
	}{
		{"forgot", func(p *issuer.Provider, email string) (issuer.Ticket, error) {
			tk, err := p.ForgotPassword(t.Context(), who, email)
			tickets[email] = tk.ChallengeID
			return tk, err
		}},
		{"resend", func(p *issuer.Provider, email string) (issuer.Ticket, error) {
			return p.Resend(t.Context(), who, tickets[email])
		}},
		{"reset", func(p *issuer.Provider, email string) (issuer.Ticket, error) {
			code := "31415926"
			if real := w.outbox(email, issuer.LetterReset); len(real) > 0 {
				code = otherResetCode(real[len(real)-1].Code)
			}
			return issuer.Ticket{}, p.ResetPassword(t.Context(), who, issuer.ResetRequest{ChallengeID: tickets[email], Code: code, NewPassword: newPassword})
		}},
	}
	for _, s := range steps {
		var want price
		for i, email := range addresses {
			got := w.priced(func(p *issuer.Provider) (issuer.Ticket, error) { return s.run(p, email) })
			if i == 0 {
				want = got
			}
			if !got.equal(want) {
				t.Errorf("%s of %s: %+v; of a known account %+v", s.name, email, got, want)
			}
		}
		if want.hashes != 0 || (s.name == "reset") != (want.kind == issuer.KindInvalidCode) || (s.name == "reset") != (want.mails == 0) {
			t.Errorf("%s costs %+v", s.name, want)
		}
		w.clock.advance(30 * time.Second)
	}
	for i, email := range addresses {
		mailed := len(w.outbox(email, issuer.LetterReset))
		if (i < 4) != (mailed == 2) || (i >= 4) != (mailed == 0) {
			t.Errorf("%s was mailed %d codes", email, mailed)
		}
	}
}

// A decoy's mail is marked to be dropped, but can be laid out as any other, so that the mail worker does all but send it; and what the store keeps of its
// challenge can't succeed, not even by the code of that mail.
func TestADecoyCannotSucceed(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	tk, err := p.ForgotPassword(t.Context(), who, "unknown@example.org")
	if err != nil {
		t.Fatal(err)
	}
	mails, err := w.store.Mails(t.Context(), "", 10)
	if err != nil || len(mails) != 1 || !mails[0].Drop || mails[0].GiveUpAt.IsZero() {
		t.Fatalf("%+v, %v", mails, err)
	}
	var l issuer.Letter
	composer, err := mail.NewComposer(w.set.Issuer, "")
	if err := errors.Join(err, json.Unmarshal(mails[0].Sealed, &l)); err != nil {
		t.Fatal(err)
	}
	if _, err := composer.Compose(mails[0].ID, mails[0].CreatedAt, l); err != nil || len(l.Code) != 8 || l.Kind != issuer.LetterReset {
		t.Errorf("a decoy's letter %+v: %v", l, err)
	}
	c, err := w.store.Challenge(t.Context(), issuer.ChallengeKey(tk.ChallengeID))
	if err != nil || !c.Decoy || c.CodeLength != 8 {
		t.Errorf("%+v, %v", c, err)
	}
	err = p.ResetPassword(t.Context(), who, issuer.ResetRequest{ChallengeID: tk.ChallengeID, Code: l.Code, NewPassword: newPassword})
	if issuer.KindOf(err) != issuer.KindInvalidCode {
		t.Errorf("the code of a decoy: %v", err)
	}
}

// Requirement 86: a change of address to a taken one costs and says the same as to a free one, and its owner is told.
func TestAnEmailChangeTellsNothingOfAccounts(t *testing.T) {
	w := newWorld(t)
	w.variety()
	p := w.replica(w.store)
	me, _ := w.signedIn(p, "ada@example.org")
	tickets := map[string]string{}
	for step, run := range []func(p *issuer.Provider, email string) (issuer.Ticket, error){
		func(p *issuer.Provider, email string) (issuer.Ticket, error) {
			tk, err := p.ChangeEmail(t.Context(), who, me, email, password)
			tickets[email] = tk.ChallengeID
			return tk, err
		},
		func(p *issuer.Provider, email string) (issuer.Ticket, error) {
			return p.Resend(t.Context(), who, tickets[email])
		},
		func(p *issuer.Provider, email string) (issuer.Ticket, error) {
			code := "314159"
			if real := w.outbox(email, issuer.LetterEmailCode); len(real) > 0 {
				code = otherCode(real[len(real)-1].Code)
			}
			_, err := p.VerifyEmail(t.Context(), who, me, issuer.VerifyRequest{ChallengeID: tickets[email], Code: code})
			return issuer.Ticket{}, err
		},
	} {
		free := w.priced(func(p *issuer.Provider) (issuer.Ticket, error) { return run(p, "unknown@example.org") })
		for _, taken := range []string{"known@example.org", "disabled@example.org"} {
			if got := w.priced(func(p *issuer.Provider) (issuer.Ticket, error) { return run(p, taken) }); !got.equal(free) {
				t.Errorf("step %d to %s: %+v; to a free address %+v", step, taken, got, free)
			}
		}
		w.clock.advance(30 * time.Second)
	}
	if got := w.outbox("known@example.org", issuer.LetterTaken); len(got) != 2 || got[0].Code != "" {
		t.Errorf("the owner got %+v", got)
	}
	if got := w.outbox("known@example.org", issuer.LetterEmailCode); len(got) != 0 {
		t.Errorf("a code was mailed to the owner: %+v", got)
	}
}

// Requirement 86: only whoever has the right password learns that an account waits for a reset, or that it is there at all.
func TestAFailedSignInTellsNothingOfAccounts(t *testing.T) {
	w := newWorld(t)
	addresses := w.variety()
	var want price
	for i, email := range addresses {
		got := w.priced(func(p *issuer.Provider) (issuer.Ticket, error) {
			if err := p.LoadHashKinds(t.Context()); err != nil {
				t.Fatal(err)
			}
			return p.Login(t.Context(), who, issuer.LoginRequest{Email: email, Password: "not " + password})
		})
		if i == 0 {
			want = got
		}
		if !got.equal(want) || got.kind != issuer.KindInvalidCredentials {
			t.Errorf("%s: %+v; of a known account %+v", email, got, want)
		}
	}
}
