package keys

import "time"

// Policy is how long keys and secrets live, and how wrong clocks, caches and networks may be. The letters are
// those of the inequalities that Check prints. Every duration is a real one; a policy of a few seconds is as good
// as one of days while the inequalities hold. The zero value is not usable: begin with DefaultPolicy.
type Policy struct {
	PublishAhead  time.Duration // D: a key is in the JWKS at least so long before it signs
	SigningPeriod time.Duration // how long a key signs before its successor is due
	Poll          time.Duration // P: how often a replica loads the ring
	Skew          time.Duration // S: most that a replica's clock may differ from the store's
	JWKSMaxAge    time.Duration // A: max-age of the JWKS answer; whole seconds
	StaleIfError  time.Duration // E: stale-if-error of the JWKS answer; whole seconds, 0 sends none, Derived works it out from D
	TokenTTL      time.Duration // T: longest life of anything signed; whole seconds
	Leeway        time.Duration // L: how long after exp a verifier may still accept
	OutageAfter   time.Duration // G: an absence of all replicas longer than this is an outage; 0: worked out from D and P
	AttendEvery   time.Duration // B: how often the ring records that a replica is there; 0: worked out from G
	RSABits       int           // size of RSA keys made from now on: 2048, 3072 or 4096; 0: 2048

	// Of the MAC secrets; 0 is the default.
	SecretPeriod time.Duration // how often a new one is added
	RefreshLife  time.Duration // longest that a refresh token may go unused
	CodeLife     time.Duration // life of a mailed code
	DeviceLife   time.Duration // life of a device token

	// StaleReads is the store's (RingStore.StaleReads): how old an answer of it may be. It counts on top of R and Q wherever
	// those are reckoned with. NewReplica fills it in.
	StaleReads time.Duration
}

// Derived as a StaleIfError stands for the smaller of an hour and an eighth of the publish-ahead.
const Derived time.Duration = -1

const day = 24 * time.Hour

// DefaultPolicy is the recommended one: a standby waits two days, a key signs for thirty, tokens live up to an hour. B and G
// are left to be worked out (a minute and a quarter of an hour), so that they follow when D and P are changed.
func DefaultPolicy() Policy {
	return Policy{
		PublishAhead:  48 * time.Hour,
		SigningPeriod: 30 * day,
		Poll:          5 * time.Second,
		Skew:          30 * time.Second,
		JWKSMaxAge:    5 * time.Minute,
		StaleIfError:  time.Hour,
		TokenTTL:      time.Hour,
		Leeway:        5 * time.Minute,
		RSABits:       2048,
		SecretPeriod:  30 * day,
		RefreshLife:   14 * day,
		CodeLife:      10 * time.Minute,
		DeviceLife:    400 * day,
	}
}

// Resolved fills in what was left to be worked out: B, G, E when it is Derived, the RSA size and the lives of MAC secrets.
// Under a short publish-ahead G shrinks with it, but not below what a replica that misses polls needs.
func (p Policy) Resolved() Policy {
	if p.StaleIfError == Derived {
		p.StaleIfError = min(time.Hour, p.PublishAhead/8).Truncate(time.Second)
	}
	p.OutageAfter = orElse(p.OutageAfter, max(min(15*time.Minute, p.PublishAhead/4), 30*p.Poll))
	p.AttendEvery = orElse(p.AttendEvery, p.OutageAfter/15)
	usual := DefaultPolicy()
	p.SecretPeriod = orElse(p.SecretPeriod, usual.SecretPeriod)
	p.RefreshLife = orElse(p.RefreshLife, usual.RefreshLife)
	p.CodeLife = orElse(p.CodeLife, usual.CodeLife)
	p.DeviceLife = orElse(p.DeviceLife, usual.DeviceLife)
	if p.RSABits == 0 {
		p.RSABits = usual.RSABits
	}
	return p
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// R is the bound within which a replica must have confirmed the ring to sign with it: four polls, so that one lost poll
// does not stop signing.
func (p Policy) R() time.Duration { return 4 * p.Poll }

// Q is the bound within which a replica must have confirmed the ring to serve the JWKS from it: an hour, or an eighth of
// the publish-ahead when that is less, and never below R.
func (p Policy) Q() time.Duration { return max(p.R(), min(time.Hour, p.PublishAhead/8)) }

// trueR and trueQ are how old the ring in use can really be: a store that answers reads late adds to what a replica can see.
func (p Policy) trueR() time.Duration { return p.R() + p.StaleReads }
func (p Policy) trueQ() time.Duration { return p.Q() + p.StaleReads }

// keep is how long a key stays published after it stopped signing, when no token under it was allowed to live longer than ttl:
// a replica may sign R longer with a clock S fast, both stamps may err by S, and verifiers add L.
func (p Policy) keep(ttl time.Duration) time.Duration { return ttl + p.trueR() + p.Leeway + 3*p.Skew }

// needAhead is the least publish-ahead under which every verifier that heeds the headers has a key before it signs.
func (p Policy) needAhead() time.Duration {
	return p.trueQ() + p.JWKSMaxAge + p.StaleIfError + p.Poll + 2*p.Skew
}

// Allowance is V: how much longer than the headers say a verifier may hold a set without ever failing.
func (p Policy) Allowance() time.Duration { return p.PublishAhead - p.needAhead() }
