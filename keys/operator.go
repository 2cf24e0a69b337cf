package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// ErrNoRing: there is no ring to command. A server makes it when it first starts.
var ErrNoRing = errors.New("there is no key ring yet: it is made when signet serves for the first time")

// Operator runs commands on the stored ring, with or without a running server. Each loads, steps, applies, saves under the version that it
// loaded, and begins again when another was first. It keeps nothing.
type Operator struct {
	Store  RingStore
	Sealer *Sealer // of no use to List, Plan and ExportPublic
	Wall   func() time.Time
	// Keeping is where private halves are kept, as the server has it.
	Keeping Keeping
	// Policy is the server's, as far as it is known here. The zero value stands for the defaults; a signing period of 0 is the ring's
	// own; what verifiers were promised (publish-ahead, token life) always comes from the ring.
	Policy Policy
	// Agree, unless nil, is shown what a command is about to change and cost; an error ends the command with nothing changed. Because
	// people take their time, the command then begins anew, and asks again only if it would do something else by now.
	Agree func([]Change) error
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
		p.SigningPeriod, p.StaleIfError = 0, Derived
	}
	if p.SigningPeriod == 0 {
		p.SigningPeriod = r.usualPeriod(max(DefaultPolicy().SigningPeriod, r.Ahead.Value))
	}
	p.PublishAhead, p.TokenTTL = r.Ahead.Value, r.TTL.Value
	p.StaleReads = o.Store.StaleReads()
	return p.Resolved()
}

// usualPeriod is what the ring's own signing key was given last, save those whose successor was asked for before its time.
func (r *Ring) usualPeriod(otherwise time.Duration) time.Duration {
	newest := time.Time{}
	for _, k := range r.Keys {
		if period := k.DueAt.Sub(k.SignedAt); k.State != Published && period >= r.Ahead.Value && k.SignedAt.After(newest) {
			newest, otherwise = k.SignedAt, period
		}
	}
	return otherwise
}
