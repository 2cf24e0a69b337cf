package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNoRing: there is no ring to command. A server makes it when it first starts.
var ErrNoRing = errors.New("there is no key ring yet: it is made when signet serves for the first time")

// Operator runs commands on the stored ring, with or without a running server. Each loads, steps, applies, saves under the version that it
// loaded, and begins again when another was first. It keeps nothing.
type Operator struct {
	Store  RingStore
	Sealer *Sealer
	Wall   func() time.Time
	// Policy is the server's, as far as it is known here. The zero value stands for the defaults, with the ring's own
	// signing period; what verifiers were promised (publish-ahead, token life) always comes from the ring.
	Policy Policy
}

// KeyInfo is a key as `keys list --json` shows it: the future as planned, unknown as null.
type KeyInfo struct {
	ID          string     `json:"kid"`
	Algorithm   Algorithm  `json:"alg"`
	State       State      `json:"state"`
	PublishedAt time.Time  `json:"published_at"`
	SignsFrom   *time.Time `json:"signs_from"`
	RetiredAt   *time.Time `json:"retired_at"`
	DropsAt     *time.Time `json:"drops_at"`
}

// List shows every published key, each algorithm's signing key first, then standbys, then retired ones. ErrNoRing, or the store's errors.
func (o Operator) List(ctx context.Context) ([]KeyInfo, error) {
	r, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	p := o.policyFor(r)
	list := []KeyInfo{}
	for _, alg := range r.algorithms() {
		for _, state := range []State{Signing, Published, Retired} {
			for _, k := range r.Keys {
				if k.Algorithm == alg && k.State == state {
					list = append(list, r.info(k, p))
				}
			}
		}
	}
	return list, nil
}

func (r *Ring) info(k Key, p Policy) KeyInfo {
	i := KeyInfo{ID: k.ID, Algorithm: k.Algorithm, State: k.State, PublishedAt: k.PublishedAt,
		SignsFrom: orNull(k.SignedAt), RetiredAt: orNull(k.StopsAt), DropsAt: orNull(k.DropsAt)}
	switch k.State {
	case Published:
		if r.Standby(k.Algorithm).ID == k.ID {
			i.SignsFrom = orNull(r.signsFrom(k.Algorithm))
		}
	case Signing:
		if stops := r.signsFrom(k.Algorithm); !stops.IsZero() {
			i.RetiredAt = orNull(stops)
			i.DropsAt = orNull(stops.Add(max(p.keep(k.TTL), r.Ahead.Value)))
		}
	}
	return i
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Rotate wants the successors of the signing keys of algs (none: all of the ring's) now, and says what follows: a promotion at once, or
// when the standby will sign. Where that was planned already nothing changes. Errors: ErrNoRing, ErrNoKey, too many keys, the store's.
func (o Operator) Rotate(ctx context.Context, algs []Algorithm) ([]Change, error) {
	var lost error
	for range saveAttempts {
		r, err := o.load(ctx)
		if err != nil {
			return nil, err
		}
		wanted := algs
		if len(wanted) == 0 {
			wanted = r.algorithms()
		}
		next, planned, err := o.rotated(ctx, r, wanted)
		if err != nil {
			return nil, err
		}
		if next == r {
			return planned, nil
		}
		saved, err := o.save(ctx, r, next)
		if saved {
			return append(changes(r, next), planned...), nil
		}
		lost = err
	}
	return nil, fmt.Errorf("rotate keys: the ring could not be saved, try again: %w", lost)
}

// rotated is the next version, and what is planned in it.
func (o Operator) rotated(ctx context.Context, r *Ring, algs []Algorithm) (*Ring, []Change, error) {
	now, err := o.now(ctx)
	if err != nil {
		return nil, nil, err
	}
	l := Lifecycle{Policy: o.policyFor(r), command: true}
	made := newPool(func(a Algorithm) (crypto.Signer, error) { return generate(a, l.Policy.RSABits) })
	next, _, err := made.step(ctx, r, now, l, o.Sealer)
	if err == nil && next == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	var planned []Change
	for _, alg := range algs {
		if promoted(r, next, alg) { // it was due; that is the rotation asked for
			continue
		}
		before := next
		if next, err = made.rotate(ctx, before, alg, now, l, o.Sealer); err != nil {
			return nil, nil, err
		}
		if !promoted(r, next, alg) {
			planned = append(planned, next.plan(alg, next == before))
		}
	}
	if next != r {
		next.Version = r.Version + 1
	}
	return next, planned, nil
}

func promoted(before, after *Ring, alg Algorithm) bool {
	was, is := before.SigningKey(alg), after.SigningKey(alg)
	return is != nil && (was == nil || was.ID != is.ID)
}

// rotate is the command with a supply that is made as it is needed.
func (p *pool) rotate(ctx context.Context, in *Ring, alg Algorithm, now time.Time, l Lifecycle, sealer *Sealer) (*Ring, error) {
	for {
		supply, err := p.supply(in, sealer)
		if err != nil {
			return nil, err
		}
		next, short, err := rotate(in, alg, now, l, supply)
		if err != nil || short.Empty() {
			return next, err
		}
		if enough, err := p.equip(ctx, short, sealer, &supply); err != nil || !enough {
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

func (o Operator) load(ctx context.Context) (*Ring, error) {
	doc, err := o.Store.LoadRing(ctx)
	if err != nil {
		return nil, fmt.Errorf("load key ring: %w", err)
	}
	if doc.Version == 0 {
		return nil, ErrNoRing
	}
	return decodeRing(doc)
}

// save says whether next is stored now. A lost answer is settled by loading again: the version's author tells.
func (o Operator) save(ctx context.Context, r, next *Ring) (bool, error) {
	next.By = rand.Text()
	doc, err := next.encode()
	if err != nil {
		return false, err
	}
	saved, err := o.Store.SaveRing(ctx, r.Version, doc)
	if err == nil && !saved {
		return false, errLostRace
	}
	if err == nil {
		return true, nil
	}
	if there, lerr := o.load(ctx); lerr == nil && there.Version == next.Version && there.By == next.By {
		return true, nil
	}
	return false, err
}

// now is the store's time, at the middle of the asking.
func (o Operator) now(ctx context.Context) (time.Time, error) {
	c := newClock(o.Wall, nil, time.Hour)
	if err := c.sync(ctx, o.Store); err != nil {
		return time.Time{}, err
	}
	return c.now(), nil
}

func (o Operator) policyFor(r *Ring) Policy {
	p := o.Policy
	if p == (Policy{}) {
		p = DefaultPolicy()
		p.SigningPeriod = r.usualPeriod(p.SigningPeriod)
	}
	p.PublishAhead, p.TokenTTL = r.Ahead.Value, r.TTL.Value
	p.StaleReads = o.Store.StaleReads()
	return p.Resolved()
}

// usualPeriod is what the ring's own signing keys were given, save those whose successor was asked for before its time.
func (r *Ring) usualPeriod(otherwise time.Duration) time.Duration {
	var periods []time.Duration
	for _, k := range r.Keys {
		if period := k.DueAt.Sub(k.SignedAt); k.State != Published && period >= r.Ahead.Value {
			periods = append(periods, period)
		}
	}
	if len(periods) == 0 {
		return otherwise
	}
	return slices.Max(periods)
}
