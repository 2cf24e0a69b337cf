package conformance

import (
	"fmt"
	"testing"
	"time"

	"signet/issuer"
)

func throttles(t *testing.T, s Store) {
	t.Run("TakeBudget", func(t *testing.T) { budget(t, s) })
	t.Run("TakeBudget slides", func(t *testing.T) { sliding(t, s) })
	t.Run("GiveBack", func(t *testing.T) { giveBack(t, s) })
	t.Run("CountSource", func(t *testing.T) {
		key, other := newID("source"), newID("source")
		for want := int64(1); want <= 5; want++ {
			if n := must(s.CountSource(t.Context(), key, after(time.Minute)))(t); n != want {
				t.Errorf("count = %d, want %d", n, want)
			}
		}
		if n := must(s.CountSource(t.Context(), other, after(time.Minute)))(t); n != 1 {
			t.Errorf("the count of another = %d", n)
		}
	})
}

const window = time.Minute

// take is one TakeBudget; until is checked when it is refused.
func take(t *testing.T, s Store, key, att string, limit int, now time.Time, want bool, until time.Time) {
	t.Helper()
	got, at, err := s.TakeBudget(t.Context(), key, att, limit, window, now)
	ok(t, err)
	if got != want {
		t.Fatalf("%s at %v: counted = %v, want %v", att, now.Sub(base), got, want)
	}
	if !want {
		same(t, "until", at, until)
	}
}

func budget(t *testing.T, s Store) {
	key := newID(unicodeText)
	take(t, s, key, "a1", 3, base, true, base)
	take(t, s, key, "a1", 3, after(ms), true, base) // resent: not counted again
	take(t, s, key, "a2", 3, after(time.Second), true, base)
	take(t, s, key, "a3", 3, after(2*time.Second), true, base)
	take(t, s, key, "a4", 3, after(3*time.Second), false, after(window))
	take(t, s, key, "a2", 3, after(3*time.Second), true, base) // counted before
	take(t, s, key, "a5", 3, after(window-ms), false, after(window))
	take(t, s, newID("key"), "a4", 3, base, true, base) // of another key

	one := newID("key")
	take(t, s, one, "a1", 1, base.Add(700*time.Microsecond), true, base)
	take(t, s, one, "a2", 1, after(window-ms), false, after(window))
	take(t, s, one, "a2", 1, after(window), true, base)
	take(t, s, one, "a3", 1, after(window), false, after(2*window))
}

// sliding checks that the window is exact: whenever one leaves, one enters.
func sliding(t *testing.T, s Store) {
	key := newID("key")
	for i := range 3 {
		take(t, s, key, fmt.Sprint("a", i), 3, after(time.Duration(i)*time.Second), true, base)
	}
	for i := range 3 {
		left := after(window + time.Duration(i)*time.Second)
		take(t, s, key, fmt.Sprint("x", i), 3, left.Add(-ms), false, left)
		take(t, s, key, fmt.Sprint("b", i), 3, left, true, base)
		take(t, s, key, fmt.Sprint("y", i), 3, left, false, after(window+time.Duration(i+1)*time.Second).Add(time.Duration(i/2)*(window-3*time.Second)))
	}
	// a0 has left the log with the last three kept, so its attempt id counts anew.
	take(t, s, key, "a0", 3, after(2*window), true, base)
	take(t, s, key, "z", 3, after(2*window), false, after(2*window+time.Second))
}

func giveBack(t *testing.T, s Store) {
	key := newID("key")
	ok(t, s.GiveBack(t.Context(), key, "a1")) // of an absent key
	take(t, s, key, "a1", 2, base, true, base)
	take(t, s, key, "a2", 2, after(ms), true, base)
	take(t, s, key, "a3", 2, after(2*ms), false, after(window))
	ok(t, s.GiveBack(t.Context(), key, "never"))
	take(t, s, key, "a3", 2, after(2*ms), false, after(window))
	ok(t, s.GiveBack(t.Context(), key, "a1"))
	ok(t, s.GiveBack(t.Context(), key, "a1"))
	take(t, s, key, "a3", 2, after(2*ms), true, base)
	take(t, s, key, "a4", 2, after(3*ms), false, after(window+ms)) // a2 is the oldest now
	ok(t, s.GiveBack(t.Context(), key, "a2"))
	ok(t, s.GiveBack(t.Context(), key, "a3"))
	take(t, s, key, "a2", 1, after(4*ms), true, base)
	take(t, s, key, "a3", 1, after(4*ms), false, after(window+4*ms))
}

func clients(t *testing.T, s Store) {
	find := func(id string) (c issuer.Client, there bool) {
		for _, c := range must(s.AllClients(t.Context()))(t) {
			if c.ID == id {
				return c, true
			}
		}
		return c, false
	}
	first, there := find(issuer.FirstPartyID)
	if !there || !first.FirstParty || first.Disabled {
		t.Errorf("a new store has the first-party client %+v, %v", first, there)
	}
	is(t, "the first-party client again", s.InsertClient(t.Context(), issuer.Client{ID: issuer.FirstPartyID}), issuer.ErrExists)
	c := whole(t, issuer.Client{ID: newID("client"), Name: unicodeText, FirstParty: true, Disabled: true, CreatedAt: base})
	ok(t, s.InsertClient(t.Context(), c))
	is(t, "again", s.InsertClient(t.Context(), issuer.Client{ID: c.ID, Name: "other"}), issuer.ErrExists)
	got, _ := find(c.ID)
	same(t, "stored", got, c)
	if n := len(must(s.AllClients(t.Context()))(t)); n != 2 {
		t.Errorf("%d clients, want 2", n)
	}
}
