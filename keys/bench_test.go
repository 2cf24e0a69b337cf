package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"
)

// benchClaims is as large as an access token's (RFC 9068).
type benchClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Client   string   `json:"client_id"`
	Scope    string   `json:"scope"`
	Session  string   `json:"sid"`
	ID       string   `json:"jti"`
	Roles    []string `json:"roles,omitempty"`
	Iat      int64    `json:"iat"`
	Exp      int64    `json:"exp"`
}

// BenchmarkMint is Replica.Sign: the age checked, claims encoded, header, signature, base64. Compare with BenchmarkRaw of the same run.
func BenchmarkMint(b *testing.B) {
	for _, alg := range []Algorithm{ES256, RS256} {
		b.Run(string(alg), func(b *testing.B) {
			r := startedReplica(b, newMemoryStore(), alg)
			now := r.Now()
			b.ReportAllocs()
			for b.Loop() {
				_, err := r.Sign(alg, "at+jwt", now, 5*time.Minute, func(iat, exp int64) any {
					return benchClaims{Issuer: "https://id.example.com", Subject: "0b0d1c6e-6f5c-4d3a-9a80-1b0f4e4a8a11", Audience: []string{"https://api.example.com", "https://id.example.com"},
						Client: "web", Scope: "account", Session: "4f1d7e0c9a2b4c55", ID: "2f6b7a90c4d14e21", Iat: iat, Exp: exp}
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRaw is the signature alone, by crypto/*.
func BenchmarkRaw(b *testing.B) {
	digest := sha256.Sum256([]byte("a token's header and payload"))
	b.Run("ES256", func(b *testing.B) {
		key := testPair(b, ES256, 0).(*ecdsa.PrivateKey)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("RS256", func(b *testing.B) {
		key := testPair(b, RS256, 0).(*rsa.PrivateKey)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkVerify is Replica.Verify.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []Algorithm{ES256, RS256} {
		b.Run(string(alg), func(b *testing.B) {
			r := startedReplica(b, newMemoryStore(), alg)
			token := signed(b, r, alg)
			for b.Loop() {
				if _, err := r.Verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJWKS is what a request for the JWKS costs here.
func BenchmarkJWKS(b *testing.B) {
	r := startedReplica(b, newMemoryStore(), ES256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.JWKS(); err != nil {
			b.Fatal(err)
		}
	}
}
