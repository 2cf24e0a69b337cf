package keys

import "context"

// Rotate wants the successors of the signing keys of algs (none: all of the ring's) now, and says what follows: a promotion at once, or
// when the standby will sign. Where that was planned already nothing changes. Errors: ErrNoRing, ErrNoKey, too many keys, the store's.
func (o Operator) Rotate(ctx context.Context, algs []Algorithm) ([]Change, error) {
	return o.run(ctx, "rotate keys", o.opens(ctx, each(algs, rotate)))
}

// RotateNow promotes the standbys of algs (none: all) at once. One that some verifier may lack is refused with a *NotKnownError, unless the
// failures that it names are accepted; then the change says what they cost.
func (o Operator) RotateNow(ctx context.Context, algs []Algorithm, acceptFailures bool) ([]Change, error) {
	return o.run(ctx, "rotate keys", o.opens(ctx, each(algs, rotateNow(acceptFailures))))
}

// RotateTo lets a key go next, a standby or one withdrawn and still published, and then rotates to it: at once if every verifier has it. Refused
// when it is not in the ring, or revoked.
func (o Operator) RotateTo(ctx context.Context, kid string) ([]Change, error) {
	return o.run(ctx, "rotate keys", o.opens(ctx, rotateTo(kid)))
}

// Rollback lets the keys of algs (none: all) sign again that the present ones took over from; the present ones are withdrawn. It is refused for all
// of them when one has none to go back to.
func (o Operator) Rollback(ctx context.Context, algs []Algorithm) ([]Change, error) {
	return o.run(ctx, "roll back keys", o.opens(ctx, each(algs, rollback)))
}

// opens refuses what would let a key sign that can't be opened here: every replica would stand still.
func (o Operator) opens(ctx context.Context, do command) command {
	return func(before *Ring, s *stepping) ([]Change, error) {
		notes, err := do(before, s)
		if err != nil || !s.short.Empty() {
			return notes, err
		}
		for _, k := range s.Keys {
			if k.State != Signing || !promoted(before, s.Ring, k.Algorithm) {
				continue
			}
			if _, err := openKey(ctx, k, o.Sealer, o.Keeping); err != nil {
				return nil, unusableKey(k, err)
			}
		}
		return notes, nil
	}
}
