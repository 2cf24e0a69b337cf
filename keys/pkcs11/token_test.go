//go:build pkcs11 && linux

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"signet/keys"
	"signet/keys/pkcs11/softhsm"
)

func TestMain(m *testing.M) {
	softhsm.Main()
	os.Exit(m.Run())
}

func newToken(t *testing.T, h *softhsm.HSM) *Token {
	t.Helper()
	token, err := New(Config{Module: h.Module, Token: softhsm.Label, PIN: softhsm.PIN})
	if err != nil {
		t.Fatal(err)
	}
	token.module.pause, token.module.doubts = 50*time.Millisecond, 50*time.Millisecond
	t.Cleanup(token.Close)
	return token
}

type madeKey struct {
	crypto.Signer
	reference string
}

func makeKey(t *testing.T, token *Token, alg keys.Algorithm) madeKey {
	t.Helper()
	pair, reference, err := token.Make(t.Context(), alg, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return madeKey{pair, reference}
}

// signs says whether the key makes a good signature.
func signs(pair crypto.Signer) error {
	digest := sha256.Sum256([]byte("signed"))
	signature, err := pair.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	switch p := pair.Public().(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(p, crypto.SHA256, digest[:], signature)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(p, digest[:], signature) {
			return errors.New("signature does not verify")
		}
		return nil
	}
	return errors.New("no key")
}

// again tries until it works, with a deadline.
func again(t *testing.T, what string, try func() error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestPKCS11Keys(t *testing.T) {
	h := softhsm.New(t)
	token := newToken(t, h)
	for _, c := range []struct {
		alg  keys.Algorithm
		bits int
	}{{keys.ES256, 0}, {keys.RS256, 2048}, {keys.RS256, 3072}} {
		pair, reference, err := token.Make(t.Context(), c.alg, c.bits)
		if err != nil {
			t.Fatal(c, err)
		}
		if p, ok := pair.Public().(*rsa.PublicKey); ok && p.N.BitLen() != c.bits {
			t.Errorf("%d bits, not %d", p.N.BitLen(), c.bits)
		}
		opened, err := token.Open(t.Context(), reference, pair.Public())
		if err != nil {
			t.Fatal(c, err)
		}
		for range 3 {
			if err := errors.Join(signs(pair), signs(opened)); err != nil {
				t.Error(c, err)
			}
		}
	}
	if n := len(h.Objects()); n != 6 {
		t.Errorf("%d objects of three pairs", n)
	}
	if _, _, err := token.Make(t.Context(), keys.RS256, 1024); err == nil {
		t.Error("made an RSA key of 1024 bits")
	}
	if _, _, err := token.Make(t.Context(), "none", 0); err == nil {
		t.Error("made a key of no algorithm")
	}
}

// What the token says of a private half: signatures alone, and it never comes out.
func TestPKCS11PrivateHalfStays(t *testing.T) {
	token := newToken(t, softhsm.New(t))
	for _, alg := range []keys.Algorithm{keys.ES256, keys.RS256} {
		r, err := parseReference(makeKey(t, token, alg).reference)
		if err != nil {
			t.Fatal(err)
		}
		err = token.do(t.Context(), token.config.Timeout, func(s *session) error {
			found, err := s.findAll(pkcs11.CKO_PRIVATE_KEY, r.id)
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			for attribute, want := range map[uint]byte{pkcs11.CKA_TOKEN: 1, pkcs11.CKA_PRIVATE: 1, pkcs11.CKA_SENSITIVE: 1, pkcs11.CKA_ALWAYS_SENSITIVE: 1,
				pkcs11.CKA_EXTRACTABLE: 0, pkcs11.CKA_NEVER_EXTRACTABLE: 1, pkcs11.CKA_LOCAL: 1, pkcs11.CKA_SIGN: 1, pkcs11.CKA_DERIVE: 0,
				pkcs11.CKA_DECRYPT: 0, pkcs11.CKA_UNWRAP: 0} {
				if alg == keys.ES256 && (attribute == pkcs11.CKA_DECRYPT || attribute == pkcs11.CKA_UNWRAP) {
					continue // means nothing for a key on a curve
				}
				got, err := s.GetAttributeValue(s.handle, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
				if err != nil || len(got[0].Value) != 1 || got[0].Value[0] != want {
					t.Errorf("%s: attribute %#x is %v (%v), not %d", alg, attribute, got, err, want)
				}
			}
			secret := uint(pkcs11.CKA_VALUE)
			if alg == keys.RS256 {
				secret = pkcs11.CKA_PRIVATE_EXPONENT
			}
			if got, err := s.GetAttributeValue(s.handle, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(secret, nil)}); err == nil && len(got[0].Value) > 0 {
				t.Errorf("%s: the private half came out", alg)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestPKCS11RefusesWhatIsNotItsOwn(t *testing.T) {
	token := newToken(t, softhsm.New(t))
	pair := makeKey(t, token, keys.ES256)
	for _, wrong := range []string{"", "pkcs11:", "pkcs11:token=signet%20test;id=;type=private", "pkcs11:token=signet%20test;id=%0;type=private",
		"pkcs11:token=another;id=%01;type=private", "pkcs11:token=signet%20test;id=%01;type=private", pair.reference + ";x", "pkcs11:token=signet test;id=%01;type=private"} {
		if _, err := token.Open(t.Context(), wrong, pair.Public()); err == nil {
			t.Errorf("%q opens", wrong)
		}
		if destroyed, _ := token.Destroy(t.Context(), wrong); destroyed {
			t.Errorf("%q was destroyed", wrong)
		}
	}
	if _, err := token.Destroy(t.Context(), "pkcs11:token=another;id=%01;type=private"); !errors.Is(err, keys.ErrKept) {
		t.Error("a key of another token:", err)
	}
	if _, err := token.Open(t.Context(), pair.reference, "no key"); err == nil {
		t.Error("opens without a public key")
	}
	digest := sha256.Sum256(nil)
	for name, sign := range map[string]func() ([]byte, error){
		"SHA-512": func() ([]byte, error) { return pair.Sign(nil, digest[:], crypto.SHA512) },
		"PSS": func() ([]byte, error) {
			return pair.Sign(nil, digest[:], &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256})
		},
		"31 bytes": func() ([]byte, error) { return pair.Sign(nil, digest[:31], crypto.SHA256) },
	} {
		if _, err := sign(); err == nil {
			t.Errorf("signed with %s", name)
		}
	}
	if err := signs(pair); err != nil {
		t.Error(err)
	}
}

func TestPKCS11Destroy(t *testing.T) {
	h := softhsm.New(t)
	token := newToken(t, h)
	gone, stays := makeKey(t, token, keys.ES256), makeKey(t, token, keys.ES256)
	if destroyed, err := token.Destroy(t.Context(), gone.reference); !destroyed || err != nil {
		t.Fatal(destroyed, err)
	}
	if destroyed, err := token.Destroy(t.Context(), gone.reference); destroyed || err != nil {
		t.Error("a second time", destroyed, err)
	}
	if err := signs(gone); err == nil {
		t.Error("signs when it is destroyed")
	}
	if _, err := token.Open(t.Context(), gone.reference, gone.Public()); !errors.Is(err, errNoKey) {
		t.Error(err)
	}
	if err := signs(stays); err != nil {
		t.Error(err)
	}
	if n := len(h.Objects()); n != 2 {
		t.Errorf("%d objects of one pair", n)
	}
}

// A session is never used after an operation that failed in the middle, nor a handle of another connection: it may be another key's by then.
func TestPKCS11WhatIsStaleIsNotUsed(t *testing.T) {
	token := newToken(t, softhsm.New(t))
	pair, other := makeKey(t, token, keys.ES256), makeKey(t, token, keys.ES256)
	if err := errors.Join(signs(pair), signs(other)); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("failed in the middle")
	if err := token.do(t.Context(), token.config.Timeout, func(s *session) error {
		return errors.Join(failure, s.FindObjectsInit(s.handle, nil))
	}); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if n := len(token.current.idle); n != 0 {
		t.Errorf("%d sessions are lent again", n)
	}
	mine, theirs := pair.Signer.(*signer), other.Signer.(*signer)
	mine.handle, mine.of = theirs.handle, &connection{}
	if err := signs(pair); err != nil {
		t.Error(err)
	}
}

func TestPKCS11ManySignAtOnce(t *testing.T) {
	token := newToken(t, softhsm.New(t))
	pairs := []madeKey{makeKey(t, token, keys.ES256), makeKey(t, token, keys.RS256)}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			for range 5 {
				if err := signs(pairs[i%2]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := len(token.current.idle); n > token.config.Sessions {
		t.Errorf("%d sessions, more than %d", n, token.config.Sessions)
	}
}

// Another part of the process, or the device, ends every session while signatures are made: each is made all the same.
func TestPKCS11LostSessionsAreReplaced(t *testing.T) {
	token := newToken(t, softhsm.New(t))
	pair := makeKey(t, token, keys.ES256)
	for range 5 {
		if err := token.module.CloseAllSessions(token.current.slot); err != nil {
			t.Fatal(err)
		}
		if err := signs(pair); err != nil {
			t.Fatal(err)
		}
	}
	if err := token.module.Finalize(); err != nil {
		t.Fatal(err)
	}
	again(t, "signing after the library was finalized", func() error { return signs(pair) })
}

func TestPKCS11TokenOutAndIn(t *testing.T) {
	h := softhsm.New(t)
	token := newToken(t, h)
	pairs := []madeKey{makeKey(t, token, keys.ES256), makeKey(t, token, keys.RS256)}
	h.Remove()
	for _, pair := range pairs {
		if err := signs(pair); err == nil {
			t.Error("signs without its token")
		}
	}
	if _, _, err := token.Make(t.Context(), keys.ES256, 0); err == nil {
		t.Error("makes a key without a token")
	}
	h.Insert()
	for _, pair := range pairs {
		again(t, "signing when the token is back", func() error { return signs(pair) })
	}
	if makeKey(t, token, keys.ES256); len(h.Objects()) != 6 {
		t.Errorf("%d objects of three pairs", len(h.Objects()))
	}
}

func TestPKCS11WrongPINIsTriedOnce(t *testing.T) {
	h := softhsm.New(t)
	token, err := New(Config{Module: h.Module, Token: softhsm.Label, PIN: "1111"})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := token.Check(t.Context()); !errors.Is(err, ErrPIN) {
			t.Fatal(err)
		}
	}
	if token.refused == nil {
		t.Error("it would be tried again")
	}
	if err := newToken(t, h).Check(t.Context()); err != nil {
		t.Error("the right PIN:", err)
	}
}

func TestPKCS11ConfigurationIsChecked(t *testing.T) {
	h := softhsm.New(t)
	for name, c := range map[string]Config{
		"nothing":         {},
		"no library":      {Module: h.Module + "x", Token: "a", PIN: "b"},
		"a folder":        {Module: t.TempDir(), Token: "a", PIN: "b"},
		"another file":    {Module: h.Config, Token: "a", PIN: "b"},
		"too long a name": {Module: h.Module, Token: "123456789012345678901234567890123", PIN: "b"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	token, err := New(Config{Module: h.Module, Token: "another", PIN: softhsm.PIN})
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Check(t.Context()); !errors.Is(err, errNoToken) {
		t.Error(err)
	}
}

// A module that hangs holds nobody longer than the limit; when all sessions are in it, nobody waits at all; and when it comes back, so do signatures.
func TestPKCS11HangIsBounded(t *testing.T) {
	h := softhsm.New(t)
	token := newToken(t, h)
	token.config.Timeout, token.config.Sessions = 300*time.Millisecond, 3
	token.places = make(chan struct{}, 3)
	pair := makeKey(t, token, keys.ES256)
	release := h.Hang()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if err := signs(pair); !errors.Is(err, ErrNoAnswer) {
				t.Error(err)
			}
		})
	}
	all.Wait() // the test's own deadline says that it is bounded
	if n := token.stuck.Load(); n != 3 {
		t.Errorf("%d calls are stuck", n)
	}
	if err := token.Check(t.Context()); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "calls have not returned") {
		t.Error("not refused at once:", err)
	}
	token.Close() // does not hang either
	release()
	token.config.Timeout = 10 * time.Second
	again(t, "signing when the module returns", func() error { return signs(pair) })
	again(t, "no call is stuck", func() error {
		if n := token.stuck.Load(); n != 0 {
			return errors.New("stuck")
		}
		return nil
	})
}
