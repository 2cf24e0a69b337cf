package conformance

import (
	"fmt"
	"testing"
	"time"

	"signet/issuer"
)

func audit(t *testing.T, s Store) {
	e := whole(t, issuer.AuditEvent{ID: "reuse:sid", Type: "token.reuse", At: base, Actor: "user-1", Target: "user-2", SID: "sid",
		ClientID: issuer.FirstPartyID, Source: "2001:db8::1", RequestID: "r-1", Detail: unicodeText})
	ok(t, s.AppendAudit(t.Context(), e))
	other := e
	other.Type, other.At = "forged", after(time.Second)
	ok(t, s.AppendAudit(t.Context(), other))
	list := must(s.AuditSince(t.Context(), base, 10))(t)
	if len(list) != 1 {
		t.Fatalf("%d events, want 1", len(list))
	}
	same(t, "stored", list[0], e)

	for i := 5; i >= 0; i-- { // two in each millisecond, later ones first
		ok(t, s.AppendAudit(t.Context(), issuer.AuditEvent{ID: fmt.Sprintf("e%d", i), Type: "x", At: after(time.Duration(i/2) * ms)}))
	}
	ids := func(since time.Time, limit int) (ids []string) {
		for _, e := range must(s.AuditSince(t.Context(), since, limit))(t) {
			ids = append(ids, e.ID)
		}
		return ids
	}
	all := []string{"e0", "e1", "reuse:sid", "e2", "e3", "e4", "e5"}
	same(t, "all", ids(time.Time{}, 100), all)
	same(t, "the first three", ids(time.Time{}, 3), all[:3])
	same(t, "since the second", ids(after(ms), 100), all[3:])
	same(t, "the first two since the second", ids(after(ms), 2), all[3:5])
	same(t, "since later", ids(after(2*ms), 100), all[5:])
	same(t, "none", ids(after(time.Hour), 100), nil)
}
