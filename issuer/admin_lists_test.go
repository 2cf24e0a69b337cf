package issuer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/issuer"
	"signet/repository/conformance"
)

// addUser puts an account into the store as a use case would have made it.
func (w *world) addUser(u issuer.User) {
	w.t.Helper()
	if u.State == "" {
		u.State = issuer.UserActive
	}
	if err := w.store.InsertUser(w.t.Context(), u); err != nil {
		w.t.Fatal(err)
	}
}

func idsOf(users []issuer.User) (ids []string) {
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	return ids
}

// A page ends where the next begins, the last one knows that it is the last, and what is asked for is checked.
func TestPages(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	for i := range 6 {
		w.addUser(issuer.User{ID: fmt.Sprint("u", i), Email: fmt.Sprintf("u%d@example.org", i), CreatedAt: epoch.Add(time.Duration(i/2) * time.Second)})
	}
	for _, limit := range []int{1, 2, 3, 5, 6, 200} {
		var got []string
		pages := 0
		for after := (issuer.Place{}); ; {
			page, err := p.ListUsers(ctx, issuer.Operator(), issuer.UserQuery{}, after, limit)
			if err != nil || len(page.Items) == 0 || len(page.Items) > limit {
				t.Fatalf("limit %d: %+v, %v", limit, page, err)
			}
			got = append(got, idsOf(page.Items)...)
			pages++
			if page.Next == nil {
				break
			}
			after = *page.Next
		}
		if !slices.Equal(got, []string{"u0", "u1", "u2", "u3", "u4", "u5"}) || pages != (6+limit-1)/limit {
			t.Errorf("limit %d: %v in %d pages", limit, got, pages)
		}
	}
	counted := conformance.Counting(w.store)
	q := w.replica(counted)
	counted.Reset()
	for _, limit := range []int{-1, 0, 201} {
		_, err := q.ListUsers(ctx, issuer.Operator(), issuer.UserQuery{}, issuer.Place{}, limit)
		wantKind(t, err, issuer.KindInvalidRequest)
		_, err = q.MySessions(ctx, issuer.Principal{}, issuer.Place{}, limit)
		wantKind(t, err, issuer.KindInvalidRequest)
	}
	for _, place := range []string{"\xff", strings.Repeat("x", 513)} {
		_, err := q.ListAudit(ctx, issuer.Operator(), issuer.AuditQuery{}, issuer.Place{ID: place}, 10)
		wantKind(t, err, issuer.KindInvalidRequest)
	}
	for _, query := range []issuer.UserQuery{{Prefix: "\xff"}, {Prefix: "a\x00"}, {Prefix: strings.Repeat("é", 255)}, {Role: "No Role"}} {
		_, err := q.ListUsers(ctx, issuer.Operator(), query, issuer.Place{}, 10)
		wantKind(t, err, issuer.KindInvalidRequest)
	}
	for _, query := range []issuer.AuditQuery{{Type: "a\n"}, {UserID: "\xff"}, {Type: strings.Repeat("x", 129)}, {Since: epoch, Until: epoch.Add(-time.Second)}} {
		_, err := q.ListAudit(ctx, issuer.Operator(), query, issuer.Place{}, 10)
		wantKind(t, err, issuer.KindInvalidRequest)
	}
	if counted.Total() != 0 {
		t.Errorf("bad requests cost %v", counted.Operations())
	}
}

// A search is by how anything that names a user begins, however it is typed.
func TestListUsersSearches(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	w.addUser(issuer.User{ID: "1", Email: "zoe@example.org", Username: "Countess", GivenName: "Zoë", FamilyName: "ÅNGSTRÖM", Roles: []string{"admin"}, CreatedAt: epoch})
	w.addUser(issuer.User{ID: "2", Email: "bob@example.org", GivenName: "Bob", FamilyName: "Countless", State: issuer.UserDisabled, CreatedAt: epoch})
	w.addUser(issuer.User{ID: "3", Email: "10@example.org", CreatedAt: epoch})
	w.addUser(issuer.User{ID: "4", State: issuer.UserDeleted, CreatedAt: epoch})
	for _, c := range []struct {
		q    issuer.UserQuery
		want []string
	}{
		{issuer.UserQuery{}, []string{"1", "2", "3"}}, {issuer.UserQuery{Prefix: "  COUNT "}, []string{"1", "2"}}, {issuer.UserQuery{Prefix: "zoe\u0308"}, []string{"1"}},
		{issuer.UserQuery{Prefix: "ångstr"}, []string{"1"}}, {issuer.UserQuery{Prefix: "1"}, []string{"1", "3"}}, {issuer.UserQuery{Prefix: "example"}, nil},
		{issuer.UserQuery{Role: "admin"}, []string{"1"}}, {issuer.UserQuery{Disabled: &yes}, []string{"2"}}, {issuer.UserQuery{Disabled: &no}, []string{"1", "3"}},
		{issuer.UserQuery{Prefix: "count", Role: "admin", Disabled: &no}, []string{"1"}},
	} {
		page, err := p.ListUsers(t.Context(), issuer.Operator(), c.q, issuer.Place{}, 10)
		if err != nil || !slices.Equal(idsOf(page.Items), c.want) {
			t.Errorf("%+v: %v, %v", c.q, idsOf(page.Items), err)
		}
	}
}

// While others are made, changed and deleted between its pages, and answers are lost, a walk meets each account that is there throughout exactly once, in
// order, and none twice.
func TestListUsersProperties(t *testing.T) {
	w, made := newWorld(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		w.clock.advance(1000 * time.Hour)
		begin := w.clock.Now()
		role := fmt.Sprint("role-", made)
		var there, gone []string
		add := func() {
			id := fmt.Sprintf("%02x-%d", rng.IntN(256), made)
			made++
			w.addUser(issuer.User{ID: id, Email: id + "@example.org", Roles: []string{role}, CreatedAt: begin.Add(time.Duration(rng.IntN(9)) * time.Second)})
			there = append(there, id)
		}
		for range rng.IntN(20) {
			add()
		}
		calm := w.replica(w.store)
		interfere := func() {
			if len(there) == 0 || rng.IntN(2) == 0 {
				return
			}
			i := rng.IntN(len(there))
			switch name, id := fmt.Sprint("n", rng.IntN(99)), there[i]; rng.IntN(4) {
			case 0:
				if err := calm.DeleteUser(t.Context(), issuer.Operator(), id); err != nil {
					rt.Fatal(err)
				}
				there, gone = slices.Delete(there, i, i+1), append(gone, id)
			case 1:
				if _, err := calm.PatchUser(t.Context(), issuer.Operator(), id, issuer.UserPatch{GivenName: &name, Disabled: &no}); err != nil {
					rt.Fatal(err)
				}
			case 2:
				if err := calm.LogoutUser(t.Context(), issuer.Operator(), id); err != nil {
					rt.Fatal(err)
				}
			}
		}
		before := slices.Clone(there)
		p := w.replica(conformance.Faulty(w.store, func(string, int) conformance.Fault { return sometimes(rng) }))
		var met []issuer.User
		for after := (issuer.Place{}); ; {
			page, err := p.ListUsers(t.Context(), issuer.Operator(), issuer.UserQuery{Role: role}, after, 1+rng.IntN(4))
			if err != nil {
				rt.Fatal(err)
			}
			met = append(met, page.Items...)
			if page.Next == nil {
				break
			}
			after = *page.Next
			interfere()
			if rng.IntN(3) == 0 {
				add()
			}
		}
		ids := idsOf(met)
		for _, id := range before {
			if !slices.Contains(gone, id) && !slices.Contains(ids, id) {
				rt.Fatalf("%s was there throughout and is not in %v", id, ids)
			}
		}
		inOrder := slices.IsSortedFunc(met, func(a, b issuer.User) int {
			if n := a.CreatedAt.Compare(b.CreatedAt); n != 0 {
				return n
			}
			return strings.Compare(a.ID, b.ID)
		})
		if slices.Sort(ids); !inOrder || len(slices.Compact(ids)) != len(met) {
			rt.Fatalf("out of order or twice: %v", met)
		}
	})
}

// An event is listed by type, family of types, user and time.
func TestListAudit(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	for i, e := range []issuer.AuditEvent{
		{Type: "sign_in.ok", Actor: "ada"}, {Type: "sign_in.failed", Target: "ada"}, {Type: "logout", Actor: "bob"}, {Type: "user.roles", Actor: "root", Target: "bob"},
	} {
		e.ID, e.At = fmt.Sprint(i), epoch.Add(time.Duration(i)*time.Second)
		if err := w.store.AppendAudit(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		q    issuer.AuditQuery
		want string
	}{
		{issuer.AuditQuery{}, "0123"}, {issuer.AuditQuery{Type: "sign_in."}, "01"}, {issuer.AuditQuery{Type: "sign_in"}, ""}, {issuer.AuditQuery{Type: "logout"}, "2"},
		{issuer.AuditQuery{UserID: "ada"}, "01"}, {issuer.AuditQuery{UserID: "bob"}, "23"}, {issuer.AuditQuery{Since: epoch.Add(time.Second), Until: epoch.Add(3 * time.Second)}, "12"},
	} {
		got := ""
		for after := (issuer.Place{}); ; {
			page, err := p.ListAudit(ctx, issuer.Operator(), c.q, after, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Items {
				got += e.ID
			}
			if page.Next == nil {
				break
			}
			after = *page.Next
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	dead := w.replica(conformance.Faulty(w.store, conformance.From(1, conformance.CrashBefore)))
	_, err := dead.ListAudit(ctx, issuer.Operator(), issuer.AuditQuery{}, issuer.Place{}, 10)
	wantKind(t, err, issuer.KindUnavailable)
	if errors.Is(err, issuer.ErrNotFound) {
		t.Error(err)
	}
}
