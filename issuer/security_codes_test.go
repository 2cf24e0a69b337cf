package issuer_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"signet/issuer"
	"signet/keys"
)

// otherCode is a code of the same length that is not this one.
func otherCode(code string) string {
	if code == "314159" {
		return "271828"
	}
	return "314159"
}

// Requirement 92: a code proves nothing for any other attempt, not even of the same account.
func TestACodeBelongsToItsOwnAttempt(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	w.signUp("ada@example.org")
	w.clock.advance(time.Hour)
	var tickets []issuer.Ticket
	var codes []string
	for len(codes) < 2 {
		tk, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if code := w.mails.code(t, "ada@example.org"); len(codes) == 0 || code != codes[0] {
			tickets, codes = append(tickets, tk), append(codes, code)
		}
	}
	for i := range tickets {
		_, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tickets[i].ChallengeID, Code: codes[1-i]})
		wantKind(t, err, issuer.KindInvalidCode)
	}
	for i := range tickets {
		if _, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tickets[i].ChallengeID, Code: codes[i]}); err != nil {
			t.Errorf("its own code: %v", err)
		}
	}
}

// Requirement 93: the wrong codes of an account are limited over new challenges and resends; a resend gives a challenge no new tries; a right
// code takes nothing from the budget.
func TestGuessesAreLimitedPerAccount(t *testing.T) {
	w := newWorld(t)
	w.set.LimitCodes, w.set.LimitGuesses, w.set.CodeAttempts = issuer.Limit{}, issuer.Limit{N: 6, Window: time.Hour}, 4
	p, ctx := w.replica(w.store), t.Context()
	w.signUp("ada@example.org")
	open := func() (id, code string) {
		t.Helper()
		tk, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		return tk.ChallengeID, w.mails.code(t, "ada@example.org")
	}
	guess := func(id, code string) error {
		_, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: id, Code: code})
		return err
	}
	id, code := open()
	for range 2 {
		wantKind(t, guess(id, otherCode(code)), issuer.KindInvalidCode)
	}
	w.clock.advance(time.Minute)
	if _, err := p.Resend(ctx, who, id); err != nil {
		t.Fatal(err)
	}
	code = w.mails.code(t, "ada@example.org")
	for range 2 {
		wantKind(t, guess(id, otherCode(code)), issuer.KindInvalidCode)
	}
	wantKind(t, guess(id, code), issuer.KindTooManyAttempts) // four in all: the resend refilled nothing

	if id, code = open(); guess(id, code) != nil {
		t.Fatal("a right code within the budget is refused")
	}
	id, code = open()
	for range 2 {
		wantKind(t, guess(id, otherCode(code)), issuer.KindInvalidCode)
	}
	id, code = open()
	wantKind(t, guess(id, code), issuer.KindRateLimited) // six wrong ones in all
	w.clock.advance(time.Hour)
	if id, code = open(); guess(id, code) != nil {
		t.Error("the budget does not come back")
	}
}

// Requirement 93: mails to an address are limited, over registrations and resends, whoever asks.
func TestMailsAreLimitedPerAddress(t *testing.T) {
	w := newWorld(t)
	w.set.LimitCodes = issuer.Limit{N: 3, Window: 10 * time.Minute}
	p, ctx := w.replica(w.store), t.Context()
	register := func() (issuer.Ticket, error) {
		return p.Register(ctx, who, issuer.RegisterRequest{Email: "ada@example.org", Password: password})
	}
	tk, err := register()
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(30 * time.Second)
	if _, err := p.Resend(ctx, who, tk.ChallengeID); err != nil {
		t.Fatal(err)
	}
	if _, err := register(); err != nil {
		t.Fatal(err)
	}
	_, err = register()
	wantKind(t, err, issuer.KindRateLimited)
	w.clock.advance(30 * time.Second)
	_, err = p.Resend(ctx, who, tk.ChallengeID)
	wantKind(t, err, issuer.KindRateLimited)
	if n := w.mails.count(); n != 3 {
		t.Errorf("%d mails", n)
	}
}

// Requirement 94: the store holds a MAC of the code under a secret that it has not, and not the challenge id.
func TestACodeIsStoredAsAKeyedMAC(t *testing.T) {
	w := newWorld(t)
	tk, err := w.replica(w.store).Register(t.Context(), who, issuer.RegisterRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	code := w.mails.code(t, "ada@example.org")
	if _, err := w.store.Challenge(t.Context(), tk.ChallengeID); err == nil {
		t.Error("a challenge is stored under its id")
	}
	c, err := w.store.Challenge(t.Context(), issuer.ChallengeKey(tk.ChallengeID))
	if err != nil {
		t.Fatal(err)
	}
	plain := sha256.Sum256([]byte(code))
	if len(c.CodeMAC) != sha256.Size || bytes.Contains(c.CodeMAC, []byte(code)) || bytes.Equal(c.CodeMAC, plain[:]) {
		t.Errorf("stored for the code: %x", c.CodeMAC)
	}
	w.keys.rotateSecrets()
	if s, _ := w.keys.MACSecret(keys.MACCode); s.ID == c.CodeSecret {
		t.Fatal("the secret did not change")
	}
	if _, err := w.replica(w.store).Verify(t.Context(), who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: code}); err != nil {
		t.Errorf("a code from before the rotation of its secret: %v", err)
	}
}
