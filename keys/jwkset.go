package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// JWKSet is somebody's published keys, as a verifier sees them.
type JWKSet struct {
	keys    []jose.JSONWebKey
	Skipped []string // keys of the set that can't be used, and why
}

// maxJWKS bounds what is taken as a set.
const maxJWKS = 1 << 20

// ParseJWKS reads a JWK set (RFC 7517, section 5). As that section asks, keys that are not understood are skipped, and named in Skipped. A
// private or symmetric key in it is an error: a set that publishes one must be taken down.
func ParseJWKS(body []byte) (JWKSet, error) {
	if len(body) > maxJWKS {
		return JWKSet{}, fmt.Errorf("JWKS is larger than %d bytes", maxJWKS)
	}
	var raw struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return JWKSet{}, fmt.Errorf("JWKS is not JSON: %w", err)
	}
	if raw.Keys == nil {
		return JWKSet{}, errors.New(`JWKS has no member "keys"`)
	}
	var set JWKSet
	for i, one := range *raw.Keys {
		if secret, err := holdsSecret(one); err == nil && secret {
			return JWKSet{}, fmt.Errorf("JWKS publishes a private or symmetric key (number %d)", i+1)
		}
		var k jose.JSONWebKey
		switch err := json.Unmarshal(one, &k); {
		case err != nil:
			set.Skipped = append(set.Skipped, fmt.Sprintf("key number %d: %v", i+1, err))
		case !k.Valid():
			set.Skipped = append(set.Skipped, fmt.Sprintf("key number %d is not valid", i+1))
		case k.Use != "" && k.Use != "sig":
			set.Skipped = append(set.Skipped, fmt.Sprintf("key number %d is not for signatures (use %.20q)", i+1, k.Use))
		default:
			set.keys = append(set.keys, k)
		}
	}
	return set, nil
}

func holdsSecret(jwk []byte) (bool, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(jwk, &members); err != nil {
		return false, err
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if v, there := members[private]; there && !bytes.Equal(v, []byte("null")) {
			return true, nil
		}
	}
	return false, nil
}

// Len is the number of usable keys.
func (s JWKSet) Len() int { return len(s.keys) }

// KeyIDs are the kids of the usable keys, in the set's order.
func (s JWKSet) KeyIDs() []string {
	ids := make([]string, 0, len(s.keys))
	for _, k := range s.keys {
		ids = append(ids, k.KeyID)
	}
	return ids
}

// candidates are the keys that a token's kid names; without a kid, all.
func (s JWKSet) candidates(kid string) []jose.JSONWebKey {
	if kid == "" {
		return s.keys
	}
	var found []jose.JSONWebKey
	for _, k := range s.keys {
		if k.KeyID == kid {
			found = append(found, k)
		}
	}
	return found
}
