package keys

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Arithmetic is a policy's inequalities with every term and the sums, for people to read.
type Arithmetic struct {
	Lines     []Inequality
	Allowance time.Duration // V, negative when I1 fails
	Warnings  []string      // what is legal and still worth saying
}

// Inequality is one line of the arithmetic: Left must be at least the sum of Terms.
type Inequality struct {
	Name  string // I1 ... I5, V
	Says  string // the rule in letters
	Left  Term
	Terms []Term
	Holds bool
	Note  string // what follows from it
}

// Term is a letter and its value.
type Term struct {
	Symbol string
	Value  time.Duration
}

// Sum adds the terms up.
func (i Inequality) Sum() time.Duration {
	var sum time.Duration
	for _, t := range i.Terms {
		sum += t.Value
	}
	return sum
}

// String is the line as printed: rule, values, sum, verdict.
func (i Inequality) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-3s%s", i.Name, i.Says)
	if len(i.Terms) > 0 {
		parts := make([]string, len(i.Terms))
		for n, t := range i.Terms {
			parts[n] = t.Symbol + " " + shown(t.Value)
		}
		fmt.Fprintf(&b, ": %s %s >= %s", i.Left.Symbol, shown(i.Left.Value), strings.Join(parts, " + "))
		if len(i.Terms) > 1 {
			fmt.Fprintf(&b, " = %s", shown(i.Sum()))
		}
		b.WriteString(map[bool]string{true: ", holds", false: ", DOES NOT HOLD"}[i.Holds])
	}
	if i.Note != "" {
		b.WriteString("; " + i.Note)
	}
	return b.String()
}

// String is the whole arithmetic, a line each.
func (a Arithmetic) String() string {
	var b strings.Builder
	for _, l := range a.Lines {
		b.WriteString(l.String() + "\n")
	}
	for _, w := range a.Warnings {
		b.WriteString("warning: " + w + "\n")
	}
	return b.String()
}

// Check works out the inequalities of the policy, Resolved, over a store that may answer reads extra late (RingStore.StaleReads).
// The error names everything that is refused, all at once; the Arithmetic is complete either way.
func (p Policy) Check(extra time.Duration) (Arithmetic, error) {
	p = p.Resolved()
	p.StaleReads = extra
	a := Arithmetic{Allowance: p.Allowance(), Lines: p.inequalities()}
	refused := p.malformed()
	for _, l := range a.Lines {
		if !l.Holds {
			refused = append(refused, errors.New(l.String()))
		}
	}
	if len(refused) == 0 {
		a.Warnings = p.warnings()
	}
	if err := errors.Join(refused...); err != nil {
		return a, fmt.Errorf("key policy refused:\n%w", err)
	}
	return a, nil
}

func (p Policy) inequalities() []Inequality {
	q, r := []Term{{"Q", p.Q()}}, []Term{{"R", p.R()}}
	if p.StaleReads > 0 {
		late := Term{"late reads", p.StaleReads}
		q, r = append(q, late), append(r, late)
	}
	kept := Inequality{Name: "I2", Says: "published after it stopped signing >= T + R + L + 3S", Left: Term{"kept", max(p.keep(p.TokenTTL), p.PublishAhead)},
		Terms: append([]Term{{"T", p.TokenTTL}}, append(r, Term{"L", p.Leeway}, Term{"3S", 3 * p.Skew})...), Note: "by construction"}
	lines := []Inequality{
		{Name: "I1", Says: "D >= Q + A + E + P + 2S + V, V >= 0", Left: Term{"D", p.PublishAhead},
			Terms: append(q, Term{"A", p.JWKSMaxAge}, Term{"E", p.StaleIfError}, Term{"P", p.Poll}, Term{"2S", 2 * p.Skew}),
			Note:  "V = " + shown(p.Allowance())},
		kept,
		{Name: "I3", Says: "R >= 4P", Left: Term{"R", p.R()}, Terms: []Term{{"4P", 4 * p.Poll}}},
		{Name: "I3", Says: "Q >= R", Left: Term{"Q", p.Q()}, Terms: []Term{{"R", p.R()}}},
		{Name: "I3", Says: "3B <= G", Left: Term{"G", p.OutageAfter}, Terms: []Term{{"3B", 3 * p.AttendEvery}}},
		{Name: "I3", Says: "B + R <= G", Left: Term{"G", p.OutageAfter}, Terms: []Term{{"B", p.AttendEvery}, {"R", p.R()}},
			Note: "else replicas that are there would be taken for absent"},
		{Name: "I4", Says: "period >= D", Left: Term{"period", p.SigningPeriod}, Terms: []Term{{"D", p.PublishAhead}}},
	}
	for i := range lines {
		lines[i].Holds = lines[i].Left.Value >= lines[i].Sum()
	}
	return append(lines,
		Inequality{Name: "I5", Says: "exp <= now + min(T, longest life the ring carries)", Holds: true, Note: "held by the signer, T " + shown(p.TokenTTL)},
		Inequality{Name: "V", Says: "a verifier may hold a set so much longer than the headers say", Holds: true, Note: shown(p.Allowance())})
}

// malformed finds settings that no inequality catches and that would make nonsense of them all.
func (p Policy) malformed() (found []error) {
	for _, t := range []Term{{"publish-ahead", p.PublishAhead}, {"signing period", p.SigningPeriod}, {"poll", p.Poll}, {"longest token life", p.TokenTTL},
		{"attendance", p.AttendEvery}, {"secret period", p.SecretPeriod}, {"refresh life", p.RefreshLife}, {"code life", p.CodeLife}, {"device life", p.DeviceLife}} {
		if t.Value <= 0 {
			found = append(found, fmt.Errorf("the %s must be above zero, not %s", t.Symbol, t.Value))
		}
	}
	for _, t := range []Term{{"clock skew", p.Skew}, {"JWKS max-age", p.JWKSMaxAge}, {"JWKS stale-if-error", p.StaleIfError}, {"leeway", p.Leeway}, {"lateness of reads", p.StaleReads}} {
		if t.Value < 0 {
			found = append(found, fmt.Errorf("the %s must not be negative, not %s", t.Symbol, t.Value))
		}
	}
	for _, t := range []Term{{"JWKS max-age", p.JWKSMaxAge}, {"JWKS stale-if-error", p.StaleIfError}, {"longest token life", p.TokenTTL}} {
		if t.Value%time.Second != 0 {
			found = append(found, fmt.Errorf("the %s must be whole seconds, not %s", t.Symbol, t.Value))
		}
	}
	if p.RSABits != 2048 && p.RSABits != 3072 && p.RSABits != 4096 {
		found = append(found, fmt.Errorf("RSA keys have 2048, 3072 or 4096 bits, not %d", p.RSABits))
	}
	return found
}

// wantAllowance is what a cache of a fixed day needs, refreshed at most 5 % late.
const wantAllowance = 25*time.Hour + 12*time.Minute

func (p Policy) warnings() (found []string) {
	if v := p.Allowance(); v < wantAllowance {
		found = append(found, fmt.Sprintf("V is %s: verifiers that keep a set for a fixed day fail at a rotation (they need %s; raise the publish-ahead by %s)",
			shown(v), shown(wantAllowance), shown(wantAllowance-v)))
	}
	life := max(p.keep(p.TokenTTL), p.PublishAhead)
	if n := 2 * (2 + int(life/p.SigningPeriod)); n > maxPublished {
		found = append(found, fmt.Sprintf("about %d keys will be published at a time, more than the %d that every verifier reads: lengthen the signing period or shorten token lives", n, maxPublished))
	}
	return found
}

// shown is a duration without its trailing zeros: 48h, 1h06m50s.
func shown(d time.Duration) string {
	if d < 0 {
		return "-" + shown(-d)
	}
	if d < time.Minute {
		return d.String()
	}
	h, m, s := d/time.Hour, d/time.Minute%60, d%time.Minute
	out := ""
	if h > 0 {
		out = fmt.Sprintf("%dh", h)
	}
	if m > 0 || (h > 0 && s > 0) {
		out += fmt.Sprintf(map[bool]string{true: "%02dm", false: "%dm"}[h > 0], m)
	}
	if s > 0 {
		out += fmt.Sprintf("%02ds", s/time.Second)
		if ms := s % time.Second; ms > 0 {
			out = strings.TrimSuffix(out, "s") + strings.TrimPrefix(fmt.Sprintf("%.3fs", ms.Seconds()), "0")
		}
	}
	return out
}
