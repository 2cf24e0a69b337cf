package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptForge: `forge` makes a key, its set in jwks.json, and a file for each kind of token that a verifier may meet.
func scriptForge(ts *testscript.TestScript, _ bool, _ []string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	public := jose.JSONWebKey{Key: private.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	ts.Check(err)
	write := func(name, text string) { ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600)) }
	write("jwks.json", string(set))

	now := time.Now().Unix()
	claims := map[string]any{"iss": "https://id.example.org", "aud": []string{"https://api.example.org"}, "sub": "u1", "iat": now, "exp": now + 300}
	sign := func(kid, typ string, change map[string]any) string {
		all := maps.Clone(claims)
		maps.Copy(all, change)
		payload, err := json.Marshal(all)
		ts.Check(err)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
			(&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", kid))
		ts.Check(err)
		signed, err := signer.Sign(payload)
		ts.Check(err)
		token, err := signed.CompactSerialize()
		ts.Check(err)
		return token
	}
	good := sign("k1", "at+jwt", nil)
	write("good", good)
	write("expired", sign("k1", "at+jwt", map[string]any{"iat": now - 600, "exp": now - 300}))
	write("future", sign("k1", "at+jwt", map[string]any{"nbf": now + 600}))
	write("stranger", sign("k2", "at+jwt", nil))
	write("idtoken", sign("k1", "JWT", nil))
	parts := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	write("tampered", parts[0]+"."+encode([]byte(`{"iss":"https://id.example.org","aud":"https://api.example.org","sub":"admin","exp":9999999999}`))+"."+parts[2])
	write("none", encode([]byte(`{"alg":"none","typ":"at+jwt"}`))+"."+parts[1]+".")
}
