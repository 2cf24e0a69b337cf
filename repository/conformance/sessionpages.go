package conformance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"signet/issuer"
)

// sessionPages holds ListSessions and the counts of sessions to a look at all of them, while they are refreshed, end and expire.
func sessionPages(t *testing.T, s Store) {
	rounds := 12
	rng := rand.New(rand.NewPCG(5, 6))
	m := sessionModel{}
	for round := range rounds {
		for range 25 {
			m.change(t, s, rng)
		}
		for range 12 {
			m.check(t, s, rng)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	for _, limit := range []int{0, -1} {
		if n := len(must(s.ListSessions(t.Context(), issuer.SessionQuery{Now: base}, issuer.Place{}, limit))(t)); n != 0 {
			t.Errorf("a page of %d lists %d", limit, n)
		}
	}
}

// sessionModel is every session, by sid.
type sessionModel map[string]issuer.Session

var sessionUsers = []string{"u1", "u2", "ü"}

func (m sessionModel) change(t *testing.T, s Store, rng *rand.Rand) {
	t.Helper()
	near := func() time.Time { return after(time.Duration(rng.IntN(8*3600*1000)-4*3600*1000) * ms) }
	sids := slices.Sorted(maps.Keys(m))
	if len(sids) < 6 || rng.IntN(3) == 0 {
		d := liveSession()
		d.ID, d.UserID, d.CreatedAt = newID(oneOf(rng, []string{"A", "a", "é"})), oneOf(rng, sessionUsers), after(time.Duration(rng.IntN(10))*ms)
		d.IdleAt, d.AbsAt = near(), near()
		if rng.IntN(5) == 0 {
			revoked(&d)
		}
		ok(t, s.InsertSession(t.Context(), d))
		m[d.ID] = d
		return
	}
	d, err := m[oneOf(rng, sids)], error(nil)
	switch rng.IntN(4) {
	case 0:
		_, _, err = s.RevokeSession(t.Context(), d.ID, issuer.Revoking{At: base, Why: issuer.RevokedEnded})
	case 1:
		_, _, err = s.Reauthenticate(t.Context(), d.ID, near(), near())
	case 2:
		_, _, err = s.RaiseSession(t.Context(), d.ID, d.Ver+1, nil, 0, "")
	default:
		_, _, err = s.RotateSession(t.Context(), issuer.Rotation{SID: d.ID, Gen: d.Gen, Secret: d.Secret, ClientIDs: []string{d.ClientID}, Now: near(), Next: "s1",
			Idle: time.Duration(rng.IntN(3*3600)) * time.Second, Att: "a"})
	}
	ok(t, err)
	m[d.ID] = must(s.Session(t.Context(), d.ID))(t)
}

// check asks at the moment at which a session expires, just before, and just after.
func (m sessionModel) check(t *testing.T, s Store, rng *rand.Rand) {
	t.Helper()
	some := m[oneOf(rng, slices.Sorted(maps.Keys(m)))]
	now := oneOf(rng, []time.Time{some.IdleAt, some.AbsAt}).Add(time.Duration(rng.IntN(3)-1) * ms)
	q := issuer.SessionQuery{UserID: oneOf(rng, append(sessionUsers, "", "nobody")), Revoked: rng.IntN(3) == 0, Now: now}
	var want []issuer.Session
	var counts issuer.Counts
	for _, d := range m {
		if d.Revoked != nil {
			counts.Revoked++
		} else if !d.Ended(now) {
			counts.Outstanding++
		}
		listed := d.Revoked != nil
		if !q.Revoked {
			listed = !d.Ended(now)
		}
		if listed && (q.UserID == "" || d.UserID == q.UserID) {
			want = append(want, d)
		}
	}
	slices.SortFunc(want, func(a, b issuer.Session) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	got, err := walkSessions(t.Context(), s, q, 1+rng.IntN(8))
	ok(t, err)
	sameInOrder(t, fmt.Sprintf("of %q, revoked %v", q.UserID, q.Revoked), got, want, func(d issuer.Session) string { return d.ID })
	same(t, "counts", must(s.Counts(t.Context(), now))(t), counts)
}

// walkSessions lists all of a query, a page at a time.
func walkSessions(ctx context.Context, s Store, q issuer.SessionQuery, limit int) (all []issuer.Session, _ error) {
	for place := (issuer.Place{}); ; {
		page, err := s.ListSessions(ctx, q, place, limit)
		if err != nil {
			return all, err
		}
		if len(page) > limit {
			return all, fmt.Errorf("%d in a page of %d", len(page), limit)
		}
		all = append(all, page...)
		if len(page) < limit {
			return all, nil
		}
		last := page[len(page)-1]
		place = issuer.Place{At: last.CreatedAt, ID: last.ID}
	}
}

// sessionWalkRace walks while others refresh what it walks over, add to it and end some: what stays is met once.
func sessionWalkRace(t *testing.T, s Store) {
	t.Run("ListSessions against changes", func(t *testing.T) {
		var left, others []string
		for i := range 40 {
			d := liveSession()
			d.UserID, d.CreatedAt = "walked", after(time.Duration(i/3)*ms)
			ok(t, s.InsertSession(t.Context(), d))
			if i%4 > 0 {
				left = append(left, d.ID)
			} else {
				others = append(others, d.ID)
			}
		}
		change := func(rng *rand.Rand) error {
			if rng.IntN(8) > 0 {
				return refreshAt(t.Context(), s, oneOf(rng, left), base)
			}
			d := liveSession()
			d.UserID, d.CreatedAt = "walked", after(time.Duration(rng.IntN(13))*ms)
			if err := s.InsertSession(t.Context(), d); err != nil {
				return err
			}
			_, _, err := s.RevokeSession(t.Context(), oneOf(rng, others), issuer.Revoking{At: base, Why: issuer.RevokedEnded})
			return err
		}
		whileChanging(t, change, func() {
			for round := range max(2, rounds()/100) {
				met := map[string]int{}
				got, err := walkSessions(t.Context(), s, issuer.SessionQuery{UserID: []string{"walked", ""}[round%2], Now: base}, 3)
				if err != nil {
					t.Error(err)
				}
				for _, d := range got {
					met[d.ID]++
				}
				for _, sid := range left {
					if met[sid] != 1 {
						t.Errorf("%s was met %d times", sid, met[sid])
					}
				}
			}
		})
	})
}

func reauthenticate(t *testing.T, s Store) {
	type args struct{ at, now time.Time }
	sessionMethod(s, method[issuer.Session, args]{
		name:  "Reauthenticate",
		fresh: func() (issuer.Session, args) { return liveSession(), args{base.Add(1500 * time.Microsecond), base} },
		call: func(ctx context.Context, d issuer.Session, a args) (*issuer.Session, bool, error) {
			return found(s.Reauthenticate(ctx, d.ID, a.at, a.now))
		},
		effect: func(d issuer.Session, a args) *issuer.Session { d.AuthTime = later(d.AuthTime, a.at); return &d },
		again:  hits,
		cases: []variant[issuer.Session, args]{
			{name: "by a slow clock", arg: func(a *args) { a.at = after(-2 * time.Hour) }, hit: true},
			{name: "the first time", doc: func(d *issuer.Session) { d.AuthTime = time.Time{} }, hit: true},
			{name: "a noted theft of a live one", doc: func(d *issuer.Session) { d.Notice = true }, hit: true},
			{name: "just before it idles out", arg: func(a *args) { a.now = after(time.Hour - ms) }, hit: true},
			{name: "when it idles out", arg: func(a *args) { a.now = after(time.Hour) }},
			{name: "just before its end", doc: longIdle, arg: func(a *args) { a.now = after(24*time.Hour - ms) }, hit: true},
			{name: "at its end", doc: longIdle, arg: func(a *args) { a.now = after(24 * time.Hour) }},
			{name: "revoked", doc: revoked},
		},
	}).run(t)
}

func scrubSession(t *testing.T, s Store) {
	sessionMethod(s, method[issuer.Session, struct{}]{
		name:  "ScrubSession",
		fresh: func() (issuer.Session, struct{}) { return sampleSession(), struct{}{} },
		call: func(ctx context.Context, d issuer.Session, _ struct{}) (*issuer.Session, bool, error) {
			hit, err := s.ScrubSession(ctx, d.ID)
			return nil, hit, err
		},
		effect: func(d issuer.Session, _ struct{}) *issuer.Session { d.UserAgent, d.IP = "", ""; return &d },
		again:  either,
		cases: []variant[issuer.Session, struct{}]{
			{name: "a live one", doc: func(d *issuer.Session) { d.Revoked = nil }},
			{name: "an expired one", doc: func(d *issuer.Session) { d.Revoked, d.IdleAt = nil, after(-time.Hour) }},
		},
	}).run(t)
}
