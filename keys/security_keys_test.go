package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Requirement 11: what is stored, published and told of holds no private half and no MAC secret in the clear.
func TestPrivateHalvesLeaveNoTrace(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256, RS256)
	doc, err := w.store.LoadRing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := r.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	list, err := Operator{Store: w.store, Wall: w.store.time}.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	v := r.view.Load()
	shown := map[string][]byte{
		"stored": doc.Body, "published": set.Body, "listed": listed, "heartbeat": fmt.Appendf(nil, "%+v", w.store.beats),
		"status": fmt.Appendf(nil, "%+v", r.Status()), "change": fmt.Appendf(nil, "%+v", changes(&Ring{}, v.ring)),
	}
	var secret [][]byte
	for _, p := range v.pairs {
		der, err := x509.MarshalPKCS8PrivateKey(p.pair)
		if err != nil {
			t.Fatal(err)
		}
		secret = append(secret, der)
		switch k := p.pair.(type) {
		case *ecdsa.PrivateKey:
			d, err := k.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			secret = append(secret, d)
		case *rsa.PrivateKey:
			secret = append(secret, k.D.Bytes(), k.Primes[0].Bytes(), k.Primes[1].Bytes())
		}
	}
	for _, s := range v.ring.Secrets {
		open, err := r.sealer.Open(s.Sealed.Blob, "MAC secret", string(s.Purpose), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		secret = append(secret, open)
	}
	if len(secret) < 4+4+3 {
		t.Fatalf("only %d secrets were found", len(secret))
	}
	for _, s := range secret {
		for _, form := range []string{string(s), base64.StdEncoding.EncodeToString(s), base64.RawURLEncoding.EncodeToString(s), fmt.Sprintf("%x", s), fmt.Sprint(s)} {
			for what, text := range shown {
				if bytes.Contains(text, []byte(strings.TrimRight(form, "="))) {
					t.Errorf("%s: a secret is in the clear", what)
				}
			}
		}
	}
}

// Requirement 9: RSA keys have 2048 or 3072 bits and more, EC keys are on P-256; the ring publishes no others.
func TestWeakKeysAreRefused(t *testing.T) {
	if p := DefaultPolicy(); p.RSABits < 2048 {
		t.Errorf("%d bits by default", p.RSABits)
	}
	for bits, allowed := range map[int]bool{512: false, 1024: false, 2047: false, 2048: true, 3072: true, 16384: false} {
		p := DefaultPolicy()
		p.RSABits = bits
		if _, err := p.Check(0); (err == nil) != allowed {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		alg Algorithm
		key any
	}{{RS256, weak.Public()}, {ES256, other.Public()}} {
		kid, err := thumbprint(k.key)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(k.key)
		if err != nil {
			t.Fatal(err)
		}
		ring := &Ring{Keys: []Key{{ID: kid, Algorithm: k.alg, Public: der, State: Published}}}
		if _, err := publish(ring, DefaultPolicy()); err == nil {
			t.Errorf("a weak %s key is published", k.alg)
		}
	}
}
