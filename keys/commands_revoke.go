package keys

import "slices"

// revoke takes a key out at once, and its kid stays known as revoked for ever. Whatever it signed fails from now on; where it was the
// signing key, another takes over in the same version. Again is nothing.
func revoke(kid string) command {
	return func(_ *Ring, s *stepping) ([]Change, error) {
		if slices.Contains(s.Revoked, kid) && s.Key(kid) == nil {
			return []Change{{Kind: ChangeRevoked, KeyID: kid, At: s.now, Already: true}}, nil
		}
		if i := slices.IndexFunc(s.Dropped, func(d Dropped) bool { return d.ID == kid }); i >= 0 && s.Key(kid) == nil {
			alg := s.Dropped[i].Algorithm
			s.revoke(kid)
			s.changed = true
			return []Change{{Algorithm: alg, Kind: ChangeRevoked, KeyID: kid, At: s.now}}, nil
		}
		k, err := s.find(kid)
		if err != nil {
			return nil, err
		}
		s.revokeAndReplace(k.Algorithm, []string{kid})
		return nil, nil
	}
}

// revokeAll revokes every key of an algorithm: what is to be done when the KEK, or an open ring, has leaked.
func revokeAll(alg Algorithm) command {
	return func(_ *Ring, s *stepping) ([]Change, error) {
		var kids []string
		for _, k := range s.Keys {
			if k.Algorithm == alg {
				kids = append(kids, k.ID)
			}
		}
		if len(kids) == 0 {
			return nil, noneOf(alg)
		}
		s.revokeAndReplace(alg, kids)
		return nil, nil
	}
}

func (s *stepping) revokeAndReplace(alg Algorithm, kids []string) {
	signing := s.SigningKey(alg)
	orphaned := signing != nil && slices.Contains(kids, signing.ID)
	for _, kid := range kids {
		s.revoke(kid)
	}
	s.changed = true
	if orphaned {
		s.takeOver(alg)
	}
	s.addStandby(alg)
}

// takeOver finds a new signing key at once when the one there was is gone. In this order: a standby that every verifier has; the latest
// key that signed and was not withdrawn, which every cache still holds; the oldest standby; a new key. Its own successor is wanted at once, so
// that a kid unknown to verifiers signs as soon as it may: those that keep a set for ever ask again only then.
func (s *stepping) takeOver(alg Algorithm) {
	next := s.firstStandby(alg, func(k *Key) bool { return s.Known(k, s.now) })
	if next == nil {
		next = s.latestRetired(alg)
	}
	if next == nil {
		next = s.oldestStandby(alg)
	}
	if next == nil {
		next = s.add(alg)
	}
	if next == nil {
		return
	}
	kid := next.ID
	s.promote(kid)
	s.Key(kid).DueAt = s.now
}

func (s *stepping) latestRetired(alg Algorithm) *Key {
	var found *Key
	for i := range s.Keys {
		k := &s.Keys[i]
		if k.Algorithm == alg && k.State == Retired && !k.Withdrawn && (found == nil || k.StopsAt.After(found.StopsAt)) {
			found = k
		}
	}
	return found
}
