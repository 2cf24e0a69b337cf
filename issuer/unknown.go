package issuer

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"
)

// An operation whose outcome is unknown is applied again: every one of them is safe to repeat, because its
// condition is false or its effect the same after it was applied. Nobody is refused for an unknown outcome; when
// the request's time is up the answer is 503.

const (
	lastPause = 500 * time.Millisecond
	mostTries = 12 // where the context has no deadline
)

// firstPause is shorter in tests, which inject unknown outcomes by the thousand.
var firstPause = 10 * time.Millisecond

// again applies op until its outcome is known. ErrNotFound and ErrExists are outcomes.
func again[T any](ctx context.Context, op func() (T, error)) (T, error) {
	pause := firstPause
	for n := 1; ; n++ {
		v, err := op()
		if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) {
			return v, err
		}
		if !errors.Is(err, ErrUnknown) {
			return v, internal("store", err)
		}
		_, bounded := ctx.Deadline()
		if ctx.Err() != nil || (!bounded && n == mostTries) {
			return v, unavailable(err)
		}
		select {
		case <-ctx.Done():
			return v, unavailable(err)
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// applied is again for conditional updates: the document after and whether the condition held.
func applied[T any](ctx context.Context, op func() (T, bool, error)) (T, bool, error) {
	type outcome struct {
		doc T
		hit bool
	}
	o, err := again(ctx, func() (outcome, error) {
		doc, hit, err := op()
		return outcome{doc, hit}, err
	})
	return o.doc, o.hit, err
}

// done is again for operations that return nothing but an error.
func done(ctx context.Context, op func() error) error {
	_, err := again(ctx, func() (struct{}, error) { return struct{}{}, op() })
	return err
}

// randomID is 128 random bits in base64url: sids, jtis, challenge ids, attempt ids.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}
