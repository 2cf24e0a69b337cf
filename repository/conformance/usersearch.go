package conformance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

// userSearch changes users in every way there is, and holds lists, kinds of hashes and counts to what a look at all of them says.
func userSearch(t *testing.T, s Store) {
	rounds, changes := 12, 40
	rng := rand.New(rand.NewPCG(1, 2))
	m := userModel{}
	for round := range rounds {
		for range changes {
			m.change(t, s, rng)
		}
		for range 25 {
			m.check(t, s, randomQuery(rng), rng)
		}
		kinds := must(s.HashKinds(t.Context()))(t)
		slices.Sort(kinds)
		same(t, "kinds of hashes", kinds, m.kinds())
		counts := must(s.Counts(t.Context(), base))(t)
		same(t, "counts", counts, m.counts())
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	if list := must(s.ListUsers(t.Context(), issuer.UserQuery{Prefix: "a\xff"}, issuer.Place{}, 10))(t); len(list) > 0 {
		t.Errorf("a prefix that is no text finds %d", len(list))
	}
}

// userModel is every user, by id.
type userModel map[string]issuer.User

// change makes one change of one user, or a new one.
func (m userModel) change(t *testing.T, s Store, rng *rand.Rand) {
	t.Helper()
	ids := slices.Sorted(maps.Keys(m))
	if len(ids) < 8 || rng.IntN(4) == 0 {
		u := randomUser(rng)
		if rng.IntN(10) == 0 {
			u.State = issuer.UserDeleted
		}
		ok(t, s.InsertUser(t.Context(), u))
		m[u.ID] = u
		return
	}
	u := m[oneOf(rng, ids)]
	after, hit, err := u, true, error(nil)
	switch rng.IntN(4) {
	case 0:
		given, family := oneOf(rng, words), oneOf(rng, words)
		after, hit, err = s.UpdateProfile(t.Context(), u.ID, issuer.ProfileChange{GivenName: &given, FamilyName: &family})
	case 1:
		after, hit, err = s.MoveUsername(t.Context(), u.ID, u.NameRev, oneOf(rng, words), "", base)
	case 2:
		after.PasswordHash = oneOf(rng, hashes)
		hit, err = s.RehashPassword(t.Context(), u.ID, u.PasswordHash, after.PasswordHash)
	default:
		after, hit, err = s.ActOnUser(t.Context(), u.ID, randomAct(rng, u, "att"))
	}
	ok(t, err)
	if hit {
		m[u.ID] = after
	}
}

func belongs(u issuer.User, q issuer.UserQuery) bool {
	if u.State == issuer.UserDeleted || q.Role != "" && !slices.Contains(u.Roles, q.Role) || q.Disabled != nil && *q.Disabled != (u.State == issuer.UserDisabled) {
		return false
	}
	return slices.ContainsFunc([]string{u.ID, u.Email, u.Username, u.GivenName, u.FamilyName}, func(text string) bool {
		return strings.HasPrefix(issuer.SearchKey(text), q.Prefix)
	})
}

// randomQuery asks for nothing, for the beginning of a word, for a role, for a state, or for several at once.
func randomQuery(rng *rand.Rand) (q issuer.UserQuery) {
	if runes := []rune(issuer.SearchKey(oneOf(rng, words) + "u-")); rng.IntN(4) > 0 {
		q.Prefix = string(runes[:rng.IntN(len(runes)+1)])
	}
	if rng.IntN(3) == 0 {
		q.Role = oneOf(rng, []string{"admin", "editor", "nobody", "+"})
	}
	if disabled := rng.IntN(2) == 0; rng.IntN(3) == 0 {
		q.Disabled = &disabled
	}
	return q
}

// check walks a list by pages of one size and compares it with the model.
func (m userModel) check(t *testing.T, s Store, q issuer.UserQuery, rng *rand.Rand) {
	t.Helper()
	var want []issuer.User
	for _, u := range m {
		if belongs(u, q) {
			want = append(want, u)
		}
	}
	slices.SortFunc(want, func(a, b issuer.User) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	got, err := walkUsers(t.Context(), s, q, 1+rng.IntN(12), func() {})
	ok(t, err)
	sameInOrder(t, fmt.Sprintf("prefix %q, role %q, disabled %v", q.Prefix, q.Role, q.Disabled), got, want, func(u issuer.User) string { return u.ID })
}

// walkUsers lists all of a query, a page at a time, and calls between before each page but the first.
func walkUsers(ctx context.Context, s Store, q issuer.UserQuery, limit int, between func()) (all []issuer.User, _ error) {
	for place := (issuer.Place{}); ; {
		page, err := s.ListUsers(ctx, q, place, limit)
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
		between()
	}
}

func (m userModel) kinds() (kinds []string) {
	for _, u := range m {
		if kind := issuer.HashKind(u.PasswordHash); kind != "" && u.State != issuer.UserDeleted {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (m userModel) counts() (c issuer.Counts) {
	for _, u := range m {
		switch u.State {
		case issuer.UserActive:
			c.Active++
		case issuer.UserDisabled:
			c.Disabled++
		default:
			c.Deleted++
		}
	}
	return c
}

// walksOfUsers: between any two pages users come, go and change. Whoever belongs to the list all the while is met once.
func walksOfUsers(t *testing.T, s Store) {
	walks := 6
	rng := rand.New(rand.NewPCG(3, 4))
	m := userModel{}
	for range 60 {
		m.change(t, s, rng)
	}
	for range walks {
		q := randomQuery(rng)
		due, everyone := map[string]bool{}, maps.Clone(m)
		for id, u := range m {
			due[id] = belongs(u, q)
		}
		got, err := walkUsers(t.Context(), s, q, 1+rng.IntN(4), func() {
			m.change(t, s, rng)
			for id, u := range m {
				due[id] = due[id] && belongs(u, q) && u.CreatedAt.Equal(everyone[id].CreatedAt)
			}
		})
		ok(t, err)
		met := map[string]int{}
		for _, u := range got {
			if met[u.ID]++; met[u.ID] > 1 && u.CreatedAt.Equal(everyone[u.ID].CreatedAt) {
				t.Errorf("%q was met twice", u.ID)
			}
		}
		for id, d := range due {
			if d && met[id] != 1 {
				t.Fatalf("%q was met %d times in %+v", id, met[id], q)
			}
		}
	}
}

// userWalkRace walks while others add, change and disable users, without a pause: who is left alone is met once.
func userWalkRace(t *testing.T, s Store) {
	t.Run("ListUsers against changes", func(t *testing.T) {
		var left, others []string
		for i := range 40 {
			u := issuer.User{ID: newID("walk"), State: issuer.UserActive, Email: "walk@example.com", CreatedAt: after(time.Duration(i) * ms), Roles: []string{"walker"}}
			ok(t, s.InsertUser(t.Context(), u))
			if i%2 == 0 {
				left = append(left, u.ID)
			} else {
				others = append(others, u.ID)
			}
		}
		whileChanging(t, func(rng *rand.Rand) error { return disturb(t.Context(), s, oneOf(rng, others), rng) }, func() {
			for round := range max(2, rounds()/100) {
				q := []issuer.UserQuery{{}, {Prefix: "walk"}, {Prefix: "walk", Role: "walker"}, {Role: "walker"}}[round%4]
				met := map[string]int{}
				got, err := walkUsers(t.Context(), s, q, 3, func() {})
				if err != nil {
					t.Error(err)
				}
				for _, u := range got {
					met[u.ID]++
				}
				for _, id := range left {
					if met[id] != 1 {
						t.Errorf("%s was met %d times", id, met[id])
					}
				}
			}
		})
	})
}

// disturb adds a user among those who are there, or changes one.
func disturb(ctx context.Context, s Store, id string, rng *rand.Rand) error {
	u, err := s.User(ctx, id)
	if err != nil {
		return err
	}
	switch rng.IntN(3) {
	case 0:
		return s.InsertUser(ctx, issuer.User{ID: newID("between"), State: issuer.UserActive, Email: "walk@example.com", CreatedAt: after(time.Duration(rng.IntN(40)) * ms)})
	case 1:
		name := oneOf(rng, words)
		_, _, err = s.UpdateProfile(ctx, id, issuer.ProfileChange{GivenName: &name, FamilyName: &name})
	default:
		_, _, err = s.ActOnUser(ctx, id, issuer.Act{Ver: u.Ver, Att: "a", At: base, State: oneOf(rng, states[:2]), Email: oneOf(rng, words)})
	}
	return err
}
