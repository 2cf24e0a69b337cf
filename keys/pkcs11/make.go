//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	"signet/keys"
)

// Make generates a key pair in the token. Its private half is private, sensitive, not extractable and good for signatures alone; a token that
// does not hold to that is refused, and the pair destroyed. Both objects have one random CKA_ID, and a CKA_LABEL that tells people the kid.
func (t *Token) Make(ctx context.Context, alg keys.Algorithm, rsaBits int) (crypto.Signer, string, error) {
	mechanism, public, private, err := templates(alg, rsaBits)
	if err != nil {
		return nil, "", err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, "", fmt.Errorf("make a key id: %w", err)
	}
	for _, half := range []*[]*pkcs11.Attribute{&public, &private} {
		*half = append(*half, pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, "signet "+string(alg)))
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.MakeTimeout)
	defer cancel()
	made := make(chan crypto.PublicKey, 2)
	err = t.do(ctx, t.config.MakeTimeout, func(s *session) error {
		key, err := s.generate(mechanism, public, private, alg)
		if err == nil && ctx.Err() != nil { // nobody waits for it any more
			err = ctx.Err()
		}
		if err != nil {
			_, _ = s.destroy(id)
			return err
		}
		made <- key
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("make a key in the token %q: %w", t.config.Token, err)
	}
	return &signer{token: t, id: id, public: <-made}, reference{t.config.Token, id}.String(), nil
}

// p256 is the curve's object identifier, as CKA_EC_PARAMS has it.
var p256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// templates are what the two halves of a new pair are to be.
func templates(alg keys.Algorithm, rsaBits int) (mechanism *pkcs11.Mechanism, public, private []*pkcs11.Attribute, err error) {
	public = []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)}
	private = []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
	}
	switch {
	case alg == keys.ES256:
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256))
		private = append(private, pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false))
		return pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil), public, private, nil
	case alg == keys.RS256 && (rsaBits == 2048 || rsaBits == 3072):
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, rsaBits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}), pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, false))
		private = append(private, pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false), pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false))
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil), public, private, nil
	default:
		return nil, nil, nil, fmt.Errorf("no keys of algorithm %q and %d bits", alg, rsaBits)
	}
}

func (s *session) generate(mechanism *pkcs11.Mechanism, public, private []*pkcs11.Attribute, alg keys.Algorithm) (crypto.PublicKey, error) {
	publicHandle, privateHandle, err := s.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{mechanism}, public, private)
	if err != nil {
		return nil, err
	}
	if err := s.checkKept(privateHandle); err != nil {
		return nil, err
	}
	read := s.readECDSA
	if alg == keys.RS256 {
		read = s.readRSA
	}
	key, err := read(publicHandle)
	if err != nil {
		return nil, fmt.Errorf("read the public half: %w", err)
	}
	kid, err := keys.KeyID(key)
	if err != nil {
		return nil, err
	}
	for _, half := range []pkcs11.ObjectHandle{publicHandle, privateHandle} {
		// For people alone, and some tokens let nothing be changed.
		_ = s.SetAttributeValue(s.handle, half, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, "signet "+string(alg)+" "+kid)})
	}
	return key, nil
}

// checkKept holds the token to what was asked of the private half.
func (s *session) checkKept(private pkcs11.ObjectHandle) error {
	got, err := s.GetAttributeValue(s.handle, private, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, nil),
	})
	if err != nil {
		return fmt.Errorf("read what the key may do: %w", err)
	}
	want := map[uint]byte{pkcs11.CKA_SENSITIVE: 1, pkcs11.CKA_EXTRACTABLE: 0, pkcs11.CKA_PRIVATE: 1}
	for _, a := range got {
		if len(a.Value) != 1 || a.Value[0] != want[a.Type] {
			return errors.New("the token made a private key that can be read out")
		}
	}
	return nil
}

func (s *session) readRSA(public pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	got, err := s.GetAttributeValue(s.handle, public, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS, nil), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, nil)})
	if err != nil {
		return nil, err
	}
	n, e := new(big.Int).SetBytes(got[0].Value), new(big.Int).SetBytes(got[1].Value)
	if e.Cmp(big.NewInt(65537)) != 0 {
		return nil, errors.New("the token chose another public exponent than 65537")
	}
	return &rsa.PublicKey{N: n, E: 65537}, nil
}

// readECDSA reads an uncompressed point, in an OCTET STRING as the standard has it, or bare as some tokens do.
func (s *session) readECDSA(public pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	got, err := s.GetAttributeValue(s.handle, public, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		return nil, err
	}
	point := got[0].Value
	if len(point) != 65 {
		if rest, err := asn1.Unmarshal(got[0].Value, &point); err != nil || len(rest) > 0 {
			return nil, errors.New("the token's point is no OCTET STRING")
		}
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Destroy erases both halves of a pair. False: the token has nothing of it.
func (t *Token) Destroy(ctx context.Context, text string) (bool, error) {
	r, err := t.parse(text)
	if err != nil {
		return false, err
	}
	done := make(chan bool, 2)
	err = t.do(ctx, t.config.Timeout, func(s *session) error {
		destroyed, err := s.destroy(r.id)
		if err == nil {
			done <- destroyed
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("destroy a key in the token %q: %w", t.config.Token, err)
	}
	return <-done, nil
}

func (s *session) destroy(id []byte) (bool, error) {
	destroyed := false
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		found, err := s.findAll(class, id)
		if err != nil {
			return destroyed, err
		}
		for _, handle := range found {
			if err := s.DestroyObject(s.handle, handle); err != nil && !noHandle(err) {
				return destroyed, err
			}
			destroyed = true
		}
	}
	return destroyed, nil
}
