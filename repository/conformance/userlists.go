package conformance

import (
	"testing"
	"time"

	"signet/issuer"
)

func userLists(t *testing.T, s Store) {
	ids := []string{"A", "B", "Z", "a", "b", "é", "日", "🦊"} // in order of bytes
	for i, id := range ids {
		u := issuer.User{ID: id, State: issuer.UserActive, CreatedAt: base.Add(time.Duration(i/3) * ms)}
		if i%2 == 0 {
			u.Ver, u.Pending = 2, 2
		} else {
			u.Release = []string{"name:x"}
		}
		ok(t, s.InsertUser(t.Context(), u))
	}
	t.Run("PendingUsers", func(t *testing.T) {
		list := func(after string, limit int) ([]string, error) { return s.PendingUsers(t.Context(), after, limit) }
		paging(t, []string{"A", "Z", "b", "日"}, list)
		must(s.ClearPending(t.Context(), "Z", 2))(t)
		_, _, err := s.ActOnUser(t.Context(), "B", issuer.Act{Att: "att", At: base, EndAll: issuer.RevokedLogoutAll})
		ok(t, err)
		paging(t, []string{"A", "B", "b", "日"}, list)
	})
	t.Run("ReleasingUsers", func(t *testing.T) {
		list := func(after string, limit int) ([]string, error) { return s.ReleasingUsers(t.Context(), after, limit) }
		paging(t, []string{"B", "a", "é", "🦊"}, list)
		must(s.ClearRelease(t.Context(), "a", "name:x", 0))(t)
		_, _, err := s.MoveUsername(t.Context(), "A", 0, "new", "name:old", base)
		ok(t, err)
		paging(t, []string{"A", "B", "é", "🦊"}, list)
	})
	t.Run("ListUsers", func(t *testing.T) {
		// One made before the others, and one in their middle with an id below its neighbours'; a deleted one is not listed.
		ok(t, s.InsertUser(t.Context(), issuer.User{ID: "zz", State: issuer.UserDisabled, CreatedAt: base.Add(-ms)}))
		ok(t, s.InsertUser(t.Context(), issuer.User{ID: "0", State: issuer.UserDisabled, CreatedAt: base.Add(ms)}))
		ok(t, s.InsertUser(t.Context(), issuer.User{ID: "1", State: issuer.UserDeleted, CreatedAt: base.Add(ms)}))
		want := []string{"zz", "A", "B", "Z", "0", "a", "b", "é", "日", "🦊"}
		at := map[string]time.Time{}
		paging(t, want, func(after string, limit int) ([]string, error) {
			users, err := s.ListUsers(t.Context(), issuer.UserQuery{}, issuer.Place{At: at[after], ID: after}, limit)
			var page []string
			for _, u := range users {
				page, at[u.ID] = append(page, u.ID), u.CreatedAt
			}
			return page, err
		})
		users := must(s.ListUsers(t.Context(), issuer.UserQuery{}, issuer.Place{}, 1))(t)
		same(t, "a listed user", users[0], must(s.User(t.Context(), "zz"))(t))
		for _, limit := range []int{0, -1} {
			if n := len(must(s.ListUsers(t.Context(), issuer.UserQuery{}, issuer.Place{}, limit))(t)); n != 0 {
				t.Errorf("a page of %d lists %d", limit, n)
			}
		}
	})
}
