package keys

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cost is who pays for a change, and until when.
type Cost struct {
	Who   string     `json:"who"`
	Until *time.Time `json:"until"` // null: no clock says
	Why   string     `json:"why"`   // the terms and their sum, or what it hangs on
}

// String is a line.
func (c Cost) String() string {
	until := ""
	if c.Until != nil {
		until = " until " + c.Until.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s%s: %s", c.Who, until, c.Why)
}

// expiry is how long whoever heeds the headers may use a set that a replica serves no more: R or Q for the replica, A and E for caches.
func (p Policy) expiry(cutOff bool) []Term {
	replica := Term{"R", p.R()}
	if cutOff {
		replica = Term{"Q", p.Q()}
	}
	terms := []Term{replica}
	if p.StaleReads > 0 {
		terms = append(terms, Term{"late reads", p.StaleReads})
	}
	return append(terms, Term{"A", p.JWKSMaxAge}, Term{"E", p.StaleIfError})
}

// keptFor is those who keep a set, or a key, for so long beyond the headers.
type keptFor struct {
	beyond time.Duration
	names  []string
}

// group gathers verifiers by what beyond says of them; those of which it says nothing are left out.
func group(beyond func(Verifier) (time.Duration, bool)) []keptFor {
	var groups []keptFor
	for _, v := range Verifiers() {
		d, there := beyond(v)
		if !there {
			continue
		}
		i := slices.IndexFunc(groups, func(g keptFor) bool { return g.beyond == d })
		if i < 0 {
			groups = append(groups, keptFor{beyond: d})
			i = len(groups) - 1
		}
		groups[i].names = append(groups[i].names, v.Name)
	}
	slices.SortFunc(groups, func(a, b keptFor) int { return int((a.beyond - b.beyond) / time.Second) })
	return groups
}

// cost adds the terms up from a moment on.
func cost(who string, from time.Time, terms []Term, note string) Cost {
	var sum time.Duration
	parts := make([]string, len(terms))
	for i, t := range terms {
		sum += t.Value
		parts[i] = t.Symbol + " " + shown(t.Value)
	}
	until, why := from.Add(sum), strings.Join(parts, " + ")
	if len(terms) > 1 {
		why += " = " + shown(sum)
	}
	return Cost{Who: who, Until: &until, Why: why + note}
}

// exposure is how long a key revoked at now is still believed. It does not depend on the life of tokens: a thief chooses exp.
// Unknown is when a key signs that no cache can know; zero: none is planned for it.
func (p Policy) exposure(now, unknown time.Time) []Cost {
	list := []Cost{
		cost("believed by verifiers that heed the headers", now, p.expiry(false), ""),
		cost("believed where a replica is cut off from the store", now, p.expiry(true), ""),
	}
	for _, g := range group(func(v Verifier) (time.Duration, bool) { return v.Keeps, v.Keeps > 0 }) {
		list = append(list, cost("believed by "+strings.Join(g.names, ", "), now, append(p.expiry(false), Term{"V", g.beyond}), ""))
	}
	forEver := Cost{Who: "believed by go-oidc and whatever keeps a set for ever", Why: "until it meets a kid that it does not know"}
	if !unknown.IsZero() {
		forEver.Until = &unknown
		forEver.Why = "the next key signs then, and a kid that it does not know makes it ask again; restart it to be sooner"
	}
	return append(list, forEver)
}

// failures is who may lack a key that signs at now and was published at window: those that last got a set before.
func (p Policy) failures(window, now time.Time) (list []Cost) {
	published := fmt.Sprintf(", from its publication at %s", window.UTC().Format(time.RFC3339))
	add := func(c Cost) {
		if c.Until.After(now) {
			list = append(list, c)
		}
	}
	add(cost("refused by verifiers that heed the headers and do not ask again", window, p.expiry(false), published))
	add(cost("refused where a replica is cut off from the store", window, p.expiry(true), published))
	for _, g := range group(func(v Verifier) (time.Duration, bool) { return v.Needs, !v.Asks && v.Needs > 0 }) {
		add(cost("refused by "+strings.Join(g.names, ", "), window, append(p.expiry(false), Term{"V", g.beyond}), published))
	}
	for _, g := range group(func(v Verifier) (time.Duration, bool) { return v.Cooldown, v.Asks && v.Cooldown > 0 }) {
		c := cost("refused by "+strings.Join(g.names, ", "), now, []Term{{"cooldown", g.beyond}}, ": they ask again when they meet the kid, not sooner than this after the last time")
		if needs := p.longest(g.names); window.Add(needs).After(now) {
			list = append(list, c)
		}
	}
	return list
}

// longest is how long after a publication the last of the named may still hold a set from before it.
func (p Policy) longest(names []string) time.Duration {
	var longest time.Duration
	for _, v := range Verifiers() {
		if slices.Contains(names, v.Name) {
			longest = max(longest, v.Needs)
		}
	}
	for _, t := range p.expiry(true) {
		longest += t.Value
	}
	return longest
}

// priced adds to the changes of a command what they cost.
func priced(list []Change, before, after *Ring, now time.Time, p Policy) []Change {
	for i := range list {
		c := &list[i]
		old, is := before.Key(c.KeyID), after.Key(c.KeyID)
		switch {
		case c.Kind == ChangeRevoked && !c.Already:
			c.At = now
			c.Costs = p.revoked(old, before, after, now)
		case c.Kind == ChangePromoted && !c.Already && !after.Known(is, now) && !before.first(old): // one that has signed, too: it may have been forced to
			c.Costs = p.failures(is.WindowAt, now)
		}
	}
	return list
}

// first says whether k signed at once because the ring began with it: no set ever lacked it.
func (r *Ring) first(k *Key) bool {
	if k == nil {
		return false
	}
	earlier := func(x Key) bool { return x.PublishedAt.Before(k.PublishedAt) }
	return k.SignedAt.Equal(k.PublishedAt) && len(r.Revoked) == 0 && len(r.Dropped) == 0 && !slices.ContainsFunc(r.Keys, earlier)
}

// hasSigned says whether a key of the version before had signed.
func hasSigned(k *Key) bool { return k != nil && !k.SignedAt.IsZero() }

// revoked is what a revocation costs.
func (p Policy) revoked(old *Key, before, after *Ring, now time.Time) []Cost {
	var list []Cost
	switch {
	case old == nil: // it had left the set already
	case hasSigned(old), len(old.Private.Blob) == 0: // a public half is imported because it has signed elsewhere
		list = append(list, Cost{Who: "refused from everybody", Why: "tokens that it signed fail at once, until their holders refresh"})
	default:
		list = append(list, Cost{Who: "refused from nobody", Why: "it has never signed; a thief of its private half is believed as follows"})
	}
	return append(list, p.exposure(now, before.unknownFrom(old, after))...)
}

// unknownFrom is when a key published after the revocation signs for the revoked one's algorithm.
func (r *Ring) unknownFrom(old *Key, after *Ring) time.Time {
	if old == nil {
		return time.Time{}
	}
	standby := after.Standby(old.Algorithm)
	if standby == nil || r.Key(standby.ID) != nil {
		return time.Time{}
	}
	return after.signsFrom(old.Algorithm)
}
