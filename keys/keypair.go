package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// generate makes a key pair. RSA takes a good part of a second: never under a lock, never between a load and its save. One in 64 is thrown away: its
// kid would begin with a hyphen, and be a flag to the command line.
func generate(alg Algorithm, rsaBits int) (crypto.Signer, error) {
	for {
		pair, err := generateAny(alg, rsaBits)
		if err != nil {
			return nil, err
		}
		if kid, err := thumbprint(pair.Public()); err != nil || !strings.HasPrefix(kid, "-") {
			return pair, err
		}
	}
}

func generateAny(alg Algorithm, rsaBits int) (crypto.Signer, error) {
	switch alg {
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return nil, fmt.Errorf("no keys of algorithm %q", alg)
	}
}

// newKey is the pair as the ring keeps it, its private half, or the reference to it, sealed.
func newKey(alg Algorithm, pair crypto.Signer, sealer *Sealer) (Key, error) {
	kid, err := thumbprint(pair.Public())
	if err != nil {
		return Key{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(pair.Public())
	if err != nil {
		return Key{}, fmt.Errorf("encode public key: %w", err)
	}
	private, err := sealable(pair)
	if err != nil {
		return Key{}, err
	}
	sealed, err := sealer.seal(private, "signing key", kid, string(alg))
	if err != nil {
		return Key{}, err
	}
	return Key{ID: kid, Algorithm: alg, Public: public, Private: sealed}, nil
}

// openKey opens the private half, or the vault that has it, and proves that it is the one to the public half: a test signature must verify.
func openKey(ctx context.Context, k Key, sealer *Sealer, keeping Keeping) (crypto.Signer, error) {
	private, err := sealer.Open(k.Private.Blob, "signing key", k.ID, string(k.Algorithm))
	if err != nil {
		return nil, err
	}
	public, err := publicKey(k)
	if err != nil {
		return nil, err
	}
	pair, err := keeping.open(ctx, private, public)
	if err != nil {
		return nil, err
	}
	return pair, testSignature(k, pair)
}

func testSignature(k Key, pair crypto.Signer) error {
	public, err := publicKey(k)
	if err != nil {
		return err
	}
	s := newSigner(k.ID, k.Algorithm, k.TTL, pair)
	token, err := s.compact("test", []byte(`{}`))
	if err != nil {
		return fmt.Errorf("test signature: %w", err)
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.Algorithm)})
	if err != nil {
		return fmt.Errorf("test signature: %w", err)
	}
	if _, err := parsed.Verify(public); err != nil {
		return errors.New("test signature does not verify by the public half")
	}
	return nil
}

// publicKey parses the public half, and holds it against alg and kid, so that nothing is published under a name that is not its own.
func publicKey(k Key) (crypto.PublicKey, error) {
	public, err := x509.ParsePKIXPublicKey(k.Public)
	if err != nil {
		return nil, fmt.Errorf("public key does not parse: %w", err)
	}
	var fits bool
	switch p := public.(type) {
	case *rsa.PublicKey:
		fits = k.Algorithm == RS256 && p.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		fits = k.Algorithm == ES256 && p.Curve == elliptic.P256()
	}
	if !fits {
		return nil, fmt.Errorf("public key does not fit algorithm %q", k.Algorithm)
	}
	kid, err := thumbprint(public)
	if err != nil {
		return nil, err
	}
	if kid != k.ID {
		return nil, errors.New("public key is not the one that the kid names")
	}
	return public, nil
}

// thumbprint is the JWK thumbprint (RFC 7638) with SHA-256, base64url.
func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("key thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// newSecret makes a MAC secret of 32 bytes, sealed.
func newSecret(p MACPurpose, sealer *Sealer) (Secret, error) {
	var id [4]byte
	var key [32]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Secret{}, fmt.Errorf("make MAC secret: %w", err)
	}
	if _, err := rand.Read(key[:]); err != nil {
		return Secret{}, fmt.Errorf("make MAC secret: %w", err)
	}
	s := Secret{ID: hex.EncodeToString(id[:]), Purpose: p}
	sealed, err := sealer.seal(key[:], "MAC secret", string(p), s.ID)
	s.Sealed = sealed
	return s, err
}

func openSecret(s Secret, sealer *Sealer) (MACSecret, error) {
	key, err := sealer.Open(s.Sealed.Blob, "MAC secret", string(s.Purpose), s.ID)
	if err != nil {
		return MACSecret{}, err
	}
	return NewMACSecret(s.ID, key), nil
}
