package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RewrapOptions is how careful a rewrap is.
type RewrapOptions struct {
	// Force seals anew though a running replica has not loaded the first KEK: it will be unready until it does.
	Force bool
	// Progress is told how many of the ring's sealed things are done; nil is for nobody.
	Progress func(done, all int)
	// Waiting is told, once, of the replicas that are waited for; nil is for nobody.
	Waiting func(replicas []string)
}

// Rewrapped is what a rewrap of the ring did.
type Rewrapped struct {
	RingVersion int64    `json:"ring_version"`
	KEKID       string   `json:"kek_id"`
	Sealed      int      `json:"sealed"`  // things sealed anew
	Already     int      `json:"already"` // things that were sealed by the first KEK before
	Skipped     []string `json:"skipped"` // live replicas without the first KEK, under Force
}

// Rewrap seals everything in the ring anew by the sealer's first KEK, in one compare-and-set, without any change of the lifecycle. What is sealed by it
// already stays as it is, so that a second rewrap changes nothing. A live replica that has not loaded that KEK is waited for
// during four polls; then it is an error that names it, unless forced. Something that does not open is an error, with nothing changed.
func (o Operator) Rewrap(ctx context.Context, options RewrapOptions) (Rewrapped, error) {
	skipped, err := o.awaitKEK(ctx, options)
	if err != nil {
		return Rewrapped{}, err
	}
	var lost error
	for range saveAttempts {
		r, err := o.load(ctx)
		if err != nil {
			return Rewrapped{}, err
		}
		next, done, err := r.rewrap(o.Sealer, options.Progress)
		if err != nil {
			return Rewrapped{}, err
		}
		done.Skipped = append([]string{}, skipped...)
		if done.Sealed == 0 {
			return done, nil
		}
		saved, err := o.save(ctx, r, next)
		if saved {
			return done, nil
		}
		lost = err
	}
	return Rewrapped{}, fmt.Errorf("rewrap: the ring could not be saved, try again: %w", lost)
}

// rewrap is the next version, everything in it sealed by the first KEK.
func (r *Ring) rewrap(sealer *Sealer, progress func(done, all int)) (*Ring, Rewrapped, error) {
	next := r.clone()
	next.Version++
	first := sealer.KEKIDs()[0]
	done := Rewrapped{RingVersion: r.Version, KEKID: first}
	all := len(next.Keys) + len(next.Secrets)
	again := func(at *Sealed, what string, context ...string) error {
		if progress != nil {
			defer func() { progress(done.Sealed+done.Already, all) }()
		}
		if at.KEKID == first || len(at.Blob) == 0 {
			done.Already++
			return nil
		}
		plaintext, err := sealer.Open(at.Blob, context...)
		if err != nil {
			return fmt.Errorf("open %s: %w", what, err)
		}
		if *at, err = sealer.seal(plaintext, context...); err == nil {
			done.Sealed++
		}
		return err
	}
	for i := range next.Keys {
		k := &next.Keys[i]
		if err := again(&k.Private, "key "+k.ID, "signing key", k.ID, string(k.Algorithm)); err != nil {
			return nil, done, err
		}
	}
	for i := range next.Secrets {
		s := &next.Secrets[i]
		if err := again(&s.Sealed, "secret "+s.ID, "MAC secret", string(s.Purpose), s.ID); err != nil {
			return nil, done, err
		}
	}
	if done.Sealed > 0 {
		done.RingVersion = next.Version
	}
	return next, done, nil
}

// awaitKEK waits until every live replica has the first KEK, and returns those that have not, when that is forced.
func (o Operator) awaitKEK(ctx context.Context, options RewrapOptions) ([]string, error) {
	r, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	p := o.policyFor(r)
	var without []string
	for tries := 0; ; tries++ {
		if without, err = o.withoutKEK(ctx, o.Sealer.KEKIDs()[0], p); err != nil {
			return nil, err
		}
		if len(without) == 0 || options.Force {
			return without, nil
		}
		if tries == 4 {
			return nil, fmt.Errorf("replicas that run without the first key-encryption key: %s. Give it to them (they read the file again within a poll), or use --force",
				strings.Join(without, ", "))
		}
		if tries == 0 && options.Waiting != nil {
			options.Waiting(without)
		}
		select {
		case <-time.After(p.Poll):
		case <-ctx.Done():
			return nil, errors.Join(errors.New("waiting for replicas to load the first key-encryption key"), ctx.Err())
		}
	}
}

// withoutKEK names the live replicas that have not loaded a KEK.
func (o Operator) withoutKEK(ctx context.Context, id string, p Policy) ([]string, error) {
	now, err := o.now(ctx)
	if err != nil {
		return nil, err
	}
	beats, err := o.Store.Heartbeats(ctx)
	if err != nil {
		return nil, fmt.Errorf("list replicas: %w", err)
	}
	var without []string
	for _, b := range beats {
		if now.Sub(b.At) < p.R() && !slices.Contains(b.KEKIDs, id) {
			without = append(without, b.Replica)
		}
	}
	slices.Sort(without)
	return without, nil
}
