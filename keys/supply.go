package keys

import "slices"

// Supply is new keys and secrets, sealed, that a Step may put into the ring. What it does not take stays new.
type Supply struct {
	Keys    []Key    // ID, Algorithm, Private and Public are set
	Secrets []Secret // ID, Purpose and Sealed are set
}

// without is a copy that lacks what the ring already has: a write whose answer was lost may have put it there.
func (s Supply) without(r *Ring) Supply {
	return Supply{
		Keys: slices.DeleteFunc(slices.Clone(s.Keys), func(k Key) bool { return r.everHeld(k.ID) }),
		Secrets: slices.DeleteFunc(slices.Clone(s.Secrets), func(n Secret) bool {
			return slices.ContainsFunc(r.Secrets, func(o Secret) bool { return o.ID == n.ID })
		}),
	}
}

// take removes and returns the first element that fits.
func take[T any](from *[]T, fits func(T) bool) (found T, ok bool) {
	i := slices.IndexFunc(*from, fits)
	if i < 0 {
		return found, false
	}
	found = (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	return found, true
}

// Shortage counts what a Step wanted beyond its supply.
type Shortage struct {
	Keys    map[Algorithm]int
	Secrets map[MACPurpose]int
}

// Empty says that nothing is missing.
func (s Shortage) Empty() bool { return len(s.Keys) == 0 && len(s.Secrets) == 0 }

func (s *Shortage) key(alg Algorithm) {
	if s.Keys == nil {
		s.Keys = map[Algorithm]int{}
	}
	s.Keys[alg]++
}

func (s *Shortage) secret(p MACPurpose) {
	if s.Secrets == nil {
		s.Secrets = map[MACPurpose]int{}
	}
	s.Secrets[p]++
}
