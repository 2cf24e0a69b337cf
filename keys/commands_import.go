package keys

import (
	"fmt"
	"slices"
)

// importKey publishes a key from outside as a standby: it waits like any other, and then goes first.
func importKey(k Key) command {
	return func(_ *Ring, s *stepping) ([]Change, error) {
		if err := s.refuseHeld(k.ID); err != nil {
			return nil, err
		}
		if err := s.refuseFull("import"); err != nil {
			return nil, err
		}
		k.State, k.PublishedAt, k.WindowAt, k.Imported = Published, s.now, s.now, true
		s.Keys = append(s.Keys, k)
		s.addStandby(k.Algorithm)
		s.changed = true
		if s.Standby(k.Algorithm).ID != k.ID {
			return nil, nil
		}
		return []Change{s.plan(k.Algorithm, false)}, nil
	}
}

// importPublic publishes the public half of a key that signed for this issuer by a ring that was lost: what it signed verifies again, and it never
// signs.
func importPublic(k Key) command {
	return func(_ *Ring, s *stepping) ([]Change, error) {
		if err := s.refuseHeld(k.ID); err != nil {
			return nil, err
		}
		if err := s.refuseFull("import"); err != nil {
			return nil, err
		}
		k.Private, k.PublishedAt, k.WindowAt, k.TTL = Sealed{}, s.now, s.now, s.TTL.Value
		k.Imported, k.Withdrawn = true, true
		s.retire(&k)
		s.Keys = append(s.Keys, k)
		s.changed = true
		return nil, nil
	}
}

// refuseHeld refuses a kid that is, or was, this ring's.
func (r *Ring) refuseHeld(kid string) error {
	switch {
	case r.Key(kid) != nil:
		return fmt.Errorf("key %s is in the ring already (%s)", kid, r.Key(kid).State)
	case slices.Contains(r.Revoked, kid):
		return fmt.Errorf("key %s is revoked, and never comes back", kid)
	case r.everHeld(kid):
		return fmt.Errorf("key %s was in the ring and has left it: it does not come back", kid)
	}
	return nil
}
