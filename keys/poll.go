package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// A poll, in order: the KEK file; the store's time; load the ring; merge when it went back; use it; step; save; use that; heartbeat.
// The invariant: what a replica uses was in the store at some moment after the instant that it counts its age from, and a version is
// written only over the one that it was made from. A lost race and a lost answer are the same thing: load again.

// saveAttempts bounds how often one poll loads again. Another poll follows.
const saveAttempts = 6

var errMakingKeys = errors.New("keys are being made")

// Start polls until this replica can sign and publish: it makes the ring where there is none, brings its own settings into it, and writes
// the heartbeat. An error is final for this call; it may be called again.
func (r *Replica) Start(ctx context.Context) error {
	for {
		err := r.Poll(ctx)
		if err == nil {
			_, err = r.usable(r.policy.R())
			return err
		}
		if !errors.Is(err, errMakingKeys) {
			return err
		}
		select {
		case <-r.pool.made:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Run polls every Poll, when keys have been made, and when a key did not sign, until ctx ends; then it deletes the heartbeat. Failures are events.
func (r *Replica) Run(ctx context.Context) {
	every := time.NewTicker(r.policy.Poll)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patience())
			defer cancel()
			r.discardUnused(last)
			if err := r.store.DeleteHeartbeat(last, r.id); err != nil {
				r.tell(Event{Kind: EventHeartbeat, Err: fmt.Errorf("delete heartbeat: %w", err)})
			}
			return
		case <-every.C:
		case <-r.pool.made:
		case <-r.pulse.wake:
		}
		_ = r.Poll(ctx) // told of as an event
	}
}

// patience bounds a poll, so that one that hangs still leaves time for the next within R.
func (r *Replica) patience() time.Duration { return max(2*r.policy.Poll, time.Second) }

// Poll does one poll. An error says that the ring could not be confirmed or saved; what is in use stays in use, and grows older.
func (r *Replica) Poll(ctx context.Context) error {
	r.polling <- struct{}{}
	defer func() { <-r.polling }()
	ctx, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	r.counts.polls.Add(1)
	r.rereadKEKs()
	if err := r.clock.sync(ctx, r.store); err != nil {
		return r.failed(ctx, err)
	}
	r.noteClock()
	err := r.advance(ctx)
	r.beat(ctx)
	r.visitVault(ctx)
	if err != nil {
		return r.failed(ctx, err)
	}
	return nil
}

func (r *Replica) failed(ctx context.Context, err error) error {
	if errors.Is(err, errMakingKeys) || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	r.counts.failures.Add(1)
	r.tell(Event{Kind: EventPollFailed, Err: err})
	return err
}

// advance loads, steps and saves until there is nothing to save, or another's version is already what it should be.
func (r *Replica) advance(ctx context.Context) error {
	var lost error
	for range saveAttempts {
		again, err := r.advanceOnce(ctx)
		if !again {
			return err
		}
		r.counts.lost.Add(1)
		lost = err
		r.tell(Event{Kind: EventSaveLost, Err: err})
	}
	return fmt.Errorf("save key ring: lost %d times in a row: %w", saveAttempts, lost)
}

var errLostRace = errors.New("another version was stored first")

// advanceOnce says whether to load again.
func (r *Replica) advanceOnce(ctx context.Context) (again bool, err error) {
	began := r.clock.instant()
	stored, err := r.load(ctx)
	if err != nil {
		return false, err
	}
	base, mayWrite := stored, r.clock.skewed()
	switch {
	case r.wentBack(stored):
		if mayWrite != nil {
			return false, fmt.Errorf("the stored ring went back to version %d: %w", stored.Version, mayWrite)
		}
		base = Merge(stored, r.view.Load().ring, r.Now(), r.policy)
	case stored.Version > 0:
		if err := r.adopt(ctx, stored, began, EventRingAdopted, nil); err != nil {
			return false, err
		}
	}
	if mayWrite != nil {
		if r.view.Load() == nil {
			return false, fmt.Errorf("no key ring yet, and none is written: %w", mayWrite)
		}
		return false, nil
	}
	next, err := r.step(ctx, base)
	if err != nil || next == stored {
		return false, err
	}
	return r.save(ctx, stored, next, base != stored)
}

func (r *Replica) load(ctx context.Context) (*Ring, error) {
	doc, err := r.store.LoadRing(ctx)
	if err != nil {
		return nil, fmt.Errorf("load key ring: %w", err)
	}
	if v := r.view.Load(); v != nil && v.ring.Version == doc.Version && v.ring.By == doc.By {
		return v.ring, nil
	}
	ring, err := decodeRing(doc)
	if err == nil && ring.Restarting != "" {
		return nil, ErrRestarting
	}
	return ring, err
}

// wentBack says whether what is stored lacks something of what the store confirmed to this replica within R. Later than that nothing signs
// by its version any more, and the store's is as good.
func (r *Replica) wentBack(stored *Ring) bool {
	v := r.view.Load()
	return v != nil && r.clock.instant().since(v.confirmed) <= r.policy.R() && Vanished(stored, v.ring, r.Now(), r.policy)
}

// step waits for new keys no longer than a poll; they are used by the next one then.
func (r *Replica) step(ctx context.Context, base *Ring) (*Ring, error) {
	wait, cancel := context.WithTimeout(ctx, r.policy.Poll)
	defer cancel()
	life := r.life
	life.InUse = r.view.Load() != nil
	next, ready, err := r.pool.step(wait, base, r.Now(), life, r.sealer)
	switch {
	case err != nil:
		return nil, err
	case ready:
		return next, nil
	case r.view.Load() == nil:
		return nil, errMakingKeys
	default:
		return base, nil
	}
}

func (r *Replica) save(ctx context.Context, stored, next *Ring, merged bool) (again bool, err error) {
	next.By = rand.Text()
	doc, err := next.encode()
	if err != nil {
		return false, err
	}
	began := r.clock.instant()
	saved, err := r.store.SaveRing(ctx, stored.Version, doc)
	if err != nil {
		r.pool.doubt(next)
		return true, fmt.Errorf("save key ring: %w", err)
	}
	if !saved {
		return true, errLostRace
	}
	r.counts.saves.Add(1)
	kind := EventRingChanged
	if merged {
		kind = EventRingWentBack
	}
	return false, r.adopt(ctx, next, began, kind, changes(stored, next))
}

// adopt makes a version the one in use, confirmed as of began.
func (r *Replica) adopt(ctx context.Context, ring *Ring, began instant, kind EventKind, what []Change) error {
	v := r.view.Load()
	if v != nil && v.current(ring, r.sealer.KEKIDs()) {
		r.view.Store(&view{v.opened, began})
		return nil
	}
	var before *opened
	if v != nil {
		before = v.opened
	}
	opening, cancel := context.WithTimeout(ctx, r.patience()/2) // for a vault; the poll is to go on without it
	defer cancel()
	o, err := open(opening, ring, r.sealer, r.keeping, r.policy, before)
	if err == nil && errors.Is(o.problem, ErrUnknownKEK) && r.rereadKEKs() {
		o, err = open(opening, ring, r.sealer, r.keeping, r.policy, before)
	}
	if err != nil {
		return fmt.Errorf("key ring, version %d: %w", ring.Version, err)
	}
	r.view.Store(&view{o, began})
	if before != nil {
		for _, k := range erased(before.ring, ring) {
			r.erasing = append(r.erasing, erasure{Key: k})
		}
		r.counts.rotated(before.ring, ring)
	}
	if before == nil || before.ring.Version != ring.Version || before.ring.By != ring.By {
		r.tell(Event{Kind: kind, RingVersion: ring.Version, Changes: what})
		if len(ring.Keys) > maxPublished {
			r.tell(Event{Kind: EventTooManyKeys, RingVersion: ring.Version, Err: fmt.Errorf("%d keys are published, verifiers read %d", len(ring.Keys), maxPublished)})
		}
	}
	r.noteProblem()
	return nil
}

// reload loads the ring for a request that meets an unknown secret, at most once a second, unless found says that a poll meanwhile
// brought it.
func (r *Replica) reload(ctx context.Context, found func() bool) error {
	select {
	case r.polling <- struct{}{}:
		defer func() { <-r.polling }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := r.clock.instant()
	if found() || (r.reloaded != instant{} && began.since(r.reloaded) < time.Second) {
		return nil
	}
	r.reloaded = began
	stored, err := r.load(ctx)
	if err != nil {
		return err
	}
	if stored.Version == 0 || r.wentBack(stored) {
		return nil // for the next poll
	}
	return r.adopt(ctx, stored, began, EventRingAdopted, nil)
}
