package keys

import (
	"fmt"
	"time"
)

// Commands change the ring as an operator asks. Each is applied to a ring that was stepped to now, and returns its next version; they use
// the ring's leases, never settings of their own, for what verifiers were promised.

// rotate wants the successor of alg's signing key now: it signs at once if it is known, else from when it is. What is
// planned already is left as it is: the same pointer comes back.
func rotate(in *Ring, alg Algorithm, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage, error) {
	signing := in.SigningKey(alg)
	if signing == nil {
		return in, Shortage{}, fmt.Errorf("%w: %s", ErrNoKey, alg)
	}
	now = latest(now.UTC().Truncate(time.Millisecond), in.AttendedAt)
	if !now.Before(signing.DueAt) {
		return in, Shortage{}, nil
	}
	if len(in.Keys) >= maxPublished {
		return in, Shortage{}, fmt.Errorf("%d keys are published, as many as every verifier reads: rotate again when older ones have left", len(in.Keys))
	}
	due := in.clone()
	due.SigningKey(alg).DueAt = now
	next, short := Step(due, now, l, supply)
	if !short.Empty() {
		return in, short, nil
	}
	next.Version = in.Version + 1
	return next, Shortage{}, nil
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
