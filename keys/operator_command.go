package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
)

// A command, in order: load; step and apply; ask, if somebody wants to be asked; save; and again from the beginning when another was first. The
// invariants: what is saved was made of the version that it replaces, at a moment just before; and a command takes effect once. A save without an
// answer may have landed, or may yet: whoever wrote the version that is loaded next tells, and where later versions hide it, so does the error.

// run gives a command and returns what it changes, with what that costs. Errors: ErrNoRing, the refusal, or the store's.
func (o Operator) run(ctx context.Context, what string, do command) ([]Change, error) {
	made := newPool(nil)
	var held *Ring
	defer func() { o.discard(ctx, made, held) }()
	var agreed [][]Change
	var unanswered doubts
	for lost := 0; ; {
		r, next, list, err := o.attempt(ctx, made, do)
		if r != nil { // before a refusal: what landed may be why it is refused now
			if landed, ok := unanswered.landed(r); ok {
				held = r
				return landed.list, o.erase(ctx, landed.before, r)
			}
			if unanswered.hidden(r) {
				return nil, fmt.Errorf("%s: the answer was lost, and the ring has changed since: it may be done, see 'signet keys list'", what)
			}
		}
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
		if !errors.Is(err, errLostRace) {
			unanswered = append(unanswered, doubt{r, next, list})
		}
		if lost++; lost == saveAttempts {
			return nil, fmt.Errorf("%s: the ring could not be saved, try again: %w", what, err)
		}
	}
}

// doubt is a save whose answer was lost.
type doubt struct {
	before, after *Ring
	list          []Change
}

type doubts []doubt

// landed is the save that made r, if it was one of these.
func (d doubts) landed(r *Ring) (doubt, bool) {
	i := slices.IndexFunc(d, func(x doubt) bool { return x.after.By == r.By })
	if i < 0 {
		return doubt{}, false
	}
	return d[i], true
}

// hidden says whether r comes after a version that may have been one of these.
func (d doubts) hidden(r *Ring) bool {
	return slices.ContainsFunc(d, func(x doubt) bool { return r.Version > x.after.Version })
}

// attempt makes the next version of what is stored, with the changes in it. The stored one comes back beside a refusal, too.
func (o Operator) attempt(ctx context.Context, made *pool, do command) (r, next *Ring, list []Change, err error) {
	if r, err = o.load(ctx); err != nil {
		return nil, nil, nil, err
	}
	now, err := o.now(ctx)
	if err != nil {
		return r, nil, nil, err
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
		return r, nil, nil, err
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

// sameChanges says whether what is to be done now is what was agreed to: the same to the same keys, whenever, and no cost where there was none.
func sameChanges(agreed, now []Change) bool {
	return slices.EqualFunc(agreed, now, func(x, y Change) bool {
		return x.Algorithm == y.Algorithm && x.Kind == y.Kind && x.KeyID == y.KeyID && (len(y.Costs) == 0 || len(x.Costs) > 0)
	})
}
