package keys

import (
	"slices"
	"time"
)

// Vanished says whether a stored ring does not descend from mine, which the store confirmed within R: it is older, or a key is
// missing that was neither revoked nor due to leave. Somebody restored a backup under running replicas.
func Vanished(stored, mine *Ring, now time.Time, p Policy) bool {
	if stored.Version < mine.Version {
		return true
	}
	for _, k := range mine.Keys {
		mayBeGone := slices.Contains(stored.Revoked, k.ID) || (k.State == Retired && !now.Before(k.DropsAt.Add(-2*p.Skew)))
		if stored.Key(k.ID) == nil && !mayBeGone {
			return true
		}
	}
	return false
}

// Merge puts back what a live replica knows and a restored ring lacks. Mine is the base. Revoked keys of either are gone. A key that only
// the store has may have signed in the meantime, and may have been out of the JWKS: it stays published and never signs
// again; likewise a secret derives no more. The invariant: merging in any order gives the same kids, and every version that comes
// of it is above both.
func Merge(stored, mine *Ring, now time.Time, p Policy) *Ring {
	m := stepping{Ring: mine.clone(), Lifecycle: Lifecycle{Policy: p}}
	m.now = latest(latest(now.UTC().Truncate(time.Millisecond), mine.AttendedAt), stored.AttendedAt)
	m.AttendedAt, m.ResumedAt = latest(m.AttendedAt, stored.AttendedAt), latest(m.ResumedAt, stored.ResumedAt)
	m.Ahead, m.TTL = higher(m.Ahead, stored.Ahead), higher(m.TTL, stored.TTL)
	m.mergeKeys(stored)
	m.mergeSecrets(stored)
	for _, alg := range m.Ring.algorithms() {
		if m.SigningKey(alg) == nil {
			m.takeOver(alg)
		}
	}
	m.Version = max(stored.Version, mine.Version) + 1
	return m.Ring
}

func (s *stepping) mergeKeys(stored *Ring) {
	for _, kid := range stored.Revoked {
		s.revoke(kid)
	}
	for i := range s.Keys {
		k := &s.Keys[i]
		theirs := stored.Key(k.ID)
		switch {
		case k.State == Published && theirs == nil: // whoever took the restored ring served sets without it
			k.WindowAt = s.now
		case k.State == Retired && theirs != nil && theirs.State == Signing: // and signed by it
			k.DropsAt = latest(k.DropsAt, s.now.Add(s.Policy.keep(max(k.TTL, theirs.TTL))))
		}
	}
	for _, k := range stored.Keys {
		if s.Key(k.ID) != nil || slices.Contains(s.Revoked, k.ID) {
			continue
		}
		k.TTL = max(k.TTL, stored.TTL.Value)
		s.retire(&k)
		k.Withdrawn, k.Next = true, false
		k.WindowAt = s.now // sets without it were served: should an operator want it, it waits like a new one
		s.Keys = append(s.Keys, k)
		s.Dropped = slices.DeleteFunc(s.Dropped, func(d Dropped) bool { return d.ID == k.ID })
	}
	for _, d := range stored.Dropped {
		if !s.everHeld(d.ID) {
			s.Dropped = append(s.Dropped, d)
		}
	}
}

func (s *stepping) mergeSecrets(stored *Ring) {
	for _, n := range stored.Secrets {
		if slices.ContainsFunc(s.Secrets, func(o Secret) bool { return o.ID == n.ID }) {
			continue
		}
		n.Withdrawn = true
		n.DropsAt = latest(n.DropsAt, s.now.Add(s.Policy.trueR()+n.Life+2*s.Policy.Skew))
		s.Secrets = append(s.Secrets, n)
	}
}

func higher(a, b Lease) Lease {
	if b.Value > a.Value || (b.Value == a.Value && b.AssertedAt.After(a.AssertedAt)) {
		return b
	}
	return a
}
