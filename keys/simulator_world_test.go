package keys

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// The simulator of years: replicas over a store, verifiers with the caches that they have in the wild, an operator, and what goes wrong.
//
// Polls decide everything and there are six million a year, so that they are done one by one only while something may happen
// ("hot": around a moment that the ring foresees, a command, the start and the end of a fault). Otherwise ("calm") the attendance is
// written by Step in leaps of half of G, which is held to change nothing else, and a replica that can poll counts as just having polled.

type simulator struct {
	rng          *rand.Rand
	now          time.Duration // true time since t0
	queue        eventQueue
	rules        simRules
	policy       Policy // the deployment's, Resolved
	algs         []Algorithm
	promise      time.Duration // V that the policies in use keep to
	store        *simStore
	nodes        []*simNode
	fleet        []*simVerifier
	cdn          simCDN
	stranger     map[string]bool // kids that an operator revoked: a token under them is anybody's
	real         bool            // nodes are Replicas, the operator is an Operator
	pace         time.Duration   // how far commands and faults are apart
	untilFailure bool
	busy         time.Duration // mean time between tokens in calm
	hotUntil     time.Duration
	ingress      bool          // the way to all replicas is away, not theirs to the store
	unseen       time.Duration // end of the last absence of the JWKS that the ring can't know of
	restored     time.Duration // nothing else goes wrong until then
	tally        simTally
	history      []string // what became of keys, in order
	seen         []string // kids, in the order of their coming
	fatal        func(format string, args ...any)
}

type simEvent struct {
	at  time.Duration
	seq int64
	do  func()
}

type eventQueue struct {
	events []simEvent
	seq    int64
}

func (q *eventQueue) Len() int { return len(q.events) }
func (q *eventQueue) Less(i, j int) bool {
	a, b := q.events[i], q.events[j]
	return a.at < b.at || (a.at == b.at && a.seq < b.seq)
}
func (q *eventQueue) Swap(i, j int) { q.events[i], q.events[j] = q.events[j], q.events[i] }
func (q *eventQueue) Push(e any)    { q.events = append(q.events, e.(simEvent)) }
func (q *eventQueue) Pop() any {
	last := q.events[len(q.events)-1]
	q.events = q.events[:len(q.events)-1]
	return last
}

func (s *simulator) at(t time.Duration, do func()) {
	s.queue.seq++
	heap.Push(&s.queue, simEvent{max(t, s.now), s.queue.seq, do})
}

func (s *simulator) after(d time.Duration, do func()) { s.at(s.now+d, do) }

// between is uniform.
func (s *simulator) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(s.rng.Int64N(int64(high-low)))
}

func (s *simulator) chance(oneIn int) bool { return s.rng.IntN(oneIn) == 0 }

func (s *simulator) run(d time.Duration) {
	for s.queue.Len() > 0 && (!s.untilFailure || s.tally.failed+s.tally.unpublished == 0) {
		e := heap.Pop(&s.queue).(simEvent)
		if e.at > d {
			break
		}
		s.now = e.at
		e.do()
	}
}

// edge does something that polls must see the moment of.
func (s *simulator) edge(d time.Duration, do func()) {
	s.after(d-s.lead(), s.heat)
	s.after(d, func() {
		s.heat()
		do()
	})
}

// lead is so much that the attendance is up to date at an edge; trail, that every replica has seen it.
func (s *simulator) lead() time.Duration {
	return 2*s.policy.AttendEvery + 2*s.policy.Poll + 2*s.policy.Skew
}
func (s *simulator) trail() time.Duration { return 2*s.policy.R() + s.lead() }

// heat has the replicas poll for some time.
func (s *simulator) heat() {
	s.hotUntil = max(s.hotUntil, s.now+s.lead()+s.trail())
	if slices.ContainsFunc(s.nodes, func(n *simNode) bool { return n.polling }) {
		for _, n := range s.nodes {
			n.startPolling()
		}
		return
	}
	s.calm()
	for _, n := range s.nodes {
		n.freshen()
	}
	for _, n := range s.nodes {
		n.startPolling()
	}
}

func (s *simulator) hot() bool { return s.now <= s.hotUntil }

// cool foresees when the ring will change next, once no replica polls any more.
func (s *simulator) cool() {
	if slices.ContainsFunc(s.nodes, func(n *simNode) bool { return n.polling }) {
		return
	}
	if next, ok := s.nextMoment(); ok {
		s.at(next-s.lead(), s.heat)
	}
}

// nextMoment is when Step can change more than the attendance, in true time, by the fastest clock.
func (s *simulator) nextMoment() (time.Duration, bool) {
	r := s.store.ring
	var moments []time.Time
	for i := range r.Keys {
		k := &r.Keys[i]
		switch k.State {
		case Signing:
			moments = append(moments, k.DueAt)
		case Published:
			moments = append(moments, r.knownAt(k))
		case Retired:
			moments = append(moments, k.DropsAt)
		}
	}
	for _, n := range s.nodes {
		for lease, own := range map[Lease]time.Duration{r.Ahead: n.policy.PublishAhead, r.TTL: n.policy.TokenTTL} {
			if own < lease.Value {
				moments = append(moments, lease.AssertedAt.Add(lease.Value+s.policy.AttendEvery+2*s.policy.Skew))
			}
		}
	}
	for _, d := range r.Dropped {
		moments = append(moments, d.DroppedAt.Add(keepDropped))
	}
	next, found := time.Duration(0), false
	now := latest(s.store.time(), r.AttendedAt)
	for _, m := range moments {
		// The last poll of the hot time that ends may be as long ago.
		seen := now.Add(-2*s.policy.Poll - 2*s.policy.Skew)
		if at := m.Sub(t0) - s.store.off - s.policy.Skew; m.After(seen) && (!found || at < next) {
			next, found = max(at, s.now+s.lead()), true
		}
	}
	return next, found
}

// calm brings the stored attendance up to now.
func (s *simulator) calm() {
	leap := s.policy.OutageAfter / 2
	if s.store.time().Sub(s.store.ring.AttendedAt) <= leap {
		return
	}
	w := s.writer()
	if w == nil {
		return
	}
	for {
		r := s.store.ring
		at := r.AttendedAt.Add(leap)
		if at.After(s.store.time()) {
			return
		}
		next, _ := s.rules.step(r, at, w.life(), s.store.supply)
		if next == r {
			return
		}
		if !s.rules.doubled && (!sameKeys(r, next) || next.Ahead.Value != r.Ahead.Value || next.TTL.Value != r.TTL.Value || !next.ResumedAt.Equal(r.ResumedAt)) {
			s.fatal("simulator: at %s the ring changed in calm time:\n%v\n%v", s.now, r.Keys, next.Keys)
		}
		s.store.put(next)
	}
}

func sameKeys(a, b *Ring) bool {
	return slices.EqualFunc(a.Keys, b.Keys, func(x, y Key) bool { return x.ID == y.ID && x.State == y.State && x.WindowAt.Equal(y.WindowAt) })
}

// writer is a replica that would write the attendance.
func (s *simulator) writer() *simNode {
	for _, n := range s.nodes {
		if n.reaches() && n.engine.held(n.policy.Q()+1000*day) != nil && !n.skewed() {
			return n
		}
	}
	return nil
}
