package keys

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxToken bounds what is looked at as a token: ours are far smaller, and every proxy's header limit is lower.
const maxToken = 16 << 10

// Verify checks that a compact JWS was signed by a published key of the ring, by that key's own algorithm. The header must hold exactly
// alg, kid and typ, as ours do: so `none`, a MAC under a public key, embedded or linked keys (jwk, jku, x5u, x5c), crit and anything else are
// refused before any cryptography. Nothing is said about the claims. Errors: ErrToken, or ErrStale when the ring was not confirmed within Q.
func (r *Replica) Verify(token string) (Verified, error) {
	v, err := r.usable(r.policy.Q())
	if err != nil {
		return Verified{}, err
	}
	return v.verify(token)
}

func (o *opened) verify(token string) (Verified, error) {
	h, err := ourHeader(token)
	if err != nil {
		return Verified{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	k, ok := o.publics[h.Kid]
	if !ok {
		return Verified{}, fmt.Errorf("%w: no such key", ErrToken)
	}
	if h.Alg != string(k.alg) {
		return Verified{}, fmt.Errorf("%w: alg is not the key's", ErrToken)
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.alg)})
	if err != nil {
		return Verified{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	payload, err := parsed.Verify(k.key)
	if err != nil {
		return Verified{}, fmt.Errorf("%w: signature", ErrToken)
	}
	return Verified{KeyID: h.Kid, Alg: k.alg, Type: h.Typ, Payload: payload}, nil
}

type header struct{ Alg, Kid, Typ string }

// ourHeader takes the header out of three parts of canonical base64url.
func ourHeader(token string) (header, error) {
	if len(token) > maxToken {
		return header{}, fmt.Errorf("longer than %d bytes", maxToken)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return header{}, fmt.Errorf("%d parts, not 3", len(parts))
	}
	var first []byte
	for i, p := range parts {
		decoded, err := decodePart(p)
		if err != nil {
			return header{}, fmt.Errorf("part %d: %w", i+1, err)
		}
		if i == 0 {
			first = decoded
		}
	}
	var members map[string]json.RawMessage // names as they are: a struct would take "ALG" for alg
	if err := json.Unmarshal(first, &members); err != nil {
		return header{}, fmt.Errorf("header is not a JSON object")
	}
	var h header
	fields := map[string]*string{"alg": &h.Alg, "kid": &h.Kid, "typ": &h.Typ}
	for name, value := range members {
		field, ours := fields[name]
		if !ours {
			return header{}, fmt.Errorf("header has member %.40q", name)
		}
		if err := json.Unmarshal(value, field); err != nil || string(value) == "null" {
			return header{}, fmt.Errorf("header member %q is not a string", name)
		}
	}
	return h, nil
}

// decodePart wants unpadded base64url without stray bits, so that no two strings are the same token.
func decodePart(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, fmt.Errorf("line break")
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("not base64url")
	}
	return decoded, nil
}
