package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxPublished keys keep the set below the 50 KiB that every verifier reads.
const maxPublished = 48

// PublishedSet is the answer of /.well-known/jwks.json (RFC 7517, section 5), made once for each version of the ring. It is never changed.
type PublishedSet struct {
	Body         []byte // {"keys":[...]}, public members only
	ETag         string // strong, quoted
	CacheControl string
}

// publish makes the set of all of the ring's keys, the signing ones first: verifiers that read or keep few keys take those.
func publish(r *Ring, p Policy) (*PublishedSet, error) {
	ordered := slices.Clone(r.Keys)
	rank := map[State]int{Signing: 0, Published: 1, Retired: 2}
	slices.SortStableFunc(ordered, func(a, b Key) int { return rank[a.State] - rank[b.State] })
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range ordered {
		public, err := publicKey(k)
		if err != nil {
			return nil, fmt.Errorf("publish key %.60q: %w", k.ID, err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"})
	}
	body, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encode JWKS: %w", err)
	}
	sum := sha256.Sum256(body)
	cache := fmt.Sprintf("public, max-age=%d", p.JWKSMaxAge/time.Second)
	if p.StaleIfError > 0 {
		cache += fmt.Sprintf(", stale-if-error=%d", p.StaleIfError/time.Second)
	}
	return &PublishedSet{Body: body, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`, CacheControl: cache}, nil
}
