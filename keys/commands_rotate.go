package keys

import (
	"fmt"
	"strings"
	"time"
)

// rotate wants the successor of alg's signing key now: it signs at once if it is known, else from when it is. What was due already is the
// rotation asked for, and what is planned already is left as it is.
func rotate(before *Ring, s *stepping, alg Algorithm) ([]Change, error) {
	signing := s.SigningKey(alg)
	switch {
	case signing == nil:
		return nil, fmt.Errorf("%w: %s", ErrNoKey, alg)
	case promoted(before, s.Ring, alg):
		return nil, nil
	case !s.now.Before(signing.DueAt):
		return []Change{s.plan(alg, true)}, nil
	}
	if err := s.refuseFull("rotate"); err != nil {
		return nil, err
	}
	return s.wantSuccessor(alg), nil
}

// wantSuccessor makes the signing key due, and promotes the standby if that is known.
func (s *stepping) wantSuccessor(alg Algorithm) []Change {
	signing := s.SigningKey(alg)
	old, hasty := signing.ID, signing.hasty()
	if s.now.Before(signing.DueAt) {
		signing.DueAt = s.now
		s.changed = true
	}
	s.promoteDue(alg)
	if is := s.SigningKey(alg); is.ID != old {
		if !hasty { // though the old one may have begun to sign at this very moment
			is.DueAt = s.now.Add(s.Policy.SigningPeriod)
		}
		return nil
	}
	return []Change{s.plan(alg, false)}
}

// NotKnownError refuses to let a key sign that some verifiers may lack. Costs says which, and how long they would fail.
type NotKnownError struct {
	Algorithm Algorithm
	KeyID     string
	KnownAt   time.Time
	Costs     []Cost
}

// Error is the refusal and its reasons, a line each.
func (e *NotKnownError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s key %s is known to every verifier only from %s on; if it signs now, these fail:", e.Algorithm, e.KeyID, e.KnownAt.UTC().Format(time.RFC3339))
	for _, c := range e.Costs {
		b.WriteString("\n  " + c.String())
	}
	return b.String()
}

// rotateNow promotes the standby at once. One that is not known is refused, unless the failures are accepted.
func rotateNow(accepted bool) func(*Ring, *stepping, Algorithm) ([]Change, error) {
	return func(before *Ring, s *stepping, alg Algorithm) ([]Change, error) {
		if promoted(before, s.Ring, alg) {
			return nil, nil
		}
		if err := s.refuseFull("rotate"); err != nil {
			return nil, err
		}
		standby := s.Standby(alg)
		if standby == nil {
			return nil, noneOf(alg)
		}
		if !accepted && !s.Known(standby, s.now) {
			return nil, &NotKnownError{Algorithm: alg, KeyID: standby.ID, KnownAt: s.knownAt(standby), Costs: s.Policy.failures(standby.WindowAt, s.now)}
		}
		s.promote(standby.ID)
		s.addStandby(alg)
		return nil, nil
	}
}

// rotateTo lets the key go next, and then rotates: a standby, or one that was withdrawn and is still published. A withdrawn key that every
// verifier has signs again at once; one that may have been out of the set is a standby until it is known.
func rotateTo(kid string) command {
	return func(before *Ring, s *stepping) ([]Change, error) {
		k, err := s.find(kid)
		switch {
		case err != nil:
			return nil, err
		case k.State == Signing:
			return []Change{{Algorithm: k.Algorithm, Kind: ChangePromoted, KeyID: kid, At: k.SignedAt, Already: true}}, nil
		case k.State == Retired && !k.Withdrawn:
			return nil, fmt.Errorf("key %s has signed and is retired: `rollback` lets the key before the present one sign again", kid)
		case len(k.Private.Blob) == 0:
			return nil, fmt.Errorf("key %s has no private half here", kid)
		case s.SigningKey(k.Algorithm) == nil:
			return nil, fmt.Errorf("%w: %s", ErrNoKey, k.Algorithm)
		}
		if err := s.refuseFull("rotate"); err != nil {
			return nil, err
		}
		chosen := k.State == Published && k.Next && !s.now.Before(s.SigningKey(k.Algorithm).DueAt)
		if chosen {
			return []Change{s.plan(k.Algorithm, true)}, nil
		}
		s.choose(k)
		return s.wantSuccessor(k.Algorithm), nil
	}
}

// choose puts the key before every other standby of its algorithm.
func (s *stepping) choose(k *Key) {
	for i := range s.Keys {
		if o := &s.Keys[i]; o.Algorithm == k.Algorithm {
			o.Next = o.ID == k.ID
		}
	}
	k.State, k.Withdrawn = Published, false
	k.StopsAt, k.DropsAt, k.DueAt = time.Time{}, time.Time{}, time.Time{}
	s.changed = true
}
