package keys

import "time"

// verifierModel is how a library or a gateway caches a JWKS, by its defaults.
type verifierModel struct {
	name     string
	keeps    time.Duration // a set older than this is fetched again; 0: never
	heeds    bool          // keeps it for max-age instead, but not less than keeps
	age      bool          // counts the Age header off max-age
	timer    bool          // fetches on a timer, not when used
	keepsOld bool          // goes on with the old set when a fetch fails,
	retry    time.Duration // and tries again after this; 0: at the next use
	unknown  bool          // an unknown kid makes it fetch,
	cooldown time.Duration // not sooner than this after the last fetch,
	late     bool          // beside the request, which fails
	empties  bool          // a failed fetch empties the cache
	perKid   bool          // keeps each kid by itself
	needs    func(p Policy) time.Duration
}

func fixed(d time.Duration) func(Policy) time.Duration {
	return func(Policy) time.Duration { return d }
}

const minute = time.Minute

// verifierModels are the table of docs/key-rotation.md. What each needs of V: how long it holds a set, and one failed fetch where it goes on after one.
var verifierModels = []verifierModel{
	{name: "heeds the headers exactly", heeds: true, age: true, needs: fixed(0)},
	{name: "jose createRemoteJWKSet", keeps: 10 * minute, unknown: true, cooldown: 30 * time.Second, needs: fixed(10 * minute)},
	{name: "PyJWT PyJWKClient", keeps: 5 * minute, unknown: true, empties: true, needs: fixed(5 * minute)},
	{name: "go-oidc", unknown: true, needs: fixed(0)},
	{name: "keyfunc v3", keeps: time.Hour, timer: true, keepsOld: true, retry: time.Hour, unknown: true, cooldown: 5 * minute, needs: fixed(2 * time.Hour)},
	{name: "jwx/httprc", heeds: true, keeps: 15 * minute, timer: true, keepsOld: true, retry: 15 * minute,
		needs: func(p Policy) time.Duration { return max(p.JWKSMaxAge, 15*minute) + 15*minute }},
	{name: "node-jwks-rsa", keeps: 10 * minute, perKid: true, needs: fixed(0)},
	{name: "node-jwks-rsa, old", keeps: 10 * time.Hour, perKid: true, needs: fixed(0)},
	{name: "Nimbus, Spring", keeps: 5 * minute, unknown: true, cooldown: 30 * time.Second, needs: fixed(5 * minute)},
	{name: "Microsoft.IdentityModel", keeps: 12*time.Hour + 36*minute, keepsOld: true, retry: 5 * minute, unknown: true, cooldown: 5 * minute, late: true,
		needs: fixed(12*time.Hour + 51*minute)},
	{name: "Microsoft.IdentityModel, old", keeps: 25*time.Hour + 12*minute, keepsOld: true, retry: 30 * time.Second, unknown: true, cooldown: 30 * time.Second, late: true,
		needs: fixed(25*time.Hour + 27*minute)},
	{name: "Envoy jwt_authn", keeps: 10 * minute, needs: fixed(10 * minute)},
	{name: "Envoy jwt_authn, async", keeps: 10 * minute, timer: true, keepsOld: true, retry: time.Second, needs: fixed(25 * minute)},
	{name: "Istio", keeps: 20 * minute, timer: true, keepsOld: true, retry: minute, needs: fixed(36 * minute)},
	{name: "Apache mod_oauth2", keeps: day, needs: fixed(day)},
	{name: "AWS API Gateway, REST", keeps: time.Hour, unknown: true, needs: fixed(time.Hour)},
	{name: "AWS API Gateway, HTTP", keeps: 2 * time.Hour, needs: fixed(2 * time.Hour)},
	{name: "Apigee", keeps: 5 * minute, needs: fixed(5 * minute)},
	{name: "TIBCO EMS", keeps: day, unknown: true, cooldown: 5 * minute, needs: fixed(day)},
	{name: "Confluent Cloud", heeds: true, keeps: 5 * minute, needs: func(p Policy) time.Duration { return max(p.JWKSMaxAge, 5*minute) }},
}

// simVerifier judges every token twice: by the ring, and by a ring that never rotates, in the same world. Its two caches begin alike, and whatever
// can't be fetched for one can't be for the other.
type simVerifier struct {
	verifierModel
	s          *simulator
	byCDN      bool
	cut        bool          // its own way to the JWKS is
	from       time.Duration // in use from then on, so that not all caches are of one age
	ours, twin simCache
}

type simCache struct {
	twin   bool
	set    *Ring
	next   time.Duration // the set is old from then on
	tried  time.Duration // last fetch begun
	failed bool          // it failed
	kids   map[string]time.Duration
}

// simAnswer is what a fetch now brings.
type simAnswer struct {
	set   *Ring
	fresh time.Duration // max-age
	age   time.Duration
	ok    bool
}

// simCDN holds one answer for max-age, and for stale-if-error more when the origin fails.
type simCDN struct {
	cut  bool // from the origin
	last simAnswer
	at   time.Duration
	more time.Duration
}

func (s *simulator) addVerifiers(copies int) {
	for i := range copies {
		for _, m := range verifierModels {
			if m.needs(s.policy) > s.promise {
				continue
			}
			v := &simVerifier{verifierModel: m, s: s, byCDN: i%2 == 1, from: s.between(0, m.keeps)}
			v.twin.twin = true
			v.ours.kids, v.twin.kids = map[string]time.Duration{}, map[string]time.Duration{}
			v.ours.tried, v.twin.tried = -day, -day
			s.fleet = append(s.fleet, v)
			if v.timer {
				s.after(s.between(minute, 20*minute), v.tick)
			}
		}
	}
}

// origin is the JWKS by some replica; the load balancer goes on to another where one can't.
func (s *simulator) origin() simAnswer {
	if s.ingress {
		return simAnswer{}
	}
	first := s.rng.IntN(len(s.nodes))
	for i := range s.nodes {
		n := s.nodes[(first+i)%len(s.nodes)]
		if r := n.serves(); r != nil {
			s.cdn.more = n.policy.StaleIfError
			return simAnswer{set: r, fresh: n.policy.JWKSMaxAge, ok: true}
		}
	}
	return simAnswer{}
}

func (s *simulator) throughCDN() simAnswer {
	c := &s.cdn
	age := s.now - c.at
	if c.last.ok && age < c.last.fresh {
		return simAnswer{c.last.set, c.last.fresh, age, true}
	}
	more := c.more
	if !c.cut {
		if a := s.origin(); a.ok {
			c.last, c.at = a, s.now
			return a
		}
	}
	if c.last.ok && age < c.last.fresh+more {
		return simAnswer{c.last.set, c.last.fresh, age, true}
	}
	return simAnswer{}
}

// answers gives the same answer however often it is asked.
func (v *simVerifier) answers() func() simAnswer {
	var a *simAnswer
	return func() simAnswer {
		if a == nil {
			got := simAnswer{}
			switch {
			case v.cut:
			case v.byCDN:
				got = v.s.throughCDN()
			default:
				got = v.s.origin()
			}
			a = &got
		}
		return *a
	}
}

func (v *simVerifier) tick() {
	ask := v.answers()
	v.refresh(&v.twin, ask)
	next := v.retry
	if v.refresh(&v.ours, ask) {
		next = v.ours.next - v.s.now
	}
	v.s.after(next, v.tick)
}

func (v *simVerifier) refresh(c *simCache, ask func() simAnswer) bool {
	a := ask()
	c.tried, c.failed = v.s.now, !a.ok
	if !a.ok {
		if v.empties {
			c.set = nil
		}
		return false
	}
	life := v.keeps
	if v.heeds {
		fresh := a.fresh
		if v.age {
			fresh -= a.age
		}
		life = max(fresh, v.keeps)
	}
	c.set, c.next = a.set, v.s.now+life
	return true
}

func (v *simVerifier) has(c *simCache, kid string) bool {
	if c.twin && !v.s.stranger[kid] {
		return true
	}
	return v.ours.set != nil && v.ours.set.Key(kid) != nil // the twin takes a revoked key for what the other does, so that they fetch alike
}

// verify is what the library does with a token; lost says that it met a kid that it lacks and could not fetch.
func (v *simVerifier) verify(c *simCache, kid string, ask func() simAnswer) (ok, lost bool) {
	if v.perKid {
		return v.verifyPerKid(c, kid, ask)
	}
	if c.set == nil || (!v.timer && (v.keeps > 0 || v.heeds) && v.s.now >= c.next) {
		waits := v.keepsOld && c.set != nil && c.failed && v.s.now < c.tried+v.retry
		if !waits && !v.refresh(c, ask) && (!v.keepsOld || c.set == nil) {
			return false, false
		}
	}
	if v.has(c, kid) {
		return true, false
	}
	if !v.unknown || v.s.now < c.tried+v.cooldown {
		return false, false
	}
	if !v.refresh(c, ask) {
		return false, true
	}
	return v.has(c, kid) && !v.late, false
}

func (v *simVerifier) verifyPerKid(c *simCache, kid string, ask func() simAnswer) (ok, lost bool) {
	name := kid
	if c.twin && !v.s.stranger[kid] {
		name = "the one that never rotates"
	}
	if until, there := c.kids[name]; there && v.s.now < until {
		return true, false
	}
	if !v.refresh(c, ask) {
		return false, true
	}
	if !v.has(c, kid) {
		return false, false
	}
	c.kids[name] = v.s.now + v.keeps
	return true, false
}

// judge verifies a token in both worlds.
func (v *simVerifier) judge(t simToken) {
	s := v.s
	if s.now >= t.end || s.now < v.from {
		return
	}
	ask := v.answers()
	there, _ := v.verify(&v.twin, t.kid, ask)
	ok, lost := v.verify(&v.ours, t.kid, ask)
	bin := s.tally.at(s.now)
	bin.judged++
	switch {
	case s.stranger[t.kid]:
		s.tally.revoked++
	case ok:
		s.tally.verified++
	case !there:
		s.tally.alike++
	case lost && (v.perKid || (v.keeps == 0 && !v.heeds)):
		s.tally.apart[v.name]++
	default:
		bin.failed++
		s.tally.failed++
		s.tally.by[v.name]++
		s.note("%s (by CDN: %v) fails %s: %s; set tried %s ago", v.name, v.byCDN, t.kid, s.whereabouts(t.kid), s.now-v.ours.tried)
	}
}
