package keys

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// A private half is either in the ring, sealed, or in a vault (a hardware security module, say) that signs with it and never gives it
// away; then the ring has a reference to it, sealed all the same. What was unsealed tells which: PKCS #8 begins with a DER SEQUENCE (0x30), a
// reference with the scheme of its vault and a colon. So both live in one ring, each key is opened as what it is, and keys move from one
// to the other by the ordinary lifecycle. Nothing but this file and the two functions of keypair.go knows the difference.

// ErrSigning: a key does not sign now, because the vault that has it is away, slow, or lost it. The same request may succeed later.
var ErrSigning = errors.New("key does not sign")

// ErrKept: a private half is in a vault: it can't be read, or, where the process has no access to that vault, not even used.
var ErrKept = errors.New("private key is kept outside of the key ring")

// Vault makes private halves and keeps them to itself. Safe for concurrent use. Every method, and every signature by what it returns, ends
// within a bound of the vault's own, whatever the device does, and works again when the device is back.
type Vault interface {
	// Scheme is what the vault's references begin with, before a colon: "pkcs11". Lower-case letters and digits.
	Scheme() string
	// Make makes a key pair that stays (RSA of rsaBits, or P-256), and a reference to it that tells nothing of the private half. On an error
	// nothing is left behind, as far as the vault can tell.
	Make(ctx context.Context, alg Algorithm, rsaBits int) (pair crypto.Signer, reference string, err error)
	// Open finds the private half again. What it returns signs SHA-256 digests as crypto.Signer says (PKCS #1 v1.5; ECDSA in ASN.1), and its
	// Public is public; whether the two belong together is tried by its caller.
	Open(ctx context.Context, reference string, public crypto.PublicKey) (crypto.Signer, error)
	// Destroy erases the key pair for good; false when there was none, which is no error. ErrKept: it is where this vault can't reach.
	Destroy(ctx context.Context, reference string) (bool, error)
}

// Keeping says where private halves are kept. The zero value is: in the ring, sealed.
type Keeping struct {
	Vault Vault // nil for none: then keys that are in one can't be used here
	// Software makes new keys for the ring though there is a Vault. Without a Vault it says that the operator wants it so: else no
	// key is made for a ring whose keys are in a vault, because a setting that was forgotten must not bring them out of it.
	Software bool
}

// KeyID is the kid of a public key: its JWK thumbprint (RFC 7638) with SHA-256, base64url.
func KeyID(public crypto.PublicKey) (string, error) { return thumbprint(public) }

// kept is a pair whose private half is in a vault.
type kept struct {
	crypto.Signer
	reference string
}

// make makes a key pair, which is a kept when its private half is in the vault.
func (k Keeping) make(ctx context.Context, alg Algorithm, rsaBits int) (crypto.Signer, error) {
	if k.Vault == nil || k.Software {
		return generate(alg, rsaBits)
	}
	pair, reference, err := k.Vault.Make(ctx, alg, rsaBits)
	if err != nil {
		return nil, err
	}
	return kept{pair, reference}, nil
}

// mayMake refuses to make keys in software for a ring whose keys are in a vault that is not configured.
func (k Keeping) mayMake(r *Ring, sealer *Sealer) error {
	if k.Vault != nil || k.Software || r == nil {
		return nil
	}
	for _, key := range r.Keys {
		if key.State == Retired {
			continue
		}
		if scheme, _, ok := key.reference(sealer); ok {
			return fmt.Errorf("%w: those of this ring are in %s, to which there is no access here", ErrKept, scheme)
		}
	}
	return nil
}

// open makes a signer of what was unsealed.
func (k Keeping) open(ctx context.Context, private []byte, public crypto.PublicKey) (crypto.Signer, error) {
	scheme, ok := schemeOf(private)
	if !ok {
		return parsePrivate(private)
	}
	if k.Vault == nil || k.Vault.Scheme() != scheme {
		return nil, fmt.Errorf("%w: it is in %s, to which there is no access here", ErrKept, scheme)
	}
	pair, err := k.Vault.Open(ctx, string(private), public)
	if err != nil {
		return nil, err
	}
	return kept{pair, string(private)}, nil
}

// destroy erases what the vault has of a key that left the ring. False: it has nothing of it, or never had.
func (k Keeping) destroy(ctx context.Context, key Key, sealer *Sealer) (bool, error) {
	scheme, reference, ok := key.reference(sealer)
	if !ok {
		return false, nil
	}
	if k.Vault == nil || k.Vault.Scheme() != scheme {
		return false, fmt.Errorf("%w: it is in %s, to which there is no access here", ErrKept, scheme)
	}
	return k.Vault.Destroy(ctx, reference)
}

// reference is where the private half is; false when it is in the ring, or does not open.
func (k *Key) reference(sealer *Sealer) (scheme, reference string, ok bool) {
	if len(k.Private.Blob) == 0 { // a public half that was imported alone
		return "", "", false
	}
	private, err := sealer.Open(k.Private.Blob, "signing key", k.ID, string(k.Algorithm))
	if err != nil {
		return "", "", false
	}
	scheme, ok = schemeOf(private)
	return scheme, string(private), ok
}

// sealable is what the ring keeps of a pair's private half.
func sealable(pair crypto.Signer) ([]byte, error) {
	if k, ok := pair.(kept); ok {
		if _, ok := schemeOf([]byte(k.reference)); !ok {
			return nil, errors.New("vault made a reference without its scheme")
		}
		return []byte(k.reference), nil
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	return private, nil
}

// schemeOf is the scheme of a reference; false for PKCS #8, and for what is neither.
func schemeOf(private []byte) (string, bool) {
	scheme, _, ok := strings.Cut(string(private[:min(len(private), 32)]), ":")
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	return scheme, ok && scheme != "" && (scheme[0] < '0' || scheme[0] > '9') && !strings.ContainsFunc(scheme, other)
}

func parsePrivate(private []byte) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, errors.New("private key does not parse")
	}
	pair, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("private key is a %T, which does not sign", parsed)
	}
	return pair, nil
}

// erased are the keys of before whose private halves are to be gone in after: dropped or revoked. One that after knows nothing of is not
// among them: a backup was restored, and it may come back.
func erased(before, after *Ring) []Key {
	var gone []Key
	for _, k := range before.Keys {
		if after.Key(k.ID) == nil && after.everHeld(k.ID) {
			gone = append(gone, k)
		}
	}
	return gone
}
