package keys

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// simNode is a machine with a process of the issuer on it.
type simNode struct {
	s      *simulator
	id     int
	engine simEngine
	policy Policy // Resolved
	algs   []Algorithm
	err    time.Duration // of its clock, within S
	jump   time.Duration // of its wall clock, until somebody sets it right
	slept  time.Duration // time that its monotonic clock does not know of

	up, paused, cut bool
	polling         bool
	incarnation     int
}

// simEngine is what the process does: a real Replica, or a thin one that does the same with the same pure functions and none of the cryptography.
type simEngine interface {
	poll()
	freshen(ring *Ring, ago time.Duration)  // as if it had polled, so long ago
	held(bound time.Duration) *Ring         // what it acts by; nil when it was not confirmed within bound
	sign(Algorithm) (string, time.Duration) // kid and life; "" when it does not
	clockRight() bool                       // else it is not ready, and gets no requests
	now() time.Time
}

func (n *simNode) mono() time.Duration { return n.s.now - n.slept }
func (n *simNode) wall() time.Time     { return t0.Add(n.s.now + n.err + n.jump) }
func (n *simNode) reaches() bool       { return n.up && !n.paused && !n.cut && !n.s.store.down }
func (n *simNode) skewed() bool        { return (n.jump - n.s.store.off).Abs() > n.policy.Skew }
func (n *simNode) life() Lifecycle     { return Lifecycle{Policy: n.policy, Algorithms: n.algs} }

// start is a process begun anew, with the settings that are deployed now.
func (n *simNode) start() {
	n.incarnation++
	n.up, n.paused, n.polling = true, false, false
	n.policy, n.algs = n.s.policy, n.s.algs
	n.err = n.s.between(-n.policy.Skew, n.policy.Skew+1)
	if n.s.real {
		n.engine = newRealEngine(n)
	} else {
		n.engine = &thinEngine{n: n}
	}
	n.s.heat()
}

func (n *simNode) startPolling() {
	if n.polling || !n.up {
		return
	}
	n.polling = true
	n.pollIn(n.s.between(0, n.policy.Poll))
}

func (n *simNode) pollIn(d time.Duration) {
	incarnation := n.incarnation
	n.s.after(d, func() {
		if n.incarnation != incarnation {
			return
		}
		if !n.up || !n.s.hot() {
			n.polling = false
			n.s.cool()
			return
		}
		if !n.paused {
			n.engine.poll()
		}
		n.pollIn(n.s.between(n.policy.Poll*9/10, n.policy.Poll*11/10))
	})
}

// freshen is the poll that a node did in calm time.
func (n *simNode) freshen() {
	if !n.polling && n.reaches() && n.engine.held(1000*day) != nil {
		n.engine.freshen(n.s.store.ring, n.s.between(0, n.policy.Poll))
	}
}

// signs and serves are what a request meets now.
func (n *simNode) signs(a Algorithm) (string, time.Duration) {
	if !n.up || n.paused {
		return "", 0
	}
	n.freshen()
	if !n.engine.clockRight() {
		return "", 0
	}
	return n.engine.sign(a)
}

func (n *simNode) serves() *Ring {
	if !n.up || n.paused {
		return nil
	}
	n.freshen()
	return n.engine.held(n.policy.Q())
}

// thinEngine follows poll.go, replica.go and clock.go step by step; TestThinReplicaIsFaithful holds it to them.
type thinEngine struct {
	n         *simNode
	view      *Ring
	confirmed instant
	sample    time.Time // the store's time at the last poll
	sampled   time.Duration
	skewed    bool
}

func (e *thinEngine) instant() instant { return instant{wall: e.n.wall(), mono: e.n.mono()} }

func (e *thinEngine) now() time.Time {
	return e.sample.Add(e.n.mono() - e.sampled).UTC().Truncate(time.Millisecond)
}

func (e *thinEngine) poll() {
	if !e.n.reaches() {
		return
	}
	e.sample, e.sampled, e.skewed = e.n.s.store.time().Add(e.n.err), e.n.mono(), e.n.skewed()
	for range saveAttempts {
		if !e.advance() {
			return
		}
	}
}

// advance says whether to load again.
func (e *thinEngine) advance() bool {
	n, st := e.n, e.n.s.store
	began, stored := e.instant(), st.ring
	base := stored
	switch {
	case e.view != nil && began.since(e.confirmed) <= n.policy.R() && Vanished(stored, e.view, e.now(), n.policy) && !n.s.rules.noMerge:
		if e.skewed {
			return false
		}
		base = Merge(stored, e.view, e.now(), n.policy)
	case stored.Version > 0:
		e.view, e.confirmed = stored, began
	}
	if e.skewed {
		return false
	}
	life := n.life()
	life.InUse = e.view != nil
	next, short := n.s.rules.step(base, e.now(), life, st.supply)
	if !short.Empty() {
		n.s.fatal("simulator: short of %v", short)
	}
	if next == stored {
		return false
	}
	if next == base {
		next = base.clone()
	}
	n.s.tally.attempts++
	next.By = fmt.Sprint(n.s.tally.attempts)
	saved, err := st.swap(stored.Version, next)
	if err != nil || !saved {
		return true
	}
	e.view, e.confirmed = next, began
	return false
}

func (e *thinEngine) freshen(ring *Ring, ago time.Duration) {
	e.sample, e.sampled = e.n.s.store.time().Add(e.n.err-ago), e.n.mono()-ago
	e.skewed = e.n.skewed()
	at := e.instant()
	e.view, e.confirmed = ring, instant{at.wall.Add(-ago), at.mono - ago}
}

func (e *thinEngine) clockRight() bool { return !e.skewed }

func (e *thinEngine) held(bound time.Duration) *Ring {
	v, p := e.view, e.n.policy
	if v == nil || (e.instant().since(e.confirmed) > bound && !e.n.s.rules.noBound) {
		return nil
	}
	if (v.Ahead.Value < p.PublishAhead || v.TTL.Value < p.TokenTTL) && !e.n.s.rules.noLeases {
		return nil
	}
	return v
}

func (e *thinEngine) sign(a Algorithm) (string, time.Duration) {
	r := e.held(e.n.policy.R())
	if r == nil {
		return "", 0
	}
	k := r.SigningKey(a)
	if k == nil {
		return "", 0
	}
	if e.n.s.rules.noLeases {
		return k.ID, e.n.policy.TokenTTL
	}
	return k.ID, min(e.n.policy.TokenTTL, k.TTL)
}

// realEngine is a Replica on the machine's clocks and its way to the store.
type realEngine struct {
	n *simNode
	*Replica
}

func newRealEngine(n *simNode) *realEngine {
	r, err := NewReplica(ReplicaConfig{ID: fmt.Sprint("node", n.id), Store: simLink{n.s.store, n, n.err}, Sealer: testSealer(), Policy: n.policy,
		Algorithms: n.algs, Wall: n.wall, Monotonic: n.mono})
	if err != nil {
		n.s.fatal("simulator: %v", err)
	}
	return &realEngine{n, r}
}

func (e *realEngine) poll() { _ = e.Poll(context.Background()) }

func (e *realEngine) freshen(ring *Ring, ago time.Duration) {
	v := e.view.Load()
	if !sameKeys(v.ring, ring) || v.ring.Ahead.Value != ring.Ahead.Value || v.ring.TTL.Value != ring.TTL.Value {
		e.poll()
		return
	}
	at := e.clock.instant()
	e.view.Store(&view{v.opened, instant{at.wall.Add(-ago), at.mono - ago}})
}

func (e *realEngine) held(bound time.Duration) *Ring {
	v, err := e.usable(bound)
	if err != nil {
		return nil
	}
	return v.ring
}

func (e *realEngine) sign(a Algorithm) (string, time.Duration) {
	v, err := e.usable(e.policy.R())
	if err != nil || v.signers[a] == nil || !slices.Contains(v.ring.algorithms(), a) {
		return "", 0
	}
	return v.signers[a].kid, min(e.policy.TokenTTL, v.signers[a].ttl)
}

func (e *realEngine) clockRight() bool { return e.clock.skewed() == nil }

func (e *realEngine) now() time.Time { return e.Now() }
