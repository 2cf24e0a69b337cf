package keys

import (
	"fmt"
	"slices"
	"time"
)

// Tokens, and the count of what became of them.

type simToken struct {
	kid string
	end time.Duration // exp and leeway, true time
}

// simTally counts verifications.
type simTally struct {
	verified, alike, revoked, failed int            // alike: failed there too
	apart                            map[string]int // unexpiring caches that met a new kid while the JWKS was out of reach, by verifier
	by                               map[string]int // failed, by verifier
	first                            string
	unpublished                      int // signed by a key that a set served then lacks
	minted, refused, attempts        int
	promotions, commands             int
	did                              map[string]int
	bins                             []simBin
	bin                              time.Duration
}

type simBin struct{ judged, failed int }

// at is the bin of a moment; without a width all is one.
func (t *simTally) at(now time.Duration) *simBin {
	i := 0
	if t.bin > 0 {
		i = int(now / t.bin)
	}
	for len(t.bins) <= i {
		t.bins = append(t.bins, simBin{})
	}
	return &t.bins[i]
}

func (s *simulator) note(format string, args ...any) {
	if s.tally.first == "" {
		s.tally.first = fmt.Sprintf("day %.3f: ", s.now.Hours()/24) + fmt.Sprintf(format, args...)
	}
}

func (s *simulator) whereabouts(kid string) string {
	if k := s.store.ring.Key(kid); k != nil {
		return fmt.Sprintf("%s, published %s ago", k.State, s.store.time().Sub(k.PublishedAt).Round(time.Second))
	}
	return "no longer published"
}

// mint has a node sign tokens, that verifiers see now, later, and at the very end of their lives.
func (s *simulator) mint(n *simNode) {
	for _, a := range s.algs {
		kid, life := n.signs(a)
		if kid == "" {
			s.tally.refused++
			continue
		}
		s.tally.minted++
		for _, o := range s.nodes {
			if set := o.serves(); set != nil && set.Key(kid) == nil && !s.stranger[kid] {
				s.tally.unpublished++
				s.note("node %d signs by %s, which node %d does not publish", n.id, kid, o.id)
			}
		}
		// While the clocks of the whole issuer are hours ahead, exp is too: the token is judged for the life that it was to have.
		off := n.engine.now().Sub(t0) - s.now
		exp := (s.now + min(max(off, -n.policy.Skew), n.policy.Skew)).Truncate(time.Second) + life
		t := simToken{kid, exp + n.policy.Leeway}
		left := t.end - 1 - s.now
		for range 3 {
			v := s.fleet[s.rng.IntN(len(s.fleet))]
			d := time.Duration(0)
			switch s.rng.IntN(4) {
			case 0:
				d = s.between(0, 2*time.Second)
			case 1:
				d = s.between(0, left)
			case 2:
				d = left - s.between(0, 5*time.Second)
			case 3:
				d = s.between(0, min(left, 2*minute))
			}
			s.after(max(d, 0), func() { v.judge(t) })
		}
	}
}

// work has every node asked for tokens again and again, oftener while something happens.
func (s *simulator) work() {
	for _, n := range s.nodes {
		var again func()
		again = func() {
			s.mint(n)
			if s.hot() {
				s.after(s.between(time.Second, 10*time.Second), again)
			} else {
				s.after(s.between(s.busy/2, 3*s.busy/2), again)
			}
		}
		s.after(s.between(minute, 2*minute), again)
	}
}

func (t *simTally) worst(n int) string {
	var names []string
	for name := range t.by {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return t.by[b] - t.by[a] })
	text := ""
	for _, name := range names[:min(n, len(names))] {
		text += fmt.Sprintf("%s %d, ", name, t.by[name])
	}
	return text
}
