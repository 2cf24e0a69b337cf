package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
)

// A command, in order: load; step and apply; ask, if somebody wants to be asked; save; and again from the beginning when another was first. The
// invariant: what is saved was made of the version that it replaces, at a moment just before.

// run gives a command and returns what it changes, with what that costs. Errors: ErrNoRing, the refusal, or the store's.
func (o Operator) run(ctx context.Context, what string, do command) ([]Change, error) {
	made := newPool(nil)
	var held *Ring
	defer func() { o.discard(ctx, made, held) }()
	var agreed [][]Change
	for lost := 0; ; {
		r, next, list, err := o.attempt(ctx, made, do)
		if err != nil {
			return nil, err
		}
		held = r
		if next == r {
			return list, nil
		}
		if o.Agree != nil && !slices.ContainsFunc(agreed, func(old []Change) bool { return sameChanges(old, list) }) {
			if err := o.Agree(list); err != nil {
				return nil, err
			}
			agreed = append(agreed, list)
			continue
		}
		saved, err := o.save(ctx, r, next)
		if saved {
			held = next
			return list, o.erase(ctx, r, next)
		}
		made.doubt(next)
		if lost++; lost == saveAttempts {
			return nil, fmt.Errorf("%s: the ring could not be saved, try again: %w", what, err)
		}
	}
}

// attempt makes the next version of what is stored, with the changes in it.
func (o Operator) attempt(ctx context.Context, made *pool, do command) (r, next *Ring, list []Change, err error) {
	if r, err = o.load(ctx); err != nil {
		return nil, nil, nil, err
	}
	now, err := o.now(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	p := o.policyFor(r)
	made.generate = func(a Algorithm) (crypto.Signer, error) {
		if err := o.Keeping.mayMake(r, o.Sealer); err != nil {
			return nil, err
		}
		return o.Keeping.make(ctx, a, p.RSABits)
	}
	next, notes, err := made.command(ctx, r, func(supply Supply) (*Ring, []Change, Shortage, error) {
		return do.apply(r, now, Lifecycle{Policy: p, command: true}, supply)
	}, o.Sealer)
	if err != nil {
		return nil, nil, nil, err
	}
	list = append(changes(r, next), notes...)
	sortChanges(list)
	for i := range list {
		list[i].RingVersion = next.Version
	}
	now = latest(now, r.AttendedAt)
	return r, next, priced(list, r, next, now, p), nil
}

// command applies one with a supply that is made as it is needed.
func (p *pool) command(ctx context.Context, in *Ring, apply func(Supply) (*Ring, []Change, Shortage, error), sealer *Sealer) (*Ring, []Change, error) {
	var secrets []Secret
	for {
		supply, err := p.supply(in, sealer)
		if err != nil {
			return nil, nil, err
		}
		supply.Secrets = secrets
		next, notes, short, err := apply(supply)
		if err != nil || short.Empty() {
			return next, notes, err
		}
		if enough, err := p.equip(ctx, short, sealer, &supply); err != nil || !enough {
			return nil, nil, errors.Join(err, ctx.Err())
		}
		secrets = supply.Secrets
	}
}

// erase destroys what a vault has of the keys that left the ring. Replicas do too, those that run.
func (o Operator) erase(ctx context.Context, before, after *Ring) error {
	if o.Keeping.Vault == nil {
		return nil
	}
	var failed []error
	for _, k := range erased(before, after) {
		if _, err := o.Keeping.destroy(ctx, k, o.Sealer); err != nil {
			failed = append(failed, fmt.Errorf("the ring is changed, but key %s is still in its vault: %w", k.ID, err))
		}
	}
	return errors.Join(failed...)
}

// discard destroys what was made in a vault and is in no ring. What can't be destroyed now is of no use to anyone.
func (o Operator) discard(ctx context.Context, made *pool, held *Ring) {
	if o.Keeping.Vault == nil || held == nil {
		return
	}
	for _, pair := range made.unused(held) {
		_, _ = o.Keeping.Vault.Destroy(context.WithoutCancel(ctx), pair.reference)
	}
}

// sameChanges says whether two lists do the same to the same keys, whenever.
func sameChanges(a, b []Change) bool {
	return slices.EqualFunc(a, b, func(x, y Change) bool {
		return x.Algorithm == y.Algorithm && x.Kind == y.Kind && x.KeyID == y.KeyID
	})
}
