package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Commands change the ring as an operator asks. Each is applied to a ring that was stepped to now, and makes its next version, one for the step
// and the command together; they use the ring's leases, never settings of their own, for what verifiers were promised.
//
// The invariants are Step's: a command leaves one signing key and a standby for each algorithm, and a key that signed stays published for what it
// signed, unless it is revoked. Only two let a key sign that some verifiers may lack, and both say so beforehand: rotate --now, and revoke.

// command does its part on the stepped ring and returns what a comparison of the versions would not show: what is planned, and what was so
// already. An error refuses it: nothing is changed. Before is the version that was loaded.
type command func(before *Ring, s *stepping) ([]Change, error)

// apply steps the ring and gives the command: the next version, or the same pointer when there is nothing to do. It is pure.
func (do command) apply(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, []Change, Shortage, error) {
	stepped, short := Step(in, now, l, supply)
	if !short.Empty() {
		return in, nil, short, nil
	}
	s := stepping{Ring: stepped.clone(), Lifecycle: l, supply: supply.without(stepped)}
	s.now = latest(now.UTC().Truncate(time.Millisecond), stepped.AttendedAt)
	notes, err := do(in, &s)
	switch {
	case err != nil:
		return in, nil, Shortage{}, err
	case !s.short.Empty():
		return in, nil, s.short, nil
	case !s.changed:
		return stepped, notes, Shortage{}, nil
	}
	s.Version = in.Version + 1
	return s.Ring, notes, Shortage{}, nil
}

// each gives a command for every one of algs (none: the ring's), all in one version. If one is refused, nothing is done.
func each(algs []Algorithm, do func(before *Ring, s *stepping, alg Algorithm) ([]Change, error)) command {
	return func(before *Ring, s *stepping) (notes []Change, err error) {
		wanted := algs
		if len(wanted) == 0 {
			wanted = s.Ring.algorithms()
		}
		for _, alg := range wanted {
			more, err := do(before, s, alg)
			if err != nil {
				return nil, err
			}
			notes = append(notes, more...)
		}
		return notes, nil
	}
}

// ErrNoSuchKey: no key of that kid is in the ring, nor was.
var ErrNoSuchKey = errors.New("the ring has no such key")

func noneOf(alg Algorithm) error { return fmt.Errorf("the ring has no %s key", alg) }

// refuseFull holds the set below what every verifier reads.
func (r *Ring) refuseFull(again string) error {
	if len(r.Keys) >= maxPublished {
		return fmt.Errorf("%d keys are published, as many as every verifier reads: %s again when older ones have left", len(r.Keys), again)
	}
	return nil
}

// find says where a kid is that an operator named.
func (r *Ring) find(kid string) (*Key, error) {
	switch k := r.Key(kid); {
	case k != nil:
		return k, nil
	case slices.Contains(r.Revoked, kid):
		return nil, fmt.Errorf("key %s is revoked", kid)
	case slices.ContainsFunc(r.Dropped, func(d Dropped) bool { return d.ID == kid }):
		return nil, fmt.Errorf("key %s has left the ring", kid)
	}
	return nil, fmt.Errorf("%w: %.60q", ErrNoSuchKey, kid)
}

// signsFrom is when the standby will take over, as planned: when it is due and known.
func (r *Ring) signsFrom(alg Algorithm) time.Time {
	standby := r.Standby(alg)
	if standby == nil {
		return time.Time{}
	}
	from := r.knownAt(standby)
	if signing := r.SigningKey(alg); signing != nil {
		from = latest(from, signing.DueAt)
	}
	return from
}

// plan says when the standby of alg will sign.
func (r *Ring) plan(alg Algorithm, already bool) Change {
	return Change{Algorithm: alg, Kind: ChangePlanned, KeyID: r.Standby(alg).ID, At: r.signsFrom(alg), Already: already}
}
