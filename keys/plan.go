package keys

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Plan is what the ring has done and will do, and why that is safe.
type Plan struct {
	Now         time.Time       `json:"now"`
	RingVersion int64           `json:"ring_version"`
	Policy      []PlanTerm      `json:"policy"`
	Arithmetic  []PlanLine      `json:"arithmetic"`
	Warnings    []string        `json:"warnings"`
	Refused     string          `json:"refused,omitempty"` // why a server would not start under this policy; "" when it would
	Allowance   int64           `json:"allowance"`         // V, seconds
	Verifiers   []PlanVerifier  `json:"verifiers"`
	Algorithms  []PlanAlgorithm `json:"algorithms"`
	Next        []PlanEvent     `json:"next"` // in order of time
}

// PlanTerm is a setting: its letter, what it is, its value.
type PlanTerm struct {
	Symbol string `json:"symbol"`
	Name   string `json:"name"`
	Value  string `json:"value"`
}

// PlanLine is an inequality with every term and the sum.
type PlanLine struct {
	Name  string          `json:"name"`
	Rule  string          `json:"rule"`
	Left  *PlanTermValue  `json:"left"`  // null for those that nothing is summed up for
	Terms []PlanTermValue `json:"terms"` // seconds
	Sum   float64         `json:"sum"`
	Holds bool            `json:"holds"`
	Text  string          `json:"text"` // the whole line as a server logs it
}

// PlanTermValue is a letter and its value in seconds.
type PlanTermValue struct {
	Symbol string  `json:"symbol"`
	Value  float64 `json:"value"`
}

// PlanVerifier says of a well-known verifier whether V is enough for it.
type PlanVerifier struct {
	Name    string `json:"name"`
	Needs   *int64 `json:"needs"` // seconds; null for one that keeps a set for ever
	Covered bool   `json:"covered"`
}

// PlanAlgorithm is the timeline of an algorithm's keys: those that were, in the order of their publication, and the future as planned.
type PlanAlgorithm struct {
	Algorithm Algorithm `json:"alg"`
	Keys      []KeyInfo `json:"keys"`
}

// PlanEvent is what happens next. KeyID is "" for a key that is yet to be made.
type PlanEvent struct {
	At        time.Time `json:"at"`
	Algorithm Algorithm `json:"alg"`
	Event     string    `json:"event"` // known, signs, retires, drops, published
	KeyID     string    `json:"kid"`
	Text      string    `json:"text"`
}

// Plan reads the ring and works the plan out. It changes nothing. ErrNoRing, or the store's errors.
func (o Operator) Plan(ctx context.Context) (Plan, error) {
	r, err := o.load(ctx)
	if err != nil {
		return Plan{}, err
	}
	now, err := o.now(ctx)
	if err != nil {
		return Plan{}, err
	}
	p := o.policyFor(r)
	plan := Plan{Now: now, RingVersion: r.Version, Policy: p.terms(), Allowance: int64(p.Allowance() / time.Second), Warnings: []string{}}
	plan.check(p)
	for _, v := range Verifiers() {
		seen := PlanVerifier{Name: v.Name, Covered: v.Covered(p.Allowance())}
		if needs := int64(v.Needs / time.Second); !v.ForEver {
			seen.Needs = &needs
		}
		plan.Verifiers = append(plan.Verifiers, seen)
	}
	all := r.infos(p, now)
	for _, alg := range r.algorithms() {
		line := PlanAlgorithm{Algorithm: alg}
		for _, k := range all {
			if k.Algorithm == alg {
				line.Keys = append(line.Keys, k)
				plan.Next = append(plan.Next, k.events(now)...)
			}
		}
		slices.SortStableFunc(line.Keys, func(a, b KeyInfo) int { return a.PublishedAt.Compare(b.PublishedAt) })
		plan.Algorithms = append(plan.Algorithms, line)
		plan.Next = append(plan.Next, r.successor(alg, now)...)
	}
	slices.SortStableFunc(plan.Next, func(a, b PlanEvent) int { return a.At.Compare(b.At) })
	return plan, nil
}

func (plan *Plan) check(p Policy) {
	a, err := p.Check(p.StaleReads)
	if err != nil {
		plan.Refused = err.Error()
	}
	plan.Warnings = append(plan.Warnings, a.Warnings...)
	for _, l := range a.Lines {
		line := PlanLine{Name: l.Name, Rule: l.Says, Holds: l.Holds, Sum: l.Sum().Seconds(), Terms: []PlanTermValue{}, Text: l.String()}
		if len(l.Terms) > 0 {
			line.Left = &PlanTermValue{l.Left.Symbol, l.Left.Value.Seconds()}
		}
		for _, t := range l.Terms {
			line.Terms = append(line.Terms, PlanTermValue{t.Symbol, t.Value.Seconds()})
		}
		plan.Arithmetic = append(plan.Arithmetic, line)
	}
}

// terms are the settings that the inequalities are made of.
func (p Policy) terms() []PlanTerm {
	var list []PlanTerm
	for _, t := range []struct {
		symbol, name string
		value        time.Duration
	}{
		{"D", "publish-ahead", p.PublishAhead}, {"period", "signing period", p.SigningPeriod}, {"P", "poll", p.Poll}, {"S", "clock skew", p.Skew},
		{"R", "a replica signs by a ring confirmed within", p.trueR()}, {"Q", "and serves the JWKS by one confirmed within", p.trueQ()},
		{"A", "max-age of the JWKS", p.JWKSMaxAge}, {"E", "stale-if-error of the JWKS", p.StaleIfError},
		{"T", "longest life of a token", p.TokenTTL}, {"L", "leeway of verifiers", p.Leeway},
		{"G", "an absence longer than this is an outage", p.OutageAfter}, {"B", "attendance is recorded every", p.AttendEvery},
	} {
		list = append(list, PlanTerm{t.symbol, t.name, shown(t.value)})
	}
	return list
}

// events are what is to come for one key.
func (i KeyInfo) events(now time.Time) []PlanEvent {
	var list []PlanEvent
	add := func(at *time.Time, event, text string) {
		if at != nil && at.After(now) {
			list = append(list, PlanEvent{*at, i.Algorithm, event, i.ID, fmt.Sprintf("%s key %s %s", i.Algorithm, i.ID, text)})
		}
	}
	add(i.KnownAt, "known", "is known to every verifier")
	if i.State == Published {
		add(i.SignsFrom, "signs", "signs")
	}
	if i.State == Signing {
		add(i.RetiredAt, "retires", "signs no more")
	}
	add(i.DropsAt, "drops", "leaves the JWKS")
	return list
}

// successor is the standby that is made when the present one takes over. The schedule may be late already: then it is the next step's.
func (r *Ring) successor(alg Algorithm, now time.Time) []PlanEvent {
	at := r.signsFrom(alg)
	if at.IsZero() {
		return nil
	}
	at = latest(at, now)
	return []PlanEvent{{at, alg, "published", "", fmt.Sprintf("a new %s key is published as the standby", alg)}}
}
