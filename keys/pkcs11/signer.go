//go:build pkcs11

package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sync"

	"github.com/miekg/pkcs11"

	"signet/keys"
)

// signer is a private key in a token. It looks the key up again whenever handles have changed, so that it outlives every connection.
type signer struct {
	token  *Token
	id     []byte
	public crypto.PublicKey

	mu     sync.Mutex
	handle pkcs11.ObjectHandle
	of     *connection // that handle is good for
}

// Open finds a private key by its reference. Errors: the token does not have it, is not the one of the reference, or does not answer.
func (t *Token) Open(ctx context.Context, text string, public crypto.PublicKey) (crypto.Signer, error) {
	r, err := t.parse(text)
	if err != nil {
		return nil, err
	}
	switch p := public.(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return nil, errors.New("only P-256 of the elliptic curves")
		}
	default:
		return nil, fmt.Errorf("no keys of type %T", public)
	}
	s := &signer{token: t, id: r.id, public: public}
	return s, t.do(ctx, t.config.Timeout, func(on *session) error {
		_, err := s.find(on)
		return err
	})
}

// parse reads a reference into this token.
func (t *Token) parse(text string) (reference, error) {
	r, err := parseReference(text)
	if err != nil {
		return reference{}, err
	}
	if r.token != t.config.Token {
		return reference{}, fmt.Errorf("%w: it is in the token %q, not in %q", keys.ErrKept, r.token, t.config.Token)
	}
	return r, nil
}

// Public is the public half.
func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign signs a SHA-256 digest in the token: PKCS #1 v1.5, or ECDSA in ASN.1. The token's own randomness is used.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return nil, errors.New("only SHA-256 digests are signed, without PSS")
	}
	mechanism, data := pkcs11.CKM_ECDSA, digest
	if _, ok := s.public.(*rsa.PublicKey); ok {
		mechanism, data = pkcs11.CKM_RSA_PKCS, slices.Concat(digestInfo, digest)
	}
	made := make(chan []byte, 2) // an attempt may end when nobody waits for it any more
	err := s.token.do(context.Background(), s.token.config.Timeout, func(on *session) error {
		signature, err := s.signOn(on, uint(mechanism), data)
		if err == nil {
			made <- signature
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.encode(<-made)
}

// digestInfo is what precedes a SHA-256 digest in PKCS #1 v1.5 (RFC 8017, section 9.2, note 1).
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// signOn looks the key up again when its handle turns out to be of another time.
func (s *signer) signOn(on *session, mechanism uint, data []byte) ([]byte, error) {
	var err error
	for range 2 {
		var handle pkcs11.ObjectHandle
		if handle, err = s.find(on); err != nil {
			return nil, err
		}
		if err = on.SignInit(on.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, handle); err == nil {
			var signature []byte
			if signature, err = on.Sign(on.handle, data); err == nil {
				return signature, nil
			}
		}
		s.forget()
		if !noHandle(err) {
			break
		}
	}
	return nil, fmt.Errorf("sign: %w", err)
}

// encode checks what the token made, and turns r||s into ASN.1, as crypto.Signer has it.
func (s *signer) encode(signature []byte) ([]byte, error) {
	if p, ok := s.public.(*rsa.PublicKey); ok {
		if len(signature) != p.Size() {
			return nil, fmt.Errorf("the token made a signature of %d bytes, not %d", len(signature), p.Size())
		}
		return signature, nil
	}
	if len(signature) != 64 {
		return nil, fmt.Errorf("the token made a signature of %d bytes, not 64", len(signature))
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])})
}

// find is the key's handle on this connection.
func (s *signer) find(on *session) (pkcs11.ObjectHandle, error) {
	s.mu.Lock()
	handle, known := s.handle, s.of == on.connection
	s.mu.Unlock()
	if known {
		return handle, nil
	}
	found, err := on.findAll(pkcs11.CKO_PRIVATE_KEY, s.id)
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0:
		return 0, errNoKey
	case len(found) > 1:
		return 0, fmt.Errorf("the token has %d private keys with the id %x", len(found), s.id)
	}
	s.mu.Lock()
	s.handle, s.of = found[0], on.connection
	s.mu.Unlock()
	return found[0], nil
}

func (s *signer) forget() {
	s.mu.Lock()
	s.of = nil
	s.mu.Unlock()
}

// findAll finds token objects by class and CKA_ID.
func (s *session) findAll(class uint, id []byte) ([]pkcs11.ObjectHandle, error) {
	if err := s.FindObjectsInit(s.handle, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ID, bytes.Clone(id)),
	}); err != nil {
		return nil, fmt.Errorf("look for a key: %w", err)
	}
	found, _, err := s.FindObjects(s.handle, 16)
	if final := s.FindObjectsFinal(s.handle); err == nil {
		err = final
	}
	if err != nil {
		return nil, fmt.Errorf("look for a key: %w", err)
	}
	return found, nil
}
