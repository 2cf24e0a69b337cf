package keys

import "errors"

// Algorithm is a JWS signature algorithm (RFC 7518, section 3.1).
type Algorithm string

// The algorithms that a ring has keys of.
const (
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
)

// Errors that callers tell apart. Others are the store's.
var (
	// ErrStale: the ring was not confirmed recently enough to sign or to publish. Answer 503.
	ErrStale = errors.New("key ring not confirmed recently")
	// ErrNoKey: no key of that algorithm signs yet. Answer 503.
	ErrNoKey = errors.New("no signing key of this algorithm yet")
	// ErrToken: not a token of ours, or altered.
	ErrToken = errors.New("invalid token")
	// ErrUnknownSecret: no MAC secret with that id, even after a reload.
	ErrUnknownSecret = errors.New("unknown MAC secret")
)
