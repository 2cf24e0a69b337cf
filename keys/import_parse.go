package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Imported is a key from outside, checked: its size, its curve, its algorithm, its two halves.
type Imported struct {
	KeyID     string // RFC 7638 thumbprint, whatever the key was called before
	Algorithm Algorithm
	pair      crypto.Signer    // nil for a public key alone
	public    crypto.PublicKey // as pair's
}

// MaxImport bounds what is read as a key to import.
const MaxImport = 256 << 10

// ParseImport reads PEM (PKCS #8; PKCS #1 and SEC 1 private keys; SubjectPublicKeyInfo and PKCS #1 public keys) or a JWK (RFC 7517), or a JWK set, out of
// which kid chooses when it holds several. Nothing in an error is of the private half.
func ParseImport(data []byte, kid string) (Imported, error) {
	if len(data) > MaxImport {
		return Imported{}, fmt.Errorf("larger than %d bytes: not a key", MaxImport)
	}
	var key any
	var alg string
	var err error
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		key, alg, err = parseJWK(trimmed, kid)
	} else {
		key, err = parsePEM(data)
	}
	if err != nil {
		return Imported{}, err
	}
	i := Imported{public: key}
	if pair, ok := key.(crypto.Signer); ok {
		i.pair, i.public = pair, pair.Public()
	}
	if i.Algorithm, err = fitting(key, i.public); err != nil {
		return Imported{}, err
	}
	if alg != "" && alg != string(i.Algorithm) {
		return Imported{}, fmt.Errorf("the key is for %.20q; the ring has RS256 and ES256", alg)
	}
	i.KeyID, err = thumbprint(i.public)
	return i, err
}

// Private says whether it has the private half.
func (i Imported) Private() bool { return i.pair != nil }

// fitting is the algorithm that a key is good for.
func fitting(key any, public crypto.PublicKey) (Algorithm, error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < 2048 || bits > 4096 {
			return "", fmt.Errorf("RSA key of %d bits: 2048 to 4096 are taken", bits)
		}
		if p.E < 65537 || p.E%2 == 0 { // FIPS 186-5, section 5.4: smaller ones have been broken by implementation faults again and again
			return "", fmt.Errorf("RSA key with the public exponent %d: an odd one from 65537 on is wanted", p.E)
		}
		if private, ok := key.(*rsa.PrivateKey); ok {
			if len(private.Primes) != 2 {
				return "", fmt.Errorf("RSA key of %d primes, not 2", len(private.Primes))
			}
			if err := private.Validate(); err != nil {
				return "", errors.New("RSA key whose parts do not belong together")
			}
		}
		return RS256, nil
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return "", fmt.Errorf("EC key on the curve %s: P-256 is wanted", p.Curve.Params().Name)
		}
		if private, ok := key.(*ecdsa.PrivateKey); ok {
			if half, err := private.ECDH(); err != nil || !samePoint(half.PublicKey(), p) {
				return "", errors.New("EC key whose halves do not belong together")
			}
		} else if _, err := p.ECDH(); err != nil {
			return "", errors.New("EC key that is no point of its curve")
		}
		return ES256, nil
	}
	return "", fmt.Errorf("a key of type %T: RSA and P-256 are taken", public)
}

// parsePEM wants exactly one key. EC PARAMETERS, which openssl writes before a key, says nothing that the key does not.
func parsePEM(data []byte) (found any, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if found != nil {
			return nil, errors.New("more than one key in the file")
		}
		if found, err = parseBlock(block); err != nil {
			return nil, err
		}
	}
	if found == nil {
		return nil, errors.New("neither PEM nor a JWK")
	}
	return found, nil
}

func parseBlock(block *pem.Block) (any, error) {
	parse, known := map[string]func([]byte) (any, error){
		"PRIVATE KEY":     x509.ParsePKCS8PrivateKey,
		"RSA PRIVATE KEY": func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		"EC PRIVATE KEY":  func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
		"PUBLIC KEY":      x509.ParsePKIXPublicKey,
		"RSA PUBLIC KEY":  func(der []byte) (any, error) { return x509.ParsePKCS1PublicKey(der) },
	}[block.Type]
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("the key is encrypted: decrypt it first, for example with `openssl pkcs8 -in FILE`")
	case !known:
		return nil, fmt.Errorf("PEM block %.40q is no key", block.Type)
	}
	key, err := parse(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("PEM block %q does not parse as such a key", block.Type)
	}
	return key, nil
}

// parseJWK also says the alg that the key is bound to, "" for any.
func parseJWK(data []byte, kid string) (any, string, error) {
	one, err := chooseJWK(data, kid)
	if err != nil {
		return nil, "", err
	}
	var k jose.JSONWebKey
	if err := json.Unmarshal(one, &k); err != nil {
		return nil, "", errors.New("JWK does not parse")
	}
	var says struct {
		Use string   `json:"use"`
		Ops []string `json:"key_ops"`
	}
	if err := json.Unmarshal(one, &says); err != nil {
		return nil, "", errors.New("JWK does not parse")
	}
	switch {
	case !k.Valid():
		return nil, "", errors.New("JWK is not valid")
	case says.Use != "" && says.Use != "sig":
		return nil, "", fmt.Errorf("JWK is not for signatures (use %.20q)", says.Use)
	case len(says.Ops) > 0 && !strings.Contains(strings.Join(says.Ops, " "), "sign") && !strings.Contains(strings.Join(says.Ops, " "), "verify"):
		return nil, "", errors.New("JWK is not for signatures (key_ops)")
	}
	return k.Key, k.Algorithm, nil
}

func chooseJWK(data []byte, kid string) ([]byte, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("neither PEM nor a JWK: not JSON")
	}
	if set.Keys == nil {
		return data, nil
	}
	var fits []json.RawMessage
	for _, one := range set.Keys {
		var named struct {
			Kid string `json:"kid"`
		}
		if json.Unmarshal(one, &named) == nil && (kid == "" || named.Kid == kid) {
			fits = append(fits, one)
		}
	}
	if len(fits) != 1 {
		return nil, fmt.Errorf("the set holds %d such keys: choose one by its kid", len(fits))
	}
	return fits[0], nil
}

func samePoint(derived *ecdh.PublicKey, stated *ecdsa.PublicKey) bool {
	p, err := stated.ECDH()
	return err == nil && derived.Equal(p)
}
