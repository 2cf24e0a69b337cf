package issuer

import (
	"context"
	"errors"
	"fmt"
)

// A new seal for mail on its way out, so that an old key-encryption key can be taken away.
//
//	{mail, sealed as read} -> sealed by the first KEK
//
// One compare-and-set a mail, which leaves its lease alone: a worker that holds the mail opens what it was given, and both KEKs are still
// configured. A miss means that the mail has left, or that another run sealed it. Passes are repeated until one finds nothing to do, because a
// replica that has not loaded the new KEK inserts mail under the old one behind the walk's back. After a crash, running it again goes on.
//
// Invariant: once it has returned without an error, all mail that was in the outbox when the last pass began is under the first KEK.

// OutboxStore is the part of Store that RewrapOutbox uses.
type OutboxStore interface {
	Mails(ctx context.Context, after string, limit int) ([]Mail, error)
	ResealMail(ctx context.Context, id string, old, next []byte) (bool, error)
}

// Resealer opens with every KEK and seals with the first. *keys.Sealer is the one implementation.
type Resealer interface {
	Open(sealed []byte, context ...string) ([]byte, error)
	Seal(plaintext []byte, context ...string) ([]byte, error)
	// Current says whether the first KEK sealed it.
	Current(sealed []byte) bool
}

// RewrapOutbox seals all queued mail with the sealer's first KEK. progress, unless nil, is told after each page how many old seals
// this call has replaced so far (or seen leave, as it was about to). It returns that number, also beside an error: unavailable; or, once all
// others are done, what could not be opened (keys.ErrUnknownKEK, keys.ErrSealBroken), or that old seals keep coming. Safe while servers run.
func RewrapOutbox(ctx context.Context, store OutboxStore, sealer Resealer, progress func(done int)) (changed int, err error) {
	r := rewrapping{store: store, sealer: sealer, progress: progress}
	for range rewrapPasses {
		r.stale, r.unopened, r.first = 0, 0, nil
		if err := r.pass(ctx); err != nil {
			return r.changed, err
		}
		if r.stale > 0 {
			continue
		}
		if r.unopened > 0 {
			return r.changed, fmt.Errorf("%d mails in the outbox can't be sealed anew; the first: %w", r.unopened, r.first)
		}
		return r.changed, nil
	}
	return r.changed, errors.New("mail under an old key-encryption key keeps coming: not every replica has loaded the new one")
}

// rewrapPage is smaller in tests, which walk over many pages of few.
var rewrapPage = 100

const rewrapPasses = 10

type rewrapping struct {
	store    OutboxStore
	sealer   Resealer
	progress func(int)

	changed  int
	stale    int   // found under another KEK in this pass
	unopened int   // and by none that is configured
	first    error // why the first of these doesn't open
}

func (r *rewrapping) pass(ctx context.Context) error {
	for after := ""; ; {
		page, err := again(ctx, func() ([]Mail, error) { return r.store.Mails(ctx, after, rewrapPage) })
		if err != nil {
			return err
		}
		for _, m := range page {
			after = m.ID
			if err := r.reseal(ctx, m); err != nil {
				return err
			}
		}
		if r.progress != nil {
			r.progress(r.changed)
		}
		if len(page) < rewrapPage {
			return nil
		}
	}
}

// reseal counts a mail that does not open and goes on: another one's seal is no reason to leave the rest.
func (r *rewrapping) reseal(ctx context.Context, m Mail) error {
	if r.sealer.Current(m.Sealed) {
		return nil
	}
	letter, err := r.sealer.Open(m.Sealed, sealedOutbox, m.ID)
	if err != nil {
		if r.unopened++; r.first == nil {
			r.first = fmt.Errorf("%q: %w", m.ID, err)
		}
		return nil
	}
	defer clear(letter)
	r.stale++
	next, err := r.sealer.Seal(letter, sealedOutbox, m.ID)
	if err != nil {
		return internal("seal letter", err)
	}
	// Hit or miss, the old seal is gone: a miss may be this very write, whose answer was lost.
	if _, err := again(ctx, func() (bool, error) { return r.store.ResealMail(ctx, m.ID, m.Sealed, next) }); err != nil {
		return err
	}
	r.changed++
	return nil
}
