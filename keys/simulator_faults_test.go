package keys

import (
	"slices"
	"time"
)

// What goes wrong. An absence of the whole issuer is known to the ring, however long. One that the ring can't know of (the way from the CDN, from a
// verifier, or through the load balancer) lasts no longer than the verifiers' table reckons with, and they do not follow each other closely.

func (s *simulator) break1() {
	d := s.between(s.pace/8, 4*s.pace)
	if s.chance(3) {
		d /= 20
	}
	s.edge(d, func() {
		if s.now >= s.restored {
			s.fault()
		}
		s.break1()
	})
}

// long is mostly short.
func (s *simulator) long(most time.Duration) time.Duration {
	d := s.between(time.Second, most)
	if s.chance(3) {
		return d
	}
	return max(d/20, time.Second)
}

func (s *simulator) fault() {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	ahead := s.policy.PublishAhead
	switch s.rng.IntN(13) {
	case 0:
		n.stopFor(s.long(8 * time.Hour))
	case 1, 2:
		n.cut = true
		s.edge(s.long(3*ahead), func() { n.cut = false })
	case 3:
		n.pauseFor(s.long(12*time.Hour), s.chance(2))
	case 4:
		s.storeAway(s.long(4 * time.Hour))
	case 5:
		s.allAway(s.long(2 * ahead))
	case 6: // over a planned promotion, and whatever was published just before it
		s.give("rotate", each(nil, rotate))
		s.give("rotate", each(nil, rotate))
		s.edge(s.between(0, 2*minute), func() {
			s.give("rotate", each(nil, rotate))
			s.allAway(ahead + s.between(-ahead/4, ahead/4))
		})
	case 7, 8:
		s.jwksAway()
	case 9:
		n.jump = s.between(-40*day, 40*day)
		s.edge(s.long(day), func() { n.jump = 0 })
	case 10:
		s.storeClockJumps()
	case 11:
		s.restoreBackup()
	case 12:
		s.deploy()
	}
}

func (n *simNode) stopFor(d time.Duration) {
	n.up = false
	n.incarnation++
	n.polling = false
	n.s.edge(d, n.start)
}

// pauseFor stops a process; asleep, its monotonic clock stops too. It is asked for a token before it polls again.
func (n *simNode) pauseFor(d time.Duration, asleep bool) {
	if n.paused || !n.up {
		return
	}
	n.paused = true
	incarnation := n.incarnation
	n.s.edge(d, func() {
		if n.incarnation != incarnation {
			return
		}
		n.paused = false
		if asleep {
			n.slept += d
		}
		n.s.mint(n)
	})
}

// absent says when the JWKS may be away, and for how long without the ring knowing.
func (s *simulator) absent(d time.Duration) bool {
	if s.now < s.unseen {
		return false
	}
	s.unseen = s.now + d + max(3*time.Hour, 2*s.policy.JWKSMaxAge)
	return true
}

func (s *simulator) storeAway(d time.Duration) {
	if !s.absent(d) {
		return
	}
	s.store.down = true
	s.edge(d, func() { s.store.down = false })
}

func (s *simulator) allAway(d time.Duration) {
	if !s.absent(d) {
		return
	}
	for _, n := range s.nodes {
		n.stopFor(d + s.between(0, 10*time.Second))
	}
}

// jwksAway cuts verifiers, the CDN, or everybody from the JWKS, while the replicas are well.
func (s *simulator) jwksAway() {
	d := s.long(s.slack())
	if !s.absent(d) {
		return
	}
	switch s.rng.IntN(3) {
	case 0:
		s.cdn.cut = true
		s.edge(d, func() { s.cdn.cut = false })
	case 1:
		s.ingress = true
		s.edge(d, func() { s.ingress = false })
	case 2:
		for _, v := range s.fleet {
			v.cut = s.chance(2)
		}
		s.edge(d, func() {
			for _, v := range s.fleet {
				v.cut = false
			}
		})
	}
}

// slack is how long the JWKS may be away for the verifier that has the least of V to spare.
func (s *simulator) slack() time.Duration {
	promise := min(s.promise, s.policy.Allowance())
	spare := promise
	for _, v := range s.fleet {
		if v.keepsOld {
			spare = min(spare, promise-v.needs(s.policy))
		}
	}
	return s.policy.OutageAfter + max(spare-s.policy.OutageAfter, 0)
}

// storeClockJumps ahead, alone or with all machines, and comes back.
func (s *simulator) storeClockJumps() {
	if s.store.off != 0 {
		return
	}
	jump := s.between(time.Hour, 3*day)
	move := func(d time.Duration) { s.store.off += d }
	if s.chance(2) {
		move = func(d time.Duration) {
			s.store.off += d
			for _, n := range s.nodes {
				n.jump += d
			}
		}
	}
	move(jump)
	s.edge(s.long(10*time.Hour), func() { move(-jump) })
}

// restoreBackup puts an older ring in place under replicas that live.
func (s *simulator) restoreBackup() {
	if s.rules.noBackups {
		return
	}
	backup := s.store.ring
	ahead := s.policy.PublishAhead
	for range 2 { // rotations that it does not know of
		s.edge(s.between(0, 2*ahead), func() { s.give("rotate", each(nil, rotate)) })
	}
	s.edge(s.between(time.Hour, 3*ahead), func() {
		well := !slices.ContainsFunc(s.nodes, func(n *simNode) bool {
			return !n.reaches() || n.skewed() || n.engine.held(n.policy.R()) == nil || n.engine.held(n.policy.R()).Version != s.store.ring.Version
		})
		if !well || s.now < s.restored || s.store.ring.Version <= backup.Version {
			return
		}
		old := backup.clone()
		for _, kid := range s.store.ring.Revoked { // restore --revoked
			old.revoke(kid)
		}
		for _, a := range old.algorithms() {
			if old.SigningKey(a) == nil {
				return
			}
		}
		s.restored = s.now + s.trail() // the replicas live long enough to see it
		s.tally.did["restore"]++
		s.store.put(old)
	})
}
