package keys

import (
	"slices"
	"time"
)

// Lifecycle is what whoever takes the ring forward goes by.
type Lifecycle struct {
	Policy     Policy      // Resolved
	Algorithms []Algorithm // those wanted; the ring's own are looked after besides
	// InUse says that verifiers have known keys under this issuer's URL before, so that the keys of an empty ring
	// wait like any other before they sign.
	InUse bool

	command bool // a command: it serves nothing, so that it attends nothing, asserts no lease and adds no secret
}

// Step takes the ring to what it should be at now (the store's time): it returns the next version, or the same pointer
// when there is nothing to do. It is pure; new keys and secrets are taken from supply. When that holds too few, nothing
// happens but that Shortage says what is missing: get it and step again.
//
// The invariants: every version names one signing key and has a standby for each algorithm, save one that is new to a ring in
// use; a key signs only when it is Known, and leaves only when nothing that it signed is alive. At one now, a second Step does nothing.
func Step(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage) {
	s := stepping{Ring: in.clone(), Lifecycle: l, supply: supply.without(in)}
	s.now = latest(now.UTC().Truncate(time.Millisecond), in.AttendedAt) // lifecycle time never goes back
	if in.Version == 0 {
		s.begin()
	}
	s.attend()
	if !l.command {
		s.assertLeases()
	}
	for _, alg := range s.algorithms() {
		s.addStandby(alg)
		s.promoteDue(alg)
	}
	s.drop()
	if !l.command {
		s.keepSecrets()
	}
	switch {
	case !s.short.Empty():
		return in, s.short
	case !s.changed:
		return in, Shortage{}
	}
	s.Version = in.Version + 1
	return s.Ring, Shortage{}
}

// stepping is one Step under way.
type stepping struct {
	*Ring
	Lifecycle
	now     time.Time
	supply  Supply
	short   Shortage
	changed bool
}

// begin makes the first version. Nobody has a set that could lack its keys, so that they sign at once,
// unless the issuer's URL is already in use.
func (s *stepping) begin() {
	s.changed = true
	s.AttendedAt, s.ResumedAt = s.now, s.now
	s.Ahead, s.TTL = Lease{s.Policy.PublishAhead, s.now}, Lease{s.Policy.TokenTTL, s.now}
	if s.InUse {
		return
	}
	for _, alg := range s.Algorithms {
		if k := s.add(alg); k != nil {
			s.sign(k)
		}
	}
}

// attend records that a replica is there. After an outage the publication of keys that were not yet known begins anew, because
// nobody could fetch them; and retired keys stay for what may have been signed as the outage began.
func (s *stepping) attend() {
	gap := s.now.Sub(s.AttendedAt)
	if gap > s.Policy.OutageAfter {
		s.changed = true
		s.ResumedAt = s.now
		for i := range s.Keys {
			k := &s.Keys[i]
			if k.mayComeUp() && !s.Known(k, s.AttendedAt) {
				k.WindowAt = s.now
			}
			if k.State == Retired {
				k.DropsAt = latest(k.DropsAt, s.now.Add(s.Policy.keep(k.TTL)))
			}
		}
		s.keepSecretsThroughOutage()
	}
	// A command leaves the time as it is: the next replica is to see the same outage.
	if gap > s.Policy.AttendEvery && !s.command {
		s.changed = true
		s.AttendedAt = s.now
	}
}

// assertLeases brings this replica's publish-ahead and token life into the ring.
func (s *stepping) assertLeases() {
	if s.assert(&s.Ahead, s.Policy.PublishAhead) {
		// Under the old value a standby may have counted as known before an outage; under the new one it was not.
		for i := range s.Keys {
			if k := &s.Keys[i]; k.mayComeUp() {
				k.WindowAt = latest(k.WindowAt, s.ResumedAt)
			}
		}
	}
	if s.assert(&s.TTL, s.Policy.TokenTTL) {
		for i := range s.Keys {
			if k := &s.Keys[i]; k.State == Signing {
				k.TTL = max(k.TTL, s.TTL.Value)
			}
		}
	}
}

// assert says whether it raised the lease.
func (s *stepping) assert(l *Lease, own time.Duration) (raised bool) {
	patience := l.Value + s.Policy.AttendEvery + 2*s.Policy.Skew
	switch {
	case own > l.Value:
		raised = true
	case own == l.Value && s.now.Sub(l.AssertedAt) > s.Policy.AttendEvery:
	case own < l.Value && s.now.Sub(l.AssertedAt) > patience:
	default:
		return false
	}
	*l = Lease{own, s.now}
	s.changed = true
	return raised
}

// algorithms are the ring's and those wanted: a replica that was started without one of the ring's still rotates its keys.
func (s *stepping) algorithms() []Algorithm {
	algs := s.Ring.algorithms()
	for _, a := range s.Algorithms {
		if !s.command && !slices.Contains(algs, a) {
			algs = append(algs, a)
		}
	}
	return algs
}

func (s *stepping) addStandby(alg Algorithm) {
	if s.Standby(alg) == nil {
		s.add(alg)
	}
}

// promoteDue lets the standby sign when the schedule wants it and every verifier has it. Without a signing key (an algorithm new
// to a ring in use) it is wanted as soon as it is known.
func (s *stepping) promoteDue(alg Algorithm) {
	signing, standby := s.SigningKey(alg), s.Standby(alg)
	if standby == nil || !s.Known(standby, s.now) || (signing != nil && s.now.Before(signing.DueAt)) {
		return
	}
	s.promote(standby.ID)
	s.addStandby(alg)
}

// promote makes the key the signing one, and retires the one before. One that took over from a revoked key was due at once, so that a key
// that no verifier can know follows it: while what follows was published earlier, the next is due at once again.
func (s *stepping) promote(kid string) {
	k := s.Key(kid)
	old := s.SigningKey(k.Algorithm)
	hasty := old != nil && old.hasty() && k.PublishedAt.Before(old.SignedAt)
	if old != nil {
		k.Prev = old.ID
		s.retire(old)
	}
	s.sign(k)
	if hasty {
		k.DueAt = s.now
	}
	s.changed = true
}

// hasty says of a signing key that it took over from a revoked one.
func (k *Key) hasty() bool { return !k.DueAt.After(k.SignedAt) }

func (s *stepping) sign(k *Key) {
	k.State, k.SignedAt, k.DueAt = Signing, s.now, s.now.Add(s.Policy.SigningPeriod)
	k.TTL = max(k.TTL, s.TTL.Value)
	k.StopsAt, k.DropsAt = time.Time{}, time.Time{}
	k.Next = false
}

// retire keeps the key published for what it signed, and at least as long as a rollback shall stay possible.
func (s *stepping) retire(k *Key) {
	k.State, k.StopsAt = Retired, s.now
	k.DropsAt = s.now.Add(max(s.Policy.keep(k.TTL), s.Ahead.Value))
}

// drop takes out the retired keys that nothing alive was signed by. One that stopped under settings that would let it go sooner
// than this policy (a shorter leeway, another's command line) stays for what this one asks.
func (s *stepping) drop() {
	for _, k := range slices.Clone(s.Keys) {
		if k.State != Retired {
			continue
		}
		if floor := k.StopsAt.Add(s.Policy.keep(k.TTL)); k.DropsAt.Before(floor) {
			k.DropsAt = floor
			s.Key(k.ID).DropsAt = floor
			s.changed = true
		}
		if !s.now.Before(k.DropsAt) {
			s.remove(k.ID)
			s.Dropped = append(s.Dropped, Dropped{ID: k.ID, Algorithm: k.Algorithm, Public: k.Public, DroppedAt: s.now})
			s.changed = true
		}
	}
	before := len(s.Dropped)
	s.Dropped = slices.DeleteFunc(s.Dropped, func(d Dropped) bool { return s.now.Sub(d.DroppedAt) >= keepDropped })
	s.changed = s.changed || len(s.Dropped) != before
}

// add publishes a new key as a standby; nil when the supply has none.
func (s *stepping) add(alg Algorithm) *Key {
	k, ok := take(&s.supply.Keys, func(k Key) bool { return k.Algorithm == alg })
	if !ok {
		s.short.key(alg)
		return nil
	}
	k.State, k.PublishedAt, k.WindowAt = Published, s.now, s.now
	s.Keys = append(s.Keys, k)
	s.changed = true
	return &s.Keys[len(s.Keys)-1]
}

// mayComeUp says whether how long the key has been published may yet decide when it signs: a standby's, and that of a withdrawn key, which an
// operator can want again.
func (k *Key) mayComeUp() bool { return k.State == Published || k.Withdrawn }

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
