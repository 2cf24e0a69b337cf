package keys

import (
	"fmt"
	"slices"
	"time"
)

// The operator gives every command there is, at random and again at the worst moments, and never accepts failures: where a command says that
// verifiers would fail, the answer is no.

func (s *simulator) operate() {
	d := s.between(s.pace/8, 5*s.pace)
	if s.chance(4) {
		d = s.between(time.Second, 2*minute)
	} else if k := s.store.ring.SigningKey(s.algs[0]); k != nil && s.chance(3) { // close to a change that is planned
		if due := k.DueAt.Sub(t0) - s.now + s.between(-minute, minute); due > 0 {
			d = min(d, due)
		}
	}
	s.edge(d, func() {
		s.command()
		s.operate()
	})
}

func (s *simulator) command() {
	a := s.algs[s.rng.IntN(len(s.algs))]
	switch s.rng.IntN(10) {
	case 0, 1:
		s.give("rotate", each(nil, rotate))
	case 2: // and again before the new standby has been published for long
		s.give("rotate", each([]Algorithm{a}, rotate))
		s.edge(s.between(0, s.policy.PublishAhead), func() { s.give("rotate", each([]Algorithm{a}, rotate)) })
	case 3, 4:
		s.give("rollback", each([]Algorithm{a}, rollback))
	case 5:
		if k := s.store.ring.SigningKey(a); k != nil {
			s.give("revoke", revoke(k.ID))
		}
	case 6:
		if keys := s.store.ring.Keys; len(keys) > 0 {
			s.give("revoke", revoke(keys[s.rng.IntN(len(keys))].ID))
		}
	case 7:
		k := s.store.newKey(a)
		s.give("import", s.rules.importing(k))
		if s.chance(2) {
			s.give("rotate", each([]Algorithm{a}, rotate))
		}
	case 8:
		s.give("rotate --now", each([]Algorithm{a}, rotateNow(false)))
	case 9:
		for _, k := range s.store.ring.Keys {
			if k.Algorithm == a && (k.Withdrawn || k.State == Published) && s.chance(2) {
				s.give("rotate --to", rotateTo(k.ID))
				return
			}
		}
	}
}

// give runs a command as the command line does: load, step, apply, compare-and-set.
func (s *simulator) give(name string, do command) bool {
	st := s.store
	if st.down || st.ring.Version == 0 {
		return false
	}
	in := st.ring
	p := s.policy
	p.PublishAhead, p.TokenTTL = in.Ahead.Value, in.TTL.Value
	l := Lifecycle{Policy: p, command: true}
	now := st.time().Add(s.between(-p.Skew, p.Skew+1))
	next, _, short, err := do.apply(in, now, l, st.supply)
	if !short.Empty() {
		s.fatal("simulator: %s: short of %v", name, short)
	}
	if err != nil || next == in || (s.costs(in, next, now) && !s.accepts(name, in, now)) {
		return false
	}
	s.tally.attempts++
	next.By = fmt.Sprint("command", s.tally.attempts)
	saved, err := st.swap(in.Version, next)
	if !saved || err != nil {
		return st.ring.By == next.By
	}
	s.tally.commands++
	s.tally.did[name]++
	s.history = append(s.history, fmt.Sprint(s.now, " command ", name))
	s.heat()
	return true
}

// accepts says that whoever does without a rule is not warned. Without a standby, that is so when ours would long have had one that is known.
func (s *simulator) accepts(name string, in *Ring, now time.Time) bool {
	long := now.Add(-in.Ahead.Value - s.policy.OutageAfter)
	for _, a := range in.algorithms() {
		if k := in.SigningKey(a); name == "revoke" && (k == nil || k.SignedAt.After(long) || in.ResumedAt.After(long)) {
			return false
		}
	}
	return s.rules.accepts == name
}

// costs says whether a command lets a key sign that verifiers may lack.
func (s *simulator) costs(before, after *Ring, now time.Time) bool {
	for _, a := range after.algorithms() {
		is := after.SigningKey(a)
		if is == nil || (before.SigningKey(a) != nil && before.SigningKey(a).ID == is.ID) {
			continue
		}
		if old := before.Key(is.ID); !hasSigned(old) && (old == nil || !before.Known(old, latest(now, before.AttendedAt))) {
			return true
		}
	}
	return false
}

func (r simRules) deployed(p Policy) Policy {
	if r.deploys == nil {
		return p
	}
	return r.deploys(p)
}

// deploy changes the settings and restarts node after node.
func (s *simulator) deploy() {
	s.policy = s.nextPolicy()
	for _, n := range s.nodes {
		s.edge(s.between(0, 40*minute), n.start)
	}
}

// nextPolicy is another legal one for the same machines and verifiers.
func (s *simulator) nextPolicy() Policy {
	for {
		p := s.policy
		switch s.rng.IntN(5) {
		case 0:
			p.JWKSMaxAge = s.seconds(minute, 2*time.Hour)
		case 1:
			p.TokenTTL = s.seconds(2*minute, 6*time.Hour)
		case 2:
			p.StaleIfError = s.seconds(0, 2*time.Hour)
		case 3:
			p.TokenTTL, p.JWKSMaxAge = s.seconds(2*minute, 2*time.Hour), s.seconds(minute, time.Hour)
		case 4: // only the wait
		}
		p.PublishAhead = aheadFor(p, s.promise) + s.between(0, 2)*s.between(0, 12*time.Hour)
		p.SigningPeriod = max(p.SigningPeriod, p.PublishAhead)
		fits := !slices.ContainsFunc(s.fleet, func(v *simVerifier) bool { return v.needs(p) > s.promise })
		if _, err := p.Check(0); err == nil && fits {
			return s.rules.deployed(p)
		}
	}
}

func (s *simulator) seconds(low, high time.Duration) time.Duration {
	return s.between(low, high).Truncate(time.Second)
}

// aheadFor is the least publish-ahead that leaves an allowance.
func aheadFor(p Policy, allowance time.Duration) time.Duration {
	p.PublishAhead = time.Second
	for p.PublishAhead < p.needAhead()+allowance {
		p.PublishAhead = p.needAhead() + allowance
	}
	return p.PublishAhead
}
