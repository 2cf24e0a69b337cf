package keys

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

const year = 365 * day

// simSetup is a world to simulate.
type simSetup struct {
	seed   uint64
	policy Policy
	rules  simRules
	algs   []Algorithm
	copies int // of every verifier, every second one behind the CDN
	real   bool
	pace   time.Duration // 0: the publish-ahead
	busy   time.Duration
	calmly bool // no commands, nothing goes wrong
	bin    time.Duration
}

func newSimulator(t testing.TB, c simSetup) *simulator {
	t.Helper()
	p := c.policy.Resolved()
	if _, err := p.Check(0); err != nil {
		t.Fatal(err)
	}
	p.SecretPeriod = 200 * year // verifiers never see a MAC secret
	s := &simulator{rng: rand.New(rand.NewPCG(c.seed, 2)), rules: c.rules, policy: p, algs: c.algs, promise: p.Allowance(), real: c.real,
		pace: orElse(c.pace, p.PublishAhead), busy: c.busy, stranger: map[string]bool{}, fatal: t.Fatalf}
	s.tally.apart, s.tally.by, s.tally.did, s.tally.bin = map[string]int{}, map[string]int{}, map[string]int{}, c.bin
	s.store = newSimStore(s)
	s.addVerifiers(c.copies)
	s.policy = c.rules.deployed(p)
	for i := range 3 {
		n := &simNode{s: s, id: i}
		s.nodes = append(s.nodes, n)
		n.start()
	}
	s.work()
	if !c.calmly {
		s.store.verdict = s.badNetwork
		s.after(s.between(2*time.Hour, 5*time.Hour), s.operate)
		s.after(s.between(2*time.Hour, 5*time.Hour), s.break1)
	}
	return s
}

// badNetwork loses a save now and then, or its answer, or brings it late.
func (s *simulator) badNetwork() verdict {
	if !s.chance(20) {
		return works
	}
	return []verdict{refused, unanswered, delayed}[s.rng.IntN(3)]
}

// noteChange keeps the story of the keys, by the order of their coming.
func (s *simulator) noteChange(before, next *Ring) {
	for _, c := range changes(before, next) {
		if c.Kind == ChangePromoted {
			s.tally.promotions++
		}
		i := slices.Index(s.seen, c.KeyID)
		if i < 0 {
			i = len(s.seen)
			s.seen = append(s.seen, c.KeyID)
		}
		s.history = append(s.history, fmt.Sprintf("%s %s %d %s", s.now, c.Kind, i, c.Algorithm))
	}
	for _, kid := range next.Revoked {
		s.stranger[kid] = true
	}
}

// randomPolicy is a legal one, at the very bound of I1 for an allowance that covers some of the verifiers or all.
func randomPolicy(seed uint64) Policy {
	s := &simulator{rng: rand.New(rand.NewPCG(seed, 1))}
	p := DefaultPolicy()
	p.Poll, p.Skew, p.Leeway = s.seconds(time.Second, 30*time.Second), s.seconds(0, minute), s.seconds(0, 10*minute)
	p.JWKSMaxAge, p.StaleIfError, p.TokenTTL = s.seconds(minute, 20*minute), s.seconds(0, 2*time.Hour), s.seconds(2*minute, 4*time.Hour)
	allowances := []time.Duration{0, 40 * minute, 2 * time.Hour, 13 * time.Hour, 26 * time.Hour}
	p.PublishAhead = aheadFor(p, allowances[s.rng.IntN(len(allowances))])
	p.SigningPeriod = p.PublishAhead + s.between(0, 20*day)
	return p
}

func (t simTally) String() string {
	apart := 0
	for _, n := range t.apart {
		apart += n
	}
	return fmt.Sprintf("%d verified, %d FAILED, %d unpublished; %d failed alike, %d revoked, %d apart %v; %d promotions, %d commands %v; %d refused of %d; %s%s",
		t.verified, t.failed, t.unpublished, t.alike, t.revoked, apart, t.apart, t.promotions, t.commands, t.did, t.refused, t.minted, t.worst(4), t.first)
}

// atLeast slows a random policy and its world down to what ten years have room for.
func (c simSetup) atLeast(period time.Duration) simSetup {
	c.policy.SigningPeriod = max(c.policy.SigningPeriod, period)
	c.pace = max(c.policy.PublishAhead, 5*day)
	return c
}

var bothAlgorithms = []Algorithm{ES256, RS256}

// check wants no failure, and that the run could have seen one.
func (s *simulator) check(t *testing.T, promotions int) {
	t.Helper()
	t.Log(s.tally)
	if s.tally.failed > 0 || s.tally.unpublished > 0 {
		t.Errorf("%d verifications fail that would not with a ring that never rotates, %d signatures by a key that is not published everywhere: %s",
			s.tally.failed, s.tally.unpublished, s.tally.first)
	}
	if s.tally.promotions < promotions || s.tally.verified < 1000 {
		t.Errorf("only %d promotions and %d verifications", s.tally.promotions, s.tally.verified)
	}
}

func longProof(t *testing.T) {
	t.Helper()
	if os.Getenv("SIGNET_TEST_LONG") != "1" {
		t.Skip("a long proof: SIGNET_TEST_LONG=1 runs it")
	}
}

// Invariant 8, for months.
func TestNoVerifierFailsForMonths(t *testing.T) {
	t.Run("default policy", func(t *testing.T) {
		s := newSimulator(t, simSetup{seed: 1, policy: DefaultPolicy(), rules: ours(), algs: bothAlgorithms, copies: 1, busy: 30 * minute})
		s.run(90 * day)
		s.check(t, 10)
	})
	for _, seed := range []uint64{1, 4} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newSimulator(t, simSetup{seed: seed, policy: randomPolicy(seed), rules: ours(), algs: bothAlgorithms, copies: 1, busy: 30 * minute})
			s.run(30 * day)
			s.check(t, 10)
		})
	}
}

// Invariant 8, for ten years: by real replicas, and by thin ones under more policies.
func TestNoVerifierFailsForTenYears(t *testing.T) {
	longProof(t)
	run := func(name string, c simSetup) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Logf("D %s, V %s, period %s", shown(c.policy.PublishAhead), shown(c.policy.Allowance()), shown(c.policy.SigningPeriod))
			s := newSimulator(t, c)
			s.run(10 * year)
			s.check(t, 200)
		})
	}
	run("real replicas, default policy", simSetup{seed: 1, policy: DefaultPolicy(), rules: ours(), algs: []Algorithm{ES256}, copies: 2, busy: 30 * minute, real: true, pace: 4 * day})
	run("default policy", simSetup{seed: 2, policy: DefaultPolicy(), rules: ours(), algs: bothAlgorithms, copies: 2, busy: 30 * minute, pace: 3 * day})
	for _, seed := range []uint64{0, 1, 4, rand.Uint64()} {
		c := simSetup{seed: seed, policy: randomPolicy(seed), rules: ours(), algs: bothAlgorithms, copies: 2, busy: 30 * minute}
		run(fmt.Sprint("seed ", seed), c.atLeast(20*day))
	}
}

// An allowance is what the verifiers' table says: under a publish-ahead that leaves less, those that need more fail, and no others.
func TestVerifiersBeyondTheAllowanceFail(t *testing.T) {
	longProof(t)
	for _, ahead := range []time.Duration{48 * time.Hour, 24 * time.Hour, 12 * time.Hour, 3 * time.Hour} {
		t.Run(shown(ahead), func(t *testing.T) {
			t.Parallel()
			r := ours()
			r.deploys = func(p Policy) Policy { p.PublishAhead = ahead; return p }
			s := newSimulator(t, simSetup{seed: 3, policy: DefaultPolicy(), rules: r, algs: bothAlgorithms, copies: 2, busy: 30 * minute})
			least := s.policy.Allowance()
			s.run(2 * year)
			t.Logf("V %s: of %d verifications %d fail, %v", shown(least), s.tally.verified+s.tally.failed, s.tally.failed, s.tally.by)
			if (s.tally.failed > 0) != (ahead < 27*time.Hour) {
				t.Errorf("%d fail", s.tally.failed)
			}
			for _, m := range verifierModels {
				if s.tally.by[m.name] > 0 && m.needs(s.policy) <= least {
					t.Errorf("%s needs %s and fails: %s", m.name, shown(m.needs(s.policy)), s.tally.first)
				}
			}
		})
	}
}

// A thin replica does what a Replica does: in the same world the same becomes of the same keys at the same times, for every verifier.
func TestThinReplicaIsFaithful(t *testing.T) {
	seeds, days := []uint64{0}, 3
	if os.Getenv("SIGNET_TEST_LONG") == "1" {
		seeds, days = []uint64{1, 2, 3, rand.Uint64()}, 15
	}
	for _, seed := range seeds {
		c := simSetup{seed: seed, policy: randomPolicy(seed), rules: ours(), algs: []Algorithm{ES256}, copies: 1, busy: 30 * minute}
		thin := newSimulator(t, c)
		thin.run(time.Duration(days) * day)
		c.real = true
		whole := newSimulator(t, c)
		whole.run(time.Duration(days) * day)
		if !slices.Equal(thin.history, whole.history) {
			for i := range min(len(thin.history), len(whole.history)) {
				if thin.history[i] != whole.history[i] {
					t.Fatalf("seed %d: %q, and of real replicas %q", seed, thin.history[i], whole.history[i])
				}
			}
			t.Fatalf("seed %d: %d changes, and %d of real replicas", seed, len(thin.history), len(whole.history))
		}
		a, b := thin.tally, whole.tally
		if a.verified != b.verified || a.alike != b.alike || a.revoked != b.revoked || a.refused != b.refused || a.minted != b.minted || len(thin.history) < 10 {
			t.Errorf("seed %d: thin %s\nreal %s", seed, a, b)
		}
	}
}

// Every rule is needed: without it, in the same worlds, verifications fail. So it is known that the simulator sees them. A long run counts them over
// more worlds, and sees that none fails there by all of the rules.
func TestVerifiersFailWithoutEachRule(t *testing.T) {
	long := os.Getenv("SIGNET_TEST_LONG") == "1"
	world := func(t *testing.T, seed uint64, r simRules) *simulator {
		s := newSimulator(t, simSetup{seed: seed, policy: randomPolicy(seed), rules: r, algs: bothAlgorithms, copies: 1, busy: 30 * minute})
		s.untilFailure = !long
		s.run(20 * day)
		t.Logf("seed %d: %s", seed, s.tally)
		return s
	}
	worlds := []uint64{1, 2, 3}
	for _, r := range removedRules {
		seeds := []uint64{r.seed}
		for _, w := range []uint64{1, 2, 3} {
			if long && w != r.seed {
				seeds = append(seeds, w)
			}
		}
		if !slices.Contains(worlds, r.seed) {
			worlds = append(worlds, r.seed)
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			verified, failed := 0, 0
			for _, seed := range seeds {
				s := world(t, seed, r.rules())
				verified, failed = verified+s.tally.verified, failed+s.tally.failed
			}
			t.Logf("of %d verifications %d fail", verified+failed, failed)
			if failed == 0 {
				t.Error("nothing fails")
			}
		})
	}
	t.Run("with all of them", func(t *testing.T) {
		if !long {
			worlds = worlds[:1]
		}
		t.Parallel()
		verified := 0
		for _, seed := range worlds {
			s := world(t, seed, ours())
			s.check(t, 2)
			verified += s.tally.verified
		}
		t.Logf("of %d verifications in %d worlds none fails", verified, len(worlds))
	})
}
