package keys

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSealOpensOnlyWhatItWasSealedAs(t *testing.T) {
	s := testSealer()
	sealed, err := s.Seal([]byte("secret"), "outbox", "1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(sealed, "outbox", "1"); err != nil || string(got) != "secret" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, context := range [][]string{nil, {"outbox"}, {"outbox", "2"}, {"outbox1"}, {"outbox1", ""}, {"", "outbox1"}, {"outbox", "1", ""}} {
		if _, err := s.Open(sealed, context...); !errors.Is(err, ErrSealBroken) {
			t.Errorf("opens as %q: %v", context, err)
		}
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := s.Open(altered, "outbox", "1"); err == nil {
			t.Errorf("opens with byte %d altered", i)
		}
		if _, err := s.Open(sealed[:i], "outbox", "1"); !errors.Is(err, ErrSealBroken) {
			t.Errorf("opens cut at %d: %v", i, err)
		}
	}
	again, _ := s.Seal([]byte("secret"), "outbox", "1")
	if bytes.Equal(again, sealed) {
		t.Error("a nonce was used twice")
	}
}

func TestSeveralKEKs(t *testing.T) {
	old, both, next := testSealer(), testSealer(), testSealer()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(both.Replace([]KEK{testKEK(2), testKEK(1)}))
	check(next.Replace([]KEK{testKEK(2)}))
	sealed, err := old.Seal([]byte("x"), "a")
	check(err)
	_, err = both.Open(sealed, "a")
	check(err)
	if _, err := next.Open(sealed, "a"); !errors.Is(err, ErrUnknownKEK) {
		t.Errorf("the wrong KEK: %v", err)
	}
	sealed, err = both.Seal([]byte("x"), "a")
	check(err)
	if _, err := old.Open(sealed, "a"); !errors.Is(err, ErrUnknownKEK) {
		t.Error("the first KEK does not seal")
	}
	ids := both.KEKIDs()
	if err := both.Replace([]KEK{testKEK(3), testKEK(3)}); err == nil {
		t.Error("a KEK is taken twice")
	}
	if err := both.Replace(nil); err == nil {
		t.Error("no KEK is taken")
	}
	if fmt.Sprint(both.KEKIDs()) != fmt.Sprint(ids) {
		t.Error("a refused list changed the sealer")
	}
	if _, err := NewSealer(nil); err == nil {
		t.Error("a sealer without a KEK")
	}
	if _, err := NewKEK(make([]byte, 31)); err == nil {
		t.Error("a KEK of 31 bytes")
	}
}

func TestKEKNeverPrints(t *testing.T) {
	k := testKEK('K')
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if out := fmt.Sprintf(verb, k); strings.Contains(out, "KKKK") || strings.Contains(out, "4b4b4b4b") || strings.Contains(out, "75, 75, 75") {
			t.Errorf("%s prints the key: %s", verb, out)
		}
	}
}

func TestRingOpensOnlyItsOwnHalves(t *testing.T) {
	s := testSealer()
	k, err := newKey(ES256, testPair(t, ES256, 0), s)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newKey(ES256, testPair(t, ES256, 1), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openKey(t.Context(), k, s, Keeping{}); err != nil {
		t.Fatal(err)
	}
	swapped := k
	swapped.Private = other.Private
	if _, err := openKey(t.Context(), swapped, s, Keeping{}); !errors.Is(err, ErrSealBroken) {
		t.Errorf("another key's private half opens: %v", err)
	}
	swapped = k
	swapped.Public = other.Public
	if _, err := openKey(t.Context(), swapped, s, Keeping{}); err == nil {
		t.Error("another key's public half passes")
	}
	swapped = k
	swapped.Algorithm = RS256
	if _, err := publicKey(swapped); err == nil {
		t.Error("a P-256 key passes for RS256")
	}
	secret, err := newSecret(MACCode, s)
	if err != nil {
		t.Fatal(err)
	}
	secret.Purpose = MACRefresh
	if _, err := openSecret(secret, s); !errors.Is(err, ErrSealBroken) {
		t.Errorf("a code's secret opens as a refresh token's: %v", err)
	}
}
