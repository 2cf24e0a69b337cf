package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The simulation runs real replicas and the real operator over a store in memory, under random legal policies, with clocks wrong by up to S, stuck and
// crashing replicas, outages, writes that arrive late and answers that are lost, and holds the invariants against what verifiers can have seen.

type sim struct {
	rt       *rapid.T
	w        *world
	policies []Policy
	reps     []*simReplica
	down     time.Time // the store fails until then
	crashIn  int       // operations until the replica that polls is cut off; 0: it is not
	nextSave verdict

	sets     map[string]*servedSet // by kids
	tokens   []liveToken
	signedBy []string // signing keys in the order of the versions
	versions int

	commanded time.Time       // when a command was last given
	revoked   map[string]bool // kids that a revocation was tried for: nobody vouches for what they sign
	excused   map[string]bool // kids that sign though verifiers lack them: the operator accepted that
}

type simReplica struct {
	*Replica
	policy Policy
}

// servedSet is a JWKS that verifiers may use until then.
type servedSet struct {
	kids  map[string]bool
	until time.Time
}

type liveToken struct {
	kid string
	end time.Time // exp and leeway
}

func drawDuration(t *rapid.T, name string, low, high time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(int64(low/time.Millisecond), int64(high/time.Millisecond)).Draw(t, name)) * time.Millisecond
}

func drawSeconds(t *rapid.T, name string, low, high int) time.Duration {
	return time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Second
}

// drawPolicy is legal, and often at the very bound of I1. P, S and L are of the whole deployment, the rest is this replica's.
func drawPolicy(t *rapid.T, base Policy) Policy {
	p := base
	p.JWKSMaxAge, p.StaleIfError, p.TokenTTL = drawSeconds(t, "A", 0, 10), drawSeconds(t, "E", 0, 4), drawSeconds(t, "T", 1, 12)
	p.PublishAhead = time.Second
	for p.PublishAhead < p.needAhead() {
		p.PublishAhead = p.needAhead()
	}
	p.PublishAhead += rapid.SampledFrom([]time.Duration{0, 0, 5 * time.Second, 20 * time.Second}).Draw(t, "more")
	p.SigningPeriod = p.PublishAhead + drawDuration(t, "spare period", 0, 30*time.Second)
	if _, err := p.Check(0); err != nil {
		t.Fatalf("illegal policy: %v", err)
	}
	return p
}

func newSim(t *testing.T, rt *rapid.T, faults bool) *sim {
	s := &sim{rt: rt, w: newWorld(t), sets: map[string]*servedSet{}, revoked: map[string]bool{}, excused: map[string]bool{}}
	quickest := 200 * time.Millisecond
	if !faults { // every poll of two periods is done
		quickest = time.Second
	}
	base := Policy{Poll: drawDuration(rt, "P", quickest, 2*time.Second), Skew: drawDuration(rt, "S", 0, 600*time.Millisecond), Leeway: drawSeconds(rt, "L", 0, 4)}
	base.AttendEvery = base.Poll
	base.OutageAfter = base.AttendEvery + base.R() + drawDuration(rt, "G", 0, 10*time.Second)
	s.policies = append(s.policies, drawPolicy(rt, base))
	if faults {
		s.policies = append(s.policies, drawPolicy(rt, base))
	}
	half := base.Skew / 2
	s.w.store.time = func() time.Time {
		return s.w.now.Add(time.Duration(rapid.Int64Range(-int64(half), int64(half)).Draw(rt, "store time is off by")))
	}
	s.w.store.fault = s.fault
	s.w.store.saved = s.checkVersion
	return s
}

func (s *sim) fault(op string) verdict {
	if s.crashIn > 0 {
		if s.crashIn--; s.crashIn == 0 {
			s.crashIn = -1
		}
	}
	switch {
	case s.crashIn < 0 || s.w.now.Before(s.down):
		return refused
	case op == "save":
		v := s.nextSave
		s.nextSave = works
		return v
	}
	return works
}

func (s *sim) boot() {
	p := rapid.SampledFrom(s.policies).Draw(s.rt, "policy")
	half := int64(p.Skew / 2)
	skew := time.Duration(rapid.Int64Range(-half, half).Draw(s.rt, "wall is off by"))
	r := s.w.replica(p, skew, ES256)
	if r.Start(context.Background()) == nil {
		s.reps = append(s.reps, &simReplica{r, p})
	}
}

// poll polls one replica; when crash, it is cut off after some operations and gone.
func (s *sim) poll(i int, crash bool) {
	if crash {
		s.crashIn = rapid.IntRange(1, 5).Draw(s.rt, "operations before the crash")
	}
	_ = s.reps[i].Poll(context.Background())
	s.crashIn = 0
	if crash {
		s.reps = slices.Delete(s.reps, i, i+1)
	}
}

func (s *sim) act() {
	kind := rapid.SampledFrom([]string{"poll", "poll", "poll", "poll", "poll all", "poll all", "crash", "boot", "command", "command", "down", "unanswered", "delayed", "late", "outage", "stall"}).Draw(s.rt, "act")
	switch kind {
	case "poll", "crash":
		if len(s.reps) > 0 {
			s.poll(rapid.IntRange(0, len(s.reps)-1).Draw(s.rt, "which"), kind == "crash")
		}
	case "poll all":
		for i := range s.reps {
			s.poll(i, false)
		}
	case "boot":
		if len(s.reps) < 4 {
			s.boot()
		}
	case "command":
		s.command()
	case "down":
		s.down = s.w.now.Add(drawDuration(s.rt, "down for", 0, 30*time.Second))
	case "unanswered":
		s.nextSave = unanswered
	case "delayed":
		s.nextSave = delayed
	case "late":
		s.w.store.applyLate()
	case "outage":
		s.reps = nil
		s.passWatching(drawDuration(s.rt, "outage", time.Second, 90*time.Second))
		s.boot()
	case "stall":
		s.passWatching(drawDuration(s.rt, "stall", 0, 40*time.Second))
	}
}

// command gives a command as an operator does who may be cut off, too late, or doing it twice. One that verifiers would suffer from is not agreed to,
// save when every key is revoked.
func (s *sim) command() {
	o := Operator{Store: s.w.store, Sealer: testSealer(), Wall: func() time.Time { return s.w.now }, Policy: s.policies[0]}
	o.Agree = func(list []Change) error {
		for _, c := range list {
			if c.Kind == ChangePromoted && len(c.Costs) > 0 {
				return errNotAgreed
			}
		}
		return nil
	}
	ring := s.w.store.ring(s.w.t)
	if len(ring.Keys) == 0 {
		return
	}
	kid := rapid.SampledFrom(ring.Keys).Draw(s.rt, "which key").ID
	s.commanded = s.w.now
	ctx := context.Background()
	switch rapid.SampledFrom([]string{"rotate", "now", "to", "rollback", "rollback", "revoke", "revoke signing", "revoke all", "import"}).Draw(s.rt, "command") {
	case "rotate":
		_, _ = o.Rotate(ctx, nil)
	case "now":
		_, _ = o.RotateNow(ctx, nil, rapid.Bool().Draw(s.rt, "accept"))
	case "to":
		_, _ = o.RotateTo(ctx, kid)
	case "rollback":
		_, _ = o.Rollback(ctx, nil)
	case "revoke":
		s.revoke(o, kid)
	case "revoke signing":
		s.revoke(o, ring.SigningKey(ES256).ID)
	case "revoke all":
		if rapid.IntRange(0, 3).Draw(s.rt, "really") == 0 {
			s.revokeAll(o, ring)
		}
	case "import":
		pair, err := generate(ES256, 0)
		if err == nil {
			_, _ = o.Import(ctx, Imported{KeyID: must(thumbprint(pair.Public())), Algorithm: ES256, pair: pair, public: pair.Public()}, false)
		}
	}
	s.commanded = s.w.now
}

var errNotAgreed = errors.New("not agreed")

func (s *sim) revoke(o Operator, kid string) {
	agree := o.Agree
	o.Agree = func(list []Change) error {
		err := agree(list)
		if err == nil {
			s.distrust(kid)
		}
		return err
	}
	_, _ = o.Revoke(context.Background(), kid)
}

func (s *sim) revokeAll(o Operator, ring *Ring) {
	o.Agree = func(list []Change) error {
		for _, c := range list {
			switch c.Kind {
			case ChangeRevoked:
				s.distrust(c.KeyID)
			case ChangePromoted:
				s.excused[c.KeyID] = true
			}
		}
		return nil
	}
	_, _ = o.RevokeAll(context.Background(), ES256)
}

// distrust is before the save: an answer that is lost, or a write that arrives late, revokes all the same.
func (s *sim) distrust(kid string) {
	s.revoked[kid] = true
	s.tokens = slices.DeleteFunc(s.tokens, func(t liveToken) bool { return t.kid == kid })
}

// passWatching lets time pass in small pieces, with verifiers fetching and callers asking for tokens all along.
func (s *sim) passWatching(d time.Duration) {
	piece := max(s.policies[0].Poll/2, d/40)
	for ; d > 0; d -= piece {
		s.w.pass(min(d, piece))
		s.watch()
	}
}

// watch has every replica sign and serve at this moment, and holds invariants 2, 3 and 5 against it.
func (s *sim) watch() {
	now := s.w.now
	maps.DeleteFunc(s.sets, func(_ string, v *servedSet) bool { return !now.Before(v.until) })
	s.tokens = slices.DeleteFunc(s.tokens, func(t liveToken) bool { return !now.Before(t.end) })
	served := s.serve(now)
	var signing []*view
	for _, r := range s.reps {
		v, err := r.usable(r.policy.R())
		if err != nil || v.signers[ES256] == nil {
			continue
		}
		k := v.signers[ES256]
		if s.revoked[k.kid] || s.excused[k.kid] {
			continue
		}
		signing = append(signing, v)
		for _, set := range served {
			if !set[k.kid] {
				s.rt.Fatalf("invariant 2: %s signs, and a replica serves %v", k.kid, slices.Collect(maps.Keys(set)))
			}
		}
		for _, set := range s.sets {
			if !set.kids[k.kid] {
				s.rt.Fatalf("invariant 3: %s signs, and a set in use until %s from now lacks it", k.kid, set.until.Sub(now))
			}
		}
		exp := r.Now().Add(min(r.policy.TokenTTL, k.ttl))
		s.tokens = append(s.tokens, liveToken{k.kid, exp.Add(r.policy.Leeway)})
	}
	s.checkSigners(signing)
}

func (s *sim) serve(now time.Time) (served []map[string]bool) {
	for _, r := range s.reps {
		if _, err := r.JWKS(); err != nil {
			continue
		}
		v := r.view.Load()
		kids := map[string]bool{}
		for _, k := range v.ring.Keys {
			kids[k.ID] = true
		}
		for _, t := range s.tokens {
			if !kids[t.kid] {
				s.rt.Fatalf("invariant 3: a replica serves a set without %s, whose token lives %s more", t.kid, t.end.Sub(now))
			}
		}
		served = append(served, kids)
		name := v.set.ETag
		until := now.Add(r.policy.Poll + r.policy.JWKSMaxAge + r.policy.StaleIfError + r.policy.Allowance())
		if old := s.sets[name]; old == nil || old.until.Before(until) {
			s.sets[name] = &servedSet{kids, until}
		}
	}
	return served
}

// checkSigners holds invariant 5: of the keys that sign at one moment, no two are more than one change apart, and who signs by either publishes both.
func (s *sim) checkSigners(signing []*view) {
	for _, v := range signing {
		for _, o := range signing {
			mine, theirs := v.signers[ES256].kid, o.signers[ES256].kid
			if mine == theirs {
				continue
			}
			scheduled := s.w.now.Sub(s.commanded) > 4*v.ring.Ahead.Value // commands may be many within R
			if scheduled && !s.oneChange(mine, theirs) {
				s.rt.Fatalf("invariant 5: %s and %s sign, and no change leads from one to the other; in turn signed %v", mine, theirs, s.signedBy)
			}
			if v.ring.Key(theirs) == nil {
				s.rt.Fatalf("invariant 5: %s signs by a ring without %s, which signs too", mine, theirs)
			}
		}
	}
}

// oneChange says whether some change led from one of two keys to the other. A key may sign more than once: a rollback brings it back.
func (s *sim) oneChange(a, b string) bool {
	for i := 1; i < len(s.signedBy); i++ {
		if x, y := s.signedBy[i-1], s.signedBy[i]; x == a && y == b || x == b && y == a {
			return true
		}
	}
	return false
}

// checkVersion holds invariants 1 and 4 against every version stored.
func (s *sim) checkVersion(before, after RingDocument) {
	s.versions++
	next, err := decodeRing(after)
	if err != nil {
		s.rt.Fatal(err)
	}
	checkShape(s.rt, next, ES256)
	if strings.Contains(string(after.Body), "PRIVATE") {
		s.rt.Fatal("a private half in the clear")
	}
	if k := next.SigningKey(ES256).ID; len(s.signedBy) == 0 || s.signedBy[len(s.signedBy)-1] != k {
		s.signedBy = append(s.signedBy, k)
	}
	prev, err := decodeRing(before)
	if err != nil {
		s.rt.Fatal(err)
	}
	for _, k := range prev.Keys {
		if next.Key(k.ID) != nil || s.revoked[k.ID] {
			continue
		}
		for _, t := range s.tokens {
			if t.kid == k.ID && s.w.now.Before(t.end) {
				s.rt.Fatalf("invariant 4: %s leaves, and a token by it lives %s more", k.ID, t.end.Sub(s.w.now))
			}
		}
	}
}

// checkShape is invariant 1.
func checkShape(t interface{ Fatalf(string, ...any) }, r *Ring, algs ...Algorithm) {
	for _, alg := range algs {
		count, generated := map[State]int{}, 0
		for _, k := range r.Keys {
			if k.Algorithm != alg {
				continue
			}
			count[k.State]++
			if k.State == Published && !k.Imported && !hasSigned(&k) {
				generated++
			}
		}
		if count[Signing] != 1 || count[Published] < 1 || generated > 1 {
			t.Fatalf("invariant 1: version %d has %d signing keys and %d standbys of %s, %d of them made by itself", r.Version, count[Signing], count[Published], alg, generated)
		}
	}
}

func TestInvariantsUnderFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSim(t, rt, true)
		s.boot()
		for range 80 {
			s.passWatching(drawDuration(rt, "pass", 0, 3*s.policies[0].Poll))
			s.act()
			s.watch()
		}
	})
}

func TestInvariantsWithoutFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSim(t, rt, false)
		p := s.policies[0]
		for range rapid.IntRange(1, 2).Draw(rt, "replicas") {
			s.boot()
		}
		for end := s.w.now.Add(2*p.SigningPeriod + 2*p.Poll); s.w.now.Before(end); {
			s.w.pass(p.Poll)
			for i := range s.reps {
				s.poll(i, false)
			}
			s.watch()
			ring := s.w.store.ring(t)
			// The stamp and the clock that reads it may err by S each, and a poll passes before anyone looks.
			if age := s.w.now.Sub(ring.SigningKey(ES256).SignedAt); age > p.SigningPeriod+p.Poll+2*p.Skew {
				rt.Fatalf("invariant 6: the signing key is %s old, period %s", age, p.SigningPeriod)
			}
		}
		if len(s.signedBy) < 3 {
			rt.Fatalf("two periods, and %d keys signed", len(s.signedBy))
		}
	})
}

// Invariant 7, first half: at one now a second Step does nothing, whatever happened before.
func TestStepIsIdempotent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base := Policy{Poll: time.Second, Skew: drawDuration(rt, "S", 0, time.Second)}
		a, b := drawPolicy(rt, base).Resolved(), drawPolicy(rt, base).Resolved()
		ring, now := &Ring{}, t0
		for i := range 40 {
			now = now.Add(rapid.SampledFrom([]time.Duration{-time.Second, 0, time.Second, 9 * time.Second, 50 * time.Second, 31 * day}).Draw(rt, "pass"))
			l := Lifecycle{Policy: rapid.SampledFrom([]Policy{a, b}).Draw(rt, "policy"), Algorithms: []Algorithm{ES256, RS256}}
			next, short := Step(ring, now, l, plenty(fmt.Sprint(i)))
			if !short.Empty() {
				rt.Fatalf("short of %v", short)
			}
			again, _ := Step(next, now, l, plenty(fmt.Sprint(i, " again")))
			if again != next {
				rt.Fatalf("a second step makes version %d of %d", again.Version, next.Version)
			}
			checkShape(rt, next, ES256, RS256)
			ring = next
		}
	})
}
