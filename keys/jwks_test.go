package keys

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func TestJWKSHoldsPublicHalvesOnly(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), RS256, ES256)
	w.live(61*time.Second, r)
	set, err := r.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var body map[string][]map[string]any
	if err := json.Unmarshal(set.Body, &body); err != nil || len(body) != 1 {
		t.Fatalf("%v: %s", err, set.Body)
	}
	allowed := map[string]bool{"kty": true, "kid": true, "alg": true, "use": true, "n": true, "e": true, "crv": true, "x": true, "y": true}
	ring := w.store.ring(t)
	if len(body["keys"]) != len(ring.Keys) || len(ring.Keys) != 6 {
		t.Errorf("%d keys in the set, %d in the ring, want 6", len(body["keys"]), len(ring.Keys))
	}
	seen := map[string]bool{}
	for i, k := range body["keys"] {
		for name := range k {
			if !allowed[name] {
				t.Errorf("key %d has a member %q", i, name)
			}
		}
		kid, _ := k["kid"].(string)
		if sum, err := base64.RawURLEncoding.DecodeString(kid); err != nil || len(sum) != 32 || seen[kid] {
			t.Errorf("kid %q is no thumbprint of its own", kid)
		}
		seen[kid] = true
		in := ring.Key(kid)
		if in == nil || k["use"] != "sig" || k["alg"] != string(in.Algorithm) {
			t.Errorf("key %d: %v", i, k)
		}
		if i < 2 && in.State != Signing {
			t.Errorf("key %d is not a signing key", i)
		}
	}
}

// The example of RFC 7638, section 3.1.
func TestKidIsTheThumbprint(t *testing.T) {
	set, err := ParseJWKS([]byte(`{"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	kid, err := thumbprint(set.keys[0].Key)
	if err != nil || kid != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("kid %s, %v", kid, err)
	}
}

func TestJWKSHeadersAndTag(t *testing.T) {
	w := newWorld(t)
	p := short()
	r := w.started(p, ES256)
	first, _ := r.JWKS()
	if first.CacheControl != "public, max-age=5, stale-if-error=2" || len(first.ETag) < 10 || first.ETag[0] != '"' {
		t.Errorf("Cache-Control %q, ETag %q", first.CacheControl, first.ETag)
	}
	w.live(5*time.Second, r)
	if again, _ := r.JWKS(); again.ETag != first.ETag || string(again.Body) != string(first.Body) {
		t.Error("the same keys have another tag")
	}
	w.live(60*time.Second, r)
	if later, _ := r.JWKS(); later.ETag == first.ETag {
		t.Error("other keys have the same tag")
	}
	p.StaleIfError = 0
	if set, err := publish(w.store.ring(t), p); err != nil || set.CacheControl != "public, max-age=5" {
		t.Errorf("without stale-if-error: %q, %v", set.CacheControl, err)
	}
}

func TestJWKSOfMostKeysIsSmallEnough(t *testing.T) {
	ring := &Ring{Version: 1}
	for i := range maxPublished {
		k, err := newKey(RS256, testPair(t, RS256, i%3), testSealer())
		if err != nil {
			t.Fatal(err)
		}
		k.State = Published
		ring.Keys = append(ring.Keys, k)
	}
	set, err := publish(ring, DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	// Keys of 3072 bits take 171 characters more each.
	if size := len(set.Body) + 171*maxPublished; size >= 50<<10 {
		t.Errorf("%d bytes", size)
	}
}

func TestJWKSOfABrokenRingIsRefused(t *testing.T) {
	k, err := newKey(ES256, testPair(t, ES256, 0), testSealer())
	if err != nil {
		t.Fatal(err)
	}
	for i, broken := range []func(*Key){func(k *Key) { k.Public = nil }, func(k *Key) { k.ID = "other" }, func(k *Key) { k.Algorithm = "HS256" }} {
		b := k
		broken(&b)
		if _, err := publish(&Ring{Keys: []Key{b}}, DefaultPolicy()); err == nil {
			t.Errorf("%d: published", i)
		}
	}
}

func TestStoredRingThatIsNotOurs(t *testing.T) {
	for _, body := range []string{"", "null", "{", `{"format":1}`, `{"format":2,"keys":[{"kid":"a","state":"signing"}]}`, `{"format":1,"keys":[{"kid":"a","state":"odd"}]}`} {
		if r, err := decodeRing(RingDocument{Version: 3, Body: []byte(body)}); err == nil {
			t.Errorf("%q is taken for a ring: %v", body, r)
		}
	}
	if r, err := decodeRing(RingDocument{}); err != nil || r.Version != 0 {
		t.Errorf("no ring: %v", err)
	}
}

func TestRingIsStoredWhole(t *testing.T) {
	s := newStepper(t, ES256, RS256)
	s.live(61 * time.Second)
	doc, err := s.ring.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeRing(doc)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", back) != fmt.Sprintf("%+v", s.ring) {
		t.Errorf("stored\n%+v\ncame back\n%+v", s.ring, back)
	}
}
