package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// signer is an opened key that makes compact JWS (RFC 7515, section 3.1). It builds them itself: beside a P-256 signature a
// library's allocations would show. Safe for concurrent use.
type signer struct {
	kid     string
	alg     Algorithm
	ttl     time.Duration // longest life that the ring allows under it
	pair    crypto.Signer
	headers sync.Map // typ -> encoded header and dot; types are few and ours
}

func newSigner(kid string, alg Algorithm, ttl time.Duration, pair crypto.Signer) *signer {
	return &signer{kid: kid, alg: alg, ttl: ttl, pair: pair}
}

// compact signs payload as a token of type typ.
func (s *signer) compact(typ string, payload []byte) (string, error) {
	header, err := s.header(typ)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	token := make([]byte, 0, len(header)+enc.EncodedLen(len(payload))+1+enc.EncodedLen(s.signatureSize()))
	token = append(token, header...)
	token = enc.AppendEncode(token, payload)
	digest := sha256.Sum256(token)
	signature, err := s.pair.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrSigning, s.kid, err)
	}
	token = append(token, '.')
	if s.alg == ES256 {
		var raw [64]byte
		if err := rawECDSA(raw[:], signature); err != nil {
			return "", err
		}
		return string(enc.AppendEncode(token, raw[:])), nil
	}
	return string(enc.AppendEncode(token, signature)), nil
}

func (s *signer) signatureSize() int {
	if s.alg == ES256 {
		return 64
	}
	return 512
}

func (s *signer) header(typ string) (string, error) {
	if h, ok := s.headers.Load(typ); ok {
		return h.(string), nil
	}
	h, err := json.Marshal(struct {
		Alg Algorithm `json:"alg"`
		Kid string    `json:"kid"`
		Typ string    `json:"typ,omitempty"`
	}{s.alg, s.kid, typ})
	if err != nil {
		return "", fmt.Errorf("token header: %w", err)
	}
	encoded := base64.RawURLEncoding.EncodeToString(h) + "."
	s.headers.Store(typ, encoded)
	return encoded, nil
}

// rawECDSA turns an ASN.1 signature into r and s of 32 bytes each (RFC 7518, section 3.4).
func rawECDSA(raw, der []byte) error {
	var inner, r, s cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1(&r, asn1.INTEGER) || !inner.ReadASN1(&s, asn1.INTEGER) || !inner.Empty() {
		return errors.New("key made a signature that is not ASN.1")
	}
	for i, n := range []cryptobyte.String{r, s} {
		for len(n) > 32 && n[0] == 0 {
			n = n[1:]
		}
		if len(n) > 32 {
			return errors.New("key made a signature of another curve")
		}
		copy(raw[32*(i+1)-len(n):32*(i+1)], n)
	}
	return nil
}
