package keys

import "time"

// simRules are the rules as the simulator's replicas and operator follow them: all of them (ours), or all but one. Nothing of this is in production
// code: a rule is removed by a double of Step or of a command, by a policy, or in the thin replica.
type simRules struct {
	step      func(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage)
	importing func(Key) command
	noBound   bool // a replica acts by a ring however old
	noMerge   bool
	noBackups bool // no backup is restored: what follows would hide what is looked for
	noLeases  bool
	doubled   bool                // step changes more than Step foresees
	deploys   func(Policy) Policy // what becomes of every legal policy; nil: nothing
	accepts   string              // the command whose failures the operator accepts: nothing would warn of them
}

func ours() simRules { return simRules{step: Step, importing: importKey} }

// without is all rules but one.
func without(remove func(*simRules)) func() simRules {
	return func() simRules {
		r := ours()
		remove(&r)
		return r
	}
}

// removedRules are the designs that do without one.
var removedRules = []struct {
	name  string
	seed  uint64 // of a world that soon needs it
	rules func() simRules
}{
	{"sign at once", 0, without(func(r *simRules) { r.step = signAtOnce })},
	{"no standby", 20, without(func(r *simRules) { r.step, r.accepts, r.noMerge, r.noBackups = noStandby, "revoke", true, true })},
	{"no staleness bound", 16, without(func(r *simRules) { r.noBound = true })},
	{"short publish-ahead", 12, without(func(r *simRules) { r.deploys = shortAhead })},
	{"import signs at once", 6, without(func(r *simRules) { r.importing, r.accepts = importAtOnce, "import" })},
	{"outages ignored", 5, without(func(r *simRules) { r.step = outagesIgnored })},
	{"no merge after a restore", 20, without(func(r *simRules) { r.noMerge = true })},
	{"settings without leases", 2, without(func(r *simRules) { r.step, r.doubled, r.noLeases = noLeases, true, true })},
	{"retired keys leave with the token's life", 0, without(func(r *simRules) { r.step, r.doubled, r.noMerge, r.noBackups = dropsEarly, true, true, true })},
}

// shortAhead waits for max-age, and for nothing else that I1 names.
func shortAhead(p Policy) Policy {
	p.PublishAhead = p.JWKSMaxAge + p.Poll + p.Skew
	return p
}

// signAtOnce makes the new key in the very write that lets it sign.
func signAtOnce(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage) {
	at := latest(now.UTC().Truncate(time.Millisecond), in.AttendedAt)
	out := in
	for _, a := range in.algorithms() {
		signing := in.SigningKey(a)
		if l.command || signing == nil || at.Before(signing.DueAt) {
			continue
		}
		if out == in {
			out = in.clone()
			supply = supply.without(in)
		}
		k, ok := take(&supply.Keys, func(k Key) bool { return k.Algorithm == a })
		if !ok {
			return in, Shortage{Keys: map[Algorithm]int{a: 1}}
		}
		k.State, k.PublishedAt, k.WindowAt, k.Next = Published, at, at.Add(-in.Ahead.Value), true
		for i := range out.Keys {
			out.Keys[i].Next = false
		}
		out.Keys = append(out.Keys, k)
	}
	next, short := Step(out, now, l, supply)
	if !short.Empty() {
		return in, short
	}
	return next, short
}

// noStandby publishes a key only when one is wanted. The one that a command's own Step leaves goes again, so that nothing may merge it back.
func noStandby(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage) {
	next, short := Step(in, now, l, supply)
	if next == in {
		return next, short
	}
	at := latest(now.UTC().Truncate(time.Millisecond), in.AttendedAt)
	bare := next.clone()
	for _, k := range next.Keys {
		signing := next.SigningKey(k.Algorithm)
		if k.State == Published && !k.Imported && signing != nil && at.Before(signing.DueAt) {
			bare.remove(k.ID)
		}
	}
	if sameKeys(in, bare) && in.AttendedAt.Equal(bare.AttendedAt) && in.Ahead == bare.Ahead && in.TTL == bare.TTL {
		return in, short
	}
	return bare, short
}

// outagesIgnored believes that somebody was always there.
func outagesIgnored(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage) {
	at := now.UTC().Truncate(time.Millisecond)
	if in.Version == 0 || at.Sub(in.AttendedAt) <= l.Policy.OutageAfter {
		return Step(in, now, l, supply)
	}
	there := in.clone()
	there.AttendedAt = at
	return Step(there, now, l, supply)
}

// noLeases takes each replica's settings as if they had always been so.
func noLeases(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage) {
	if in.Version == 0 || l.command || (in.Ahead.Value == l.Policy.PublishAhead && in.TTL.Value == l.Policy.TokenTTL) {
		return Step(in, now, l, supply)
	}
	own := in.clone()
	own.Ahead.Value, own.TTL.Value = l.Policy.PublishAhead, l.Policy.TokenTTL
	next, short := Step(own, now, l, supply)
	if next == own {
		own.Version++
		return own, short
	}
	return next, short
}

// dropsEarly lets a retired key go when the tokens that it signed have expired by the clock of who drops it.
func dropsEarly(in *Ring, now time.Time, l Lifecycle, supply Supply) (*Ring, Shortage) {
	next, short := Step(in, now, l, supply)
	at := latest(now.UTC().Truncate(time.Millisecond), in.AttendedAt)
	for _, k := range next.Keys {
		if k.State == Retired && !l.command && !at.Before(k.StopsAt.Add(k.TTL)) {
			if next == in {
				next = in.clone()
				next.Version++
			}
			next.remove(k.ID)
		}
	}
	return next, short
}

// importAtOnce lets a key from outside sign as it comes.
func importAtOnce(k Key) command {
	return func(before *Ring, s *stepping) ([]Change, error) {
		if _, err := importKey(k)(before, s); err != nil {
			return nil, err
		}
		s.promote(k.ID)
		s.addStandby(k.Algorithm)
		return nil, nil
	}
}
