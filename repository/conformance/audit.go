package conformance

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

func sampleEvent() issuer.AuditEvent {
	return issuer.AuditEvent{ID: newID("event"), Type: "token.reuse", At: base, Actor: "user-1", Target: "user-2", SID: "sid",
		ClientID: issuer.FirstPartyID, Source: "2001:db8::1", RequestID: "r-1", Detail: unicodeText}
}

func audit(t *testing.T, s Store) {
	e := whole(t, sampleEvent())
	ok(t, s.AppendAudit(t.Context(), e))
	other := e
	other.Type, other.At = "forged", after(time.Second)
	ok(t, s.AppendAudit(t.Context(), other))
	same(t, "stored", must(s.ListAudit(t.Context(), issuer.AuditQuery{}, issuer.Place{}, 10))(t), []issuer.AuditEvent{e})
	method[issuer.AuditEvent, struct{}]{
		name: "ScrubAudit", insert: s.AppendAudit, again: either,
		read: func(ctx context.Context, e issuer.AuditEvent) (issuer.AuditEvent, error) {
			list, err := walkAudit(ctx, s, issuer.AuditQuery{}, 100)
			if i := slices.IndexFunc(list, func(l issuer.AuditEvent) bool { return l.ID == e.ID }); i >= 0 {
				return list[i], err
			}
			return e, cmp.Or(err, issuer.ErrNotFound)
		},
		fresh: func() (issuer.AuditEvent, struct{}) { return sampleEvent(), struct{}{} },
		call: func(ctx context.Context, e issuer.AuditEvent, _ struct{}) (*issuer.AuditEvent, bool, error) {
			hit, err := s.ScrubAudit(ctx, e.ID)
			return nil, hit, err
		},
		effect: func(e issuer.AuditEvent, _ struct{}) *issuer.AuditEvent { e.Source = ""; return &e },
		cases:  []variant[issuer.AuditEvent, struct{}]{{name: "without a source", doc: func(e *issuer.AuditEvent) { e.Source = "" }, hit: true}},
	}.run(t)
}

// auditLists holds the lists to a look at every event, and then purges them, oldest first.
func auditLists(t *testing.T, s Store) {
	rng := rand.New(rand.NewPCG(7, 8))
	types := []string{"sign_in.ok", "sign_in.failed", "sign_in", "sign_ins.ok", "sign_in/x", "sign_in-x", "user.created", "user"}
	users := []string{"", "u1", "u2", "ü"}
	moment := func() time.Time { return after(time.Duration(rng.IntN(12)) * ms) }
	var all []issuer.AuditEvent
	for range 60 {
		e := issuer.AuditEvent{ID: newID(oneOf(rng, []string{"A", "a", "é"})), Type: oneOf(rng, types), At: moment(), Actor: oneOf(rng, users), Target: oneOf(rng, users)}
		ok(t, s.AppendAudit(t.Context(), e))
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b issuer.AuditEvent) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	for range 150 {
		q := issuer.AuditQuery{Type: oneOf(rng, append(types, "", "sign_in.", "user.", "nothing.", ".")), UserID: oneOf(rng, append(users, "nobody", ""))}
		if rng.IntN(2) == 0 {
			q.Since = moment()
		}
		if rng.IntN(2) == 0 {
			q.Until = moment()
		}
		want := slices.DeleteFunc(slices.Clone(all), func(e issuer.AuditEvent) bool {
			typed := q.Type == "" || e.Type == q.Type || strings.HasSuffix(q.Type, ".") && strings.HasPrefix(e.Type, q.Type)
			return !typed || e.At.Before(q.Since) || !q.Until.IsZero() && !e.At.Before(q.Until) || q.UserID != "" && e.Actor != q.UserID && e.Target != q.UserID
		})
		got, err := walkAudit(t.Context(), s, q, 1+rng.IntN(9))
		ok(t, err)
		sameInOrder(t, fmt.Sprintf("%+v", q), got, want, func(e issuer.AuditEvent) string { return e.ID })
	}
	for _, limit := range []int{0, -1} {
		if n := len(must(s.ListAudit(t.Context(), issuer.AuditQuery{}, issuer.Place{}, limit))(t)); n != 0 {
			t.Errorf("a page of %d lists %d", limit, n)
		}
	}
	t.Run("PurgeAudit", func(t *testing.T) { purgeAudit(t, s, all) })
}

func purgeAudit(t *testing.T, s Store, all []issuer.AuditEvent) {
	old := slices.IndexFunc(all, func(e issuer.AuditEvent) bool { return !e.At.Before(after(6 * ms)) })
	purge := func(before time.Time, limit, want int) {
		t.Helper()
		if n := must(s.PurgeAudit(t.Context(), before, limit))(t); n != want {
			t.Errorf("%d purged, want %d", n, want)
		}
		all = all[want:]
		same(t, "what is left", must(s.ListAudit(t.Context(), issuer.AuditQuery{}, issuer.Place{}, 100))(t), all)
	}
	purge(after(-ms), 10, 0)
	purge(after(6*ms), 0, 0)
	purge(after(6*ms), 3, 3)
	purge(after(6*ms), 100, old-3)
	purge(after(6*ms), 100, 0)
}

// walkAudit lists all of a query, a page at a time.
func walkAudit(ctx context.Context, s Store, q issuer.AuditQuery, limit int) (all []issuer.AuditEvent, _ error) {
	for place := (issuer.Place{}); ; {
		page, err := s.ListAudit(ctx, q, place, limit)
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
		place = issuer.Place{At: last.At, ID: last.ID}
	}
}
