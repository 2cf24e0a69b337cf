package keys

import (
	"slices"
	"time"
)

// Secret is a MAC secret of the ring. The schedule: every SecretPeriod one is added; it derives once every replica that
// may derive at all has it (R + 2S later); and once replaced it is kept for what it made to expire (+ 2S).
// The invariant: whatever a replica derived and has not expired finds its secret in the ring.
type Secret struct {
	ID        string        `json:"id"` // 8 lower-case hex digits
	Purpose   MACPurpose    `json:"purpose"`
	Sealed    Sealed        `json:"sealed"` // 32 bytes
	CreatedAt time.Time     `json:"created_at"`
	DerivesAt time.Time     `json:"derives_at"`
	DropsAt   time.Time     `json:"drops_at,omitzero"`   // set when its successor is added
	Life      time.Duration `json:"life"`                // longest life ever allowed to what it derives, nanoseconds; never falls
	Withdrawn bool          `json:"withdrawn,omitempty"` // never derives again; checks only
}

var macPurposes = []MACPurpose{MACRefresh, MACCode, MACDevice}

// life is how long what is derived for a purpose may live.
func (p Policy) life(purpose MACPurpose) time.Duration {
	switch purpose {
	case MACRefresh:
		return p.RefreshLife
	case MACCode:
		return p.CodeLife
	default:
		return p.DeviceLife
	}
}

// DerivingSecret is the one that derives at now: of those whose time has come, the newest; nil when there is none.
func (r *Ring) DerivingSecret(p MACPurpose, now time.Time) *Secret {
	return r.newestSecret(p, func(s Secret) bool { return !s.Withdrawn && !now.Before(s.DerivesAt) })
}

func (r *Ring) newestSecret(p MACPurpose, fits func(Secret) bool) *Secret {
	var newest *Secret
	for i := range r.Secrets {
		s := &r.Secrets[i]
		if s.Purpose == p && fits(*s) && (newest == nil || s.DerivesAt.After(newest.DerivesAt)) {
			newest = s
		}
	}
	return newest
}

// keepSecrets adds the secrets that are due and drops those that nothing alive was derived by.
func (s *stepping) keepSecrets() {
	for _, p := range macPurposes {
		s.raiseLives(p)
		newest := s.newestSecret(p, func(n Secret) bool { return !n.Withdrawn })
		switch {
		case newest == nil: // a new ring, or a purpose new to it: nothing was derived yet
			s.addSecret(p, s.now)
		case !s.now.Before(newest.CreatedAt.Add(s.Policy.SecretPeriod)):
			s.replaceSecret(newest)
		}
	}
	before := len(s.Secrets)
	s.Secrets = slices.DeleteFunc(s.Secrets, func(n Secret) bool { return !n.DropsAt.IsZero() && !s.now.Before(n.DropsAt) })
	s.changed = s.changed || len(s.Secrets) != before
}

func (s *stepping) replaceSecret(old *Secret) {
	derives := s.now.Add(s.Policy.trueR() + 2*s.Policy.Skew)
	id := old.ID
	if !s.addSecret(old.Purpose, derives) {
		return
	}
	i := slices.IndexFunc(s.Secrets, func(n Secret) bool { return n.ID == id })
	s.Secrets[i].DropsAt = derives.Add(s.Secrets[i].Life + 2*s.Policy.Skew)
}

func (s *stepping) addSecret(p MACPurpose, derives time.Time) bool {
	n, ok := take(&s.supply.Secrets, func(n Secret) bool { return n.Purpose == p })
	if !ok {
		s.short.secret(p)
		return false
	}
	n.CreatedAt, n.DerivesAt, n.Life = s.now, derives, s.Policy.life(p)
	s.Secrets = append(s.Secrets, n)
	s.changed = true
	return true
}

// raiseLives lets the secrets that may still derive be kept for the longer life that this replica allows.
func (s *stepping) raiseLives(p MACPurpose) {
	life := s.Policy.life(p)
	deriving := s.DerivingSecret(p, s.now.Add(-2*s.Policy.Skew)) // by the slowest clock
	for i := range s.Secrets {
		n := &s.Secrets[i]
		replaced := n.Withdrawn || (deriving != nil && n.DerivesAt.Before(deriving.DerivesAt))
		if n.Purpose != p || replaced || n.Life >= life {
			continue
		}
		if !n.DropsAt.IsZero() {
			n.DropsAt = n.DropsAt.Add(life - n.Life)
		}
		n.Life = life
		s.changed = true
	}
}

// keepSecretsThroughOutage: when the store's clock jumped ahead and will be put back, what has "expired" lives again.
func (s *stepping) keepSecretsThroughOutage() {
	for i := range s.Secrets {
		if n := &s.Secrets[i]; !n.DropsAt.IsZero() {
			n.DropsAt = latest(n.DropsAt, s.now.Add(n.Life+2*s.Policy.Skew))
		}
	}
}
