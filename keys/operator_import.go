package keys

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
)

// Import publishes a key from outside. With its private half it is a standby, which waits like any other and then goes first. Without, publicOnly
// must be said: it stays published, for what it signed under a ring that was lost, and never signs. Refused when the kid is, or was, in
// the ring, and when as many keys are published as every verifier reads.
func (o Operator) Import(ctx context.Context, i Imported, publicOnly bool) ([]Change, error) {
	if publicOnly {
		public, err := x509.MarshalPKIXPublicKey(i.public)
		if err != nil {
			return nil, fmt.Errorf("encode public key: %w", err)
		}
		return o.run(ctx, "import key", importPublic(Key{ID: i.KeyID, Algorithm: i.Algorithm, Public: public}))
	}
	if i.pair == nil {
		return nil, errors.New("the file holds a public key alone, which can't sign")
	}
	k, err := newKey(i.Algorithm, i.pair, o.Sealer)
	if err != nil {
		return nil, err
	}
	if err := testSignature(k, i.pair); err != nil {
		return nil, err
	}
	return o.run(ctx, "import key", importKey(k))
}
