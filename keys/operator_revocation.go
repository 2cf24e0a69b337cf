package keys

import (
	"context"
	"fmt"
)

// Revoke takes a key out of the ring at once and for ever. If it was the signing key, another takes over in the same version. Never refused for a key
// that the ring has, or had; again changes nothing. Errors: ErrNoRing, ErrNoSuchKey, the store's.
func (o Operator) Revoke(ctx context.Context, kid string) ([]Change, error) {
	return o.run(ctx, "revoke key", revoke(kid))
}

// RevokeAll revokes every key of an algorithm and has a new one sign at once, which no verifier has yet. Again revokes those new ones too.
func (o Operator) RevokeAll(ctx context.Context, alg Algorithm) ([]Change, error) {
	return o.run(ctx, "revoke keys", revokeAll(alg))
}

// unusableKey says why a key can't sign.
func unusableKey(k Key, err error) error {
	return fmt.Errorf("%s key %s can't sign: %w", k.Algorithm, k.ID, err)
}

// promoted says whether another key signs for alg after than before.
func promoted(before, after *Ring, alg Algorithm) bool {
	was, is := before.SigningKey(alg), after.SigningKey(alg)
	return is != nil && (was == nil || was.ID != is.ID)
}
