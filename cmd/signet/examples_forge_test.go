//go:build unix

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/go-jose/go-jose/v4"
)

// forger signs whatever it is asked to, by the issuer's own keys or by a stranger's.
type forger struct {
	t           *testing.T
	issuer, sub string
	keys        map[jose.SignatureAlgorithm]jose.JSONWebKey // the issuer's signing keys, private
	stranger    *ecdsa.PrivateKey
}

const exportPassphrase = "violet otter plays cello"

// newForger takes the keys out of the ring as an operator would.
func newForger(t *testing.T, s *story, sub string) *forger {
	t.Helper()
	cmd := exec.Command("signet", "keys", "export", "--private", "--passphrase-stdin", "--yes")
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.environ...)
	cmd.Stdin = strings.NewReader(exportPassphrase + "\n")
	sealed, err := cmd.Output()
	if err != nil {
		t.Fatalf("keys export: %v", err)
	}
	identity, err := age.NewScryptIdentity(exportPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), identity)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(opened)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	published, err := s.jwks()
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{t: t, issuer: s.server.issuer, sub: sub, keys: map[jose.SignatureAlgorithm]jose.JSONWebKey{}}
	for _, kid := range published { // the signing key of each algorithm comes first
		for _, k := range set.Key(kid) {
			if alg := jose.SignatureAlgorithm(k.Algorithm); f.keys[alg].Key == nil {
				f.keys[alg] = k
			}
		}
	}
	if len(f.keys) != 2 {
		t.Fatalf("keys of %d algorithms", len(f.keys))
	}
	if f.stranger, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	return f
}

type members = map[string]any

// sign makes a good access token by a key, changed: a member set to nil is left out.
func (f *forger) sign(alg jose.SignatureAlgorithm, key any, header, claims members) string {
	f.t.Helper()
	now := time.Now().Unix()
	all := members{"iss": f.issuer, "sub": f.sub, "aud": []string{exampleAudience, f.issuer}, "client_id": "first-party", "iat": now, "exp": now + 300,
		"jti": "0123456789abcdef", "scope": "account", "sid": "fedcba9876543210", "auth_time": now, "amr": []string{"pwd", "otp"}, "roles": []string{"reader", "analyst"}}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		f.t.Fatal(err)
	}
	options := &jose.SignerOptions{}
	options.WithType("at+jwt")
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		f.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// with is a token by the issuer's key for ES256.
func (f *forger) with(header, claims members) string { return f.by("ES256", header, claims) }

func (f *forger) by(alg jose.SignatureAlgorithm, header, claims members) string {
	all := members{"kid": f.keys[alg].KeyID}
	maps.Copy(all, header)
	return f.sign(alg, f.keys[alg].Key, all, claims)
}

// expired is a token that was good until so many seconds ago.
func (f *forger) expired(ago int64) string {
	exp := time.Now().Unix() - ago
	return f.with(nil, members{"iat": exp - 300, "exp": exp})
}

// byStranger is a token by a key that the issuer does not have.
func (f *forger) byStranger(header members) string { return f.sign("ES256", f.stranger, header, nil) }

// byPublicKey is an HMAC with what everybody knows of a key.
func (f *forger) byPublicKey(alg jose.SignatureAlgorithm, encode func(der []byte) []byte, claims members) string {
	key := f.keys[alg]
	der, err := x509.MarshalPKIXPublicKey(key.Public().Key)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.sign("HS256", encode(der), members{"kid": key.KeyID}, claims)
}

func asPEM(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}) }
func asDER(der []byte) []byte { return der }

// altered puts a header or a payload or a signature of its own into a good token; "" leaves the part as it is.
func (f *forger) altered(header, payload, signature string) string {
	parts := strings.Split(f.with(nil, nil), ".")
	encode := base64.RawURLEncoding.EncodeToString
	if header != "" {
		parts[0] = encode([]byte(header))
	}
	if payload != "" {
		parts[1] = encode([]byte(payload))
	}
	switch signature {
	case "":
	case "none":
		parts[2] = ""
	default:
		parts[2] = signature
	}
	return strings.Join(parts, ".")
}

// forged is a payload for somebody else.
func (f *forger) forged() string {
	return `{"iss":"` + f.issuer + `","sub":"root","aud":"` + exampleAudience + `","client_id":"first-party","scope":"account","roles":["analyst"],"iat":1,"exp":9999999999,"jti":"1"}`
}

// zeroes is a signature of the right length that old verifiers took for any message.
var zeroes = base64.RawURLEncoding.EncodeToString(make([]byte, 64))

// exampleCases are what a service may meet. The good ones show that it is the change alone for which the others are refused.
var exampleCases = []struct {
	name, path string
	token      func(f *forger) string
	want       int
}{
	{"a good one by ES256", "/me", func(f *forger) string { return f.with(nil, nil) }, 200},
	{"a good one by RS256", "/me", func(f *forger) string { return f.by("RS256", nil, nil) }, 200},
	{"with the role", "/reports", func(f *forger) string { return f.with(nil, nil) }, 200},
	{"for one audience", "/me", func(f *forger) string { return f.with(nil, members{"aud": exampleAudience}) }, 200},
	{"with more scopes", "/me", func(f *forger) string { return f.with(nil, members{"scope": "openid account admin"}) }, 200},
	{"expired a moment ago", "/me", func(f *forger) string { return f.expired(2) }, 200},
	{"without roles", "/me", func(f *forger) string { return f.with(nil, members{"roles": nil}) }, 200},

	{"expired", "/me", func(f *forger) string { return f.expired(120) }, 401},
	{"without exp", "/me", func(f *forger) string { return f.with(nil, members{"exp": nil}) }, 401},
	{"for another audience", "/me", func(f *forger) string {
		return f.with(nil, members{"aud": []string{"https://other.example.com", f.issuer}})
	}, 401},
	{"for an audience that begins alike", "/me", func(f *forger) string { return f.with(nil, members{"aud": exampleAudience + ".evil.example"}) }, 401},
	{"without aud", "/me", func(f *forger) string { return f.with(nil, members{"aud": nil}) }, 401},
	{"by another issuer", "/me", func(f *forger) string { return f.with(nil, members{"iss": "https://id.evil.example"}) }, 401},
	{"without iss", "/me", func(f *forger) string { return f.with(nil, members{"iss": nil}) }, 401},
	{"without sub", "/me", func(f *forger) string { return f.with(nil, members{"sub": nil}) }, 401},

	{"PS256, which nobody offers", "/me", func(f *forger) string {
		return f.sign("PS256", f.keys["RS256"].Key, members{"kid": f.keys["RS256"].KeyID}, nil)
	}, 401},
	{"RS512, which nobody offers", "/me", func(f *forger) string {
		return f.sign("RS512", f.keys["RS256"].Key, members{"kid": f.keys["RS256"].KeyID}, nil)
	}, 401},
	{"RS256 with the kid of the key for ES256", "/me", func(f *forger) string { return f.by("RS256", members{"kid": f.keys["ES256"].KeyID}, nil) }, 401},
	{"none", "/me", func(f *forger) string { return f.altered(`{"alg":"none","typ":"at+jwt"}`, f.forged(), "none") }, 401},
	{"none with a kid", "/me", func(f *forger) string {
		return f.altered(`{"alg":"none","typ":"at+jwt","kid":"`+f.keys["ES256"].KeyID+`"}`, "", "none")
	}, 401},
	{"NoNe", "/me", func(f *forger) string { return f.altered(`{"alg":"NoNe","typ":"at+jwt"}`, f.forged(), "none") }, 401},
	{"none with the signature left", "/me", func(f *forger) string { return f.altered(`{"alg":"none","typ":"at+jwt"}`, f.forged(), "") }, 401},
	{"without a signature", "/me", func(f *forger) string { return f.altered("", "", "none") }, 401},
	{"HS256 with the public key for ES256 in PEM", "/me", func(f *forger) string { return f.byPublicKey("ES256", asPEM, nil) }, 401},
	{"HS256 with the public key for ES256 in DER", "/me", func(f *forger) string { return f.byPublicKey("ES256", asDER, nil) }, 401},
	{"HS256 with the public key for RS256 in PEM", "/me", func(f *forger) string { return f.byPublicKey("RS256", asPEM, nil) }, 401},
	{"a signature of zeroes", "/me", func(f *forger) string { return f.altered("", f.forged(), zeroes) }, 401},
	{"another payload under the signature", "/me", func(f *forger) string { return f.altered("", f.forged(), "") }, 401},
	{"by a stranger's key with the issuer's kid", "/me", func(f *forger) string { return f.byStranger(members{"kid": f.keys["ES256"].KeyID}) }, 401},
	{"by a stranger's key with a kid of its own", "/me", func(f *forger) string { return f.byStranger(members{"kid": "stranger"}) }, 401},
	{"by a stranger's key without a kid", "/me", func(f *forger) string { return f.byStranger(nil) }, 401},
	{"by a stranger's key that the header brings", "/me", func(f *forger) string {
		return f.byStranger(members{"jwk": jose.JSONWebKey{Key: f.stranger.Public(), KeyID: "stranger", Algorithm: "ES256"}})
	}, 401},
	{"by a stranger's key that the header says where to fetch", "/me", func(f *forger) string {
		return f.byStranger(members{"kid": "stranger", "jku": "https://id.evil.example/jwks.json", "x5u": "https://id.evil.example/key.pem"})
	}, 401},
	{"with a kid that is a path", "/me", func(f *forger) string { return f.byStranger(members{"kid": "../../../../dev/null"}) }, 401},

	{"a kid that is a number", "/me", func(f *forger) string { return f.altered(`{"alg":"ES256","typ":"at+jwt","kid":1}`, "", "") }, 401},
	{"a kid that is null", "/me", func(f *forger) string { return f.altered(`{"alg":"ES256","typ":"at+jwt","kid":null}`, "", "") }, 401},
	{"a kid that is an object", "/me", func(f *forger) string { return f.altered(`{"alg":"ES256","typ":"at+jwt","kid":{"$ne":""}}`, "", "") }, 401},
	{"a kid that is a list", "/me", func(f *forger) string { return f.altered(`{"alg":"ES256","typ":"at+jwt","kid":["a"]}`, "", "") }, 401},
	{"an alg that is a number", "/me", func(f *forger) string { return f.altered(`{"alg":256,"typ":"at+jwt","kid":"a"}`, "", "") }, 401},
	{"an alg that is a list", "/me", func(f *forger) string { return f.altered(`{"alg":["ES256"],"typ":"at+jwt","kid":"a"}`, "", "") }, 401},
	{"no alg", "/me", func(f *forger) string { return f.altered(`{"typ":"at+jwt","kid":"`+f.keys["ES256"].KeyID+`"}`, "", "") }, 401},
	{"an extension that nobody knows", "/me", func(f *forger) string {
		return f.altered(`{"alg":"ES256","typ":"at+jwt","kid":"a","crit":["x"],"x":1}`, "", "")
	}, 401},
	{"a header that is a list", "/me", func(f *forger) string { return f.altered(`[]`, "", "") }, 401},
	{"a header that is null", "/me", func(f *forger) string { return f.altered(`null`, "", "") }, 401},
	{"a header that is no JSON", "/me", func(f *forger) string { return f.altered("{\x00\xff", "", "") }, 401},
	{"a header of a thousand lists", "/me", func(f *forger) string {
		return f.altered(`{"alg":"ES256","x":`+strings.Repeat("[", 1500)+strings.Repeat("]", 1500)+`}`, "", "")
	}, 401},
	{"a payload that is a list", "/me", func(f *forger) string { return f.altered("", `[]`, "") }, 401},
	{"a payload that is null", "/me", func(f *forger) string { return f.altered("", `null`, "") }, 401},
	{"a payload of a thousand lists", "/me", func(f *forger) string {
		return f.altered("", `{"sub":`+strings.Repeat("[", 1500)+strings.Repeat("]", 1500)+`}`, "")
	}, 401},
	{"a signature that is no base64url", "/me", func(f *forger) string { return f.altered("", "", "+/+/=") }, 401},
	{"four parts", "/me", func(f *forger) string { return f.with(nil, nil) + ".x" }, 401},
	{"five parts", "/me", func(f *forger) string { return f.with(nil, nil) + ".x.y" }, 401},

	{"an ID token", "/me", func(f *forger) string {
		return f.by("RS256", members{"typ": "JWT"}, members{"aud": exampleAudience, "client_id": nil, "scope": nil, "roles": nil, "nonce": "n", "at_hash": "h"})
	}, 401},
	{"an ID token by the key for access tokens", "/me", func(f *forger) string {
		return f.with(members{"typ": "JWT"}, members{"client_id": nil, "nonce": "n"})
	}, 401},
	{"an ID token with claims as an access token has them", "/me", func(f *forger) string { return f.with(members{"typ": "JWT"}, members{"nonce": "n"}) }, 401},
	{"a logout token", "/me", func(f *forger) string { return f.with(members{"typ": "logout+jwt"}, nil) }, 401},
	{"without client_id", "/me", func(f *forger) string { return f.with(nil, members{"client_id": nil}) }, 401},

	{"without the scope", "/me", func(f *forger) string { return f.with(nil, members{"scope": "openid profile"}) }, 403},
	{"with a scope that begins alike", "/me", func(f *forger) string { return f.with(nil, members{"scope": "accounting my-account"}) }, 403},
	{"with an empty scope", "/me", func(f *forger) string { return f.with(nil, members{"scope": ""}) }, 403},
	{"with the role, without the scope", "/reports", func(f *forger) string { return f.with(nil, members{"scope": "openid"}) }, 403},
	{"without roles, for analysts", "/reports", func(f *forger) string { return f.with(nil, members{"roles": nil}) }, 403},
	{"with other roles", "/reports", func(f *forger) string { return f.with(nil, members{"roles": []string{"analysts", "chief analyst"}}) }, 403},
	{"with the role as another claim", "/reports", func(f *forger) string {
		return f.with(nil, members{"roles": nil, "groups": []string{"analyst"}, "scope": "account analyst", "name": `"roles":["analyst"]`})
	}, 403},
}
