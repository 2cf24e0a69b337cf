package issuer_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/keys"
	"signet/repository/conformance"
)

// Requirement 24: every secret and every name that must not be guessed has at least 128 random bits, codes aside.
func TestSecretsHave128Bits(t *testing.T) {
	w := newWorld(t)
	tk, err := w.replica(w.store).Register(t.Context(), who, issuer.RegisterRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.replica(w.store).Verify(t.Context(), who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")})
	if err != nil {
		t.Fatal(err)
	}
	decoded := func(what, text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(b) < 16 {
			t.Errorf("%s %q: %d bytes, %v", what, text, len(b), err)
		}
		return b
	}
	jti, _ := claimsOf(t, s.AccessToken)["jti"].(string)
	for what, text := range map[string]string{"challenge id": tk.ChallengeID, "sid": s.SID, "jti": jti} {
		decoded(what, text)
	}
	// A token's own secret is its MAC of 32 bytes; the rest only names things.
	for prefix, token := range map[string]string{"srt_": s.RefreshToken, "sdt_": s.DeviceToken} {
		text, ok := strings.CutPrefix(token, prefix)
		if b := decoded(prefix, text); !ok || len(b) < 32+16 {
			t.Errorf("token %q of %d bytes", token, len(b))
		}
	}
}

// counts is what a call costs: operations of the store, hashes, mails.
type counts struct {
	ops, hashes, mails int
}

// Requirement 86: a refused password step costs one hash and the same operations whatever the account is, and says the same.
func TestARefusedPasswordCostsTheSameForAll(t *testing.T) {
	w := newWorld(t)
	w.signUp("known@example.org")
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []issuer.User{
		{ID: "01900000-0000-7000-8000-000000000001", State: issuer.UserDisabled, Email: "disabled@example.org", PasswordHash: hash},
		{ID: "01900000-0000-7000-8000-000000000002", State: issuer.UserActive, Email: "nopassword@example.org"},
	} {
		firm := issuer.Identifier{ID: issuer.EmailKey(u.Email), UserID: u.ID, Claim: "import", Kind: issuer.IdentifierFirm}
		if err := errors.Join(w.store.InsertUser(t.Context(), u), w.store.InsertIdentifier(t.Context(), firm)); err != nil {
			t.Fatal(err)
		}
	}
	counted := conformance.Counting(w.store)
	p := issuer.New(issuer.Deps{Settings: w.set, Store: counted, Keys: w.keys, Hasher: h, Postman: w.mails, Observer: ignore{}, Log: zerolog.Nop()})
	if err := p.LoadClients(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want counts
	var said string
	for i, r := range []issuer.LoginRequest{
		{Email: "known@example.org", Password: "wrong password"}, {Email: "unknown@example.org", Password: "wrong password"},
		{Email: "disabled@example.org", Password: password}, {Email: "nopassword@example.org", Password: password}, {Username: "nobody", Password: password},
	} {
		counted.Reset()
		_, _, before := h.Stats()
		mails := w.mails.count()
		_, err := p.Login(t.Context(), who, r)
		wantKind(t, err, issuer.KindInvalidCredentials)
		_, _, after := h.Stats()
		got := counts{counted.Total(), int(after - before), w.mails.count() - mails}
		if i == 0 {
			want, said = got, err.Error()
		}
		if got != want || err.Error() != said {
			t.Errorf("%+v: %+v, %v; of a known account %+v, %s", r, got, err, want, said)
		}
	}
	if want.hashes != 1 || want.mails != 0 {
		t.Errorf("a refusal costs %+v", want)
	}
}

// algorithms remembers which keys were asked for.
type algorithms struct {
	*testKeys
	asked map[keys.Algorithm]bool
}

func (a algorithms) Sign(alg keys.Algorithm, typ string, now time.Time, ttl time.Duration, claims func(iat, exp int64) any) (string, error) {
	a.asked[alg] = true
	return a.testKeys.Sign(alg, typ, now, ttl, claims)
}

// Requirement 3: access tokens are signed with the algorithm that is set.
func TestAccessTokensAreSignedAsSet(t *testing.T) {
	for _, alg := range []keys.Algorithm{keys.ES256, keys.RS256} {
		w := newWorld(t)
		s := w.signUp("ada@example.org")
		w.set.AccessAlg = alg
		k := algorithms{w.keys, map[keys.Algorithm]bool{}}
		h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		p := issuer.New(issuer.Deps{Settings: w.set, Store: w.store, Keys: k, Hasher: h, Postman: w.mails, Observer: ignore{}, Log: zerolog.Nop()})
		if err := p.LoadClients(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Refresh(t.Context(), who, s.RefreshToken); err != nil {
			t.Fatal(err)
		}
		if len(k.asked) != 1 || !k.asked[alg] {
			t.Errorf("set to %s, signed with %v", alg, k.asked)
		}
	}
}
