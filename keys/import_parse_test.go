package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func testImport(t testing.TB) Imported {
	t.Helper()
	pair, err := generate(ES256, 0)
	if err != nil {
		t.Fatal(err)
	}
	return Imported{KeyID: must(thumbprint(pair.Public())), Algorithm: ES256, pair: pair, public: pair.Public()}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestImportForms(t *testing.T) {
	ec, rs := testPair(t, ES256, 0).(*ecdsa.PrivateKey), testPair(t, RS256, 0).(*rsa.PrivateKey)
	jwk := func(key any, alg string) []byte {
		return must(json.Marshal(jose.JSONWebKey{Key: key, KeyID: "theirs", Algorithm: alg, Use: "sig"}))
	}
	sec1 := pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)))
	for name, form := range map[string]struct {
		data    []byte
		pair    crypto.Signer
		private bool
	}{
		"PKCS #8":            {pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ec))), ec, true},
		"PKCS #8, RSA":       {pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(rs))), rs, true},
		"PKCS #1":            {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs)), rs, true},
		"SEC 1":              {sec1, ec, true},
		"SEC 1 with a curve": {append(pemOf("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), sec1...), ec, true},
		"text before it":     {append([]byte("Key of the old issuer\n"), sec1...), ec, true},
		"JWK":                {jwk(ec, "ES256"), ec, true},
		"JWK, RSA, no alg":   {append([]byte("\n "), jwk(rs, "")...), rs, true},
		"public JWK":         {jwk(ec.Public(), "ES256"), ec, false},
		"public key":         {pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(rs.Public()))), rs, false},
		"RSA public key":     {pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rs.PublicKey)), rs, false},
		"set":                {fmtSet(jwk(ec, "ES256")), ec, true},
	} {
		i, err := ParseImport(form.data, "")
		if err != nil || i.Private() != form.private || i.KeyID != must(thumbprint(form.pair.Public())) {
			t.Errorf("%s: %+v, %v", name, i.KeyID, err)
		}
	}
}

func fmtSet(keys ...[]byte) []byte {
	return append(append([]byte(`{"keys":[`), bytes.Join(keys, []byte(","))...), "]}"...)
}

func TestImportRefusesWhatIsWeakOrWrong(t *testing.T) {
	ec, rs := testPair(t, ES256, 0).(*ecdsa.PrivateKey), testPair(t, RS256, 0).(*rsa.PrivateKey)
	other := testPair(t, ES256, 1).(*ecdsa.PrivateKey)
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	pkcs8 := func(key any) []byte { return pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }
	jwk := func(change func(map[string]any)) []byte {
		var members map[string]any
		if err := json.Unmarshal(must(json.Marshal(jose.JSONWebKey{Key: ec, Algorithm: "ES256"})), &members); err != nil {
			t.Fatal(err)
		}
		change(members)
		return must(json.Marshal(members))
	}
	three := &rsa.PublicKey{N: rs.N, E: 3}
	small := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1024, 1), E: 65537}
	large := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 4096, 1), E: 65537}
	public := func(key any) []byte { return pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key))) }
	for name, test := range map[string]struct {
		data  []byte
		words string
	}{
		"exponent":          {public(three), "public exponent 3"},
		"small":             {public(small), "RSA key of 1025 bits"},
		"large":             {public(large), "RSA key of 4097 bits"},
		"curve":             {pkcs8(p384), "P-384"},
		"kind":              {pkcs8(ed), "RSA and P-256 are taken"},
		"two":               {append(pkcs8(ec), pkcs8(rs)...), "more than one key"},
		"encrypted":         {pemOf("ENCRYPTED PRIVATE KEY", []byte{1}), "is encrypted"},
		"old encryption":    {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte{1}}), "is encrypted"},
		"certificate":       {pemOf("CERTIFICATE", []byte{1}), `"CERTIFICATE" is no key`},
		"broken":            {pemOf("PRIVATE KEY", []byte{48, 3, 1}), "does not parse"},
		"nothing":           {nil, "neither PEM nor a JWK"},
		"not JSON":          {[]byte("{]"), "not JSON"},
		"alg":               {jwk(func(m map[string]any) { m["alg"] = "ES384" }), "ES384"},
		"use":               {jwk(func(m map[string]any) { m["use"] = "enc" }), "not for signatures"},
		"ops":               {jwk(func(m map[string]any) { m["key_ops"] = []string{"deriveKey"} }), "not for signatures"},
		"halves":            {jwk(func(m map[string]any) { m["d"] = privateOf(t, other) }), ""},
		"symmetric":         {[]byte(`{"kty":"oct","k":"AAAA"}`), "not valid"},
		"a set of two":      {fmtSet(jwk(func(map[string]any) {}), jwk(func(map[string]any) {})), "2 such keys"},
		"an empty set":      {[]byte(`{"keys":[]}`), "0 such keys"},
		"something endless": {bytes.Repeat([]byte{'a'}, MaxImport+1), "not a key"},
	} {
		_, err := ParseImport(test.data, "")
		if err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v, want %q", name, err, test.words)
		}
		if err != nil && strings.Contains(err.Error(), privateOf(t, ec)) {
			t.Errorf("%s: the error has the private half", name)
		}
	}
}

// privateOf is the member d of an EC key's JWK.
func privateOf(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	var k struct{ D string }
	if err := json.Unmarshal(must(json.Marshal(jose.JSONWebKey{Key: key})), &k); err != nil {
		t.Fatal(err)
	}
	return k.D
}

func FuzzParseImport(f *testing.F) {
	ec := testPair(f, ES256, 0).(*ecdsa.PrivateKey)
	f.Add(pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec))))
	f.Add(must(json.Marshal(jose.JSONWebKey{Key: ec, Algorithm: "ES256"})))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := ParseImport(data, "")
		if err == nil && (i.KeyID == "" || i.public == nil || (i.Algorithm != ES256 && i.Algorithm != RS256)) {
			t.Errorf("%+v", i)
		}
	})
}
