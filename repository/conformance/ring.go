package conformance

import (
	"testing"
	"time"

	"signet/keys"
)

func ring(t *testing.T, s Store) {
	ctx := t.Context()
	holds := func(what string, want keys.RingDocument) {
		t.Helper()
		same(t, what, must(s.LoadRing(ctx))(t), want)
	}
	save := func(what string, expected int64, next keys.RingDocument, want bool) {
		t.Helper()
		if got := must(s.SaveRing(ctx, expected, next))(t); got != want {
			t.Errorf("%s: saved = %v, want %v", what, got, want)
		}
	}
	one := keys.RingDocument{Version: 1, By: "a1", Body: []byte(`{"a":"é"}`)}
	two := keys.RingDocument{Version: 2, By: "a2", Body: []byte(`{"b":2}`)}
	holds("nothing", keys.RingDocument{})
	save("over a version that is not there", 1, two, false)
	holds("nothing after a miss", keys.RingDocument{})
	save("the first", 0, one, true)
	holds("the first", one)
	save("the first, arriving twice", 0, one, true)
	save("another first", 0, keys.RingDocument{Version: 1, By: "other", Body: []byte("{}")}, false)
	holds("the first, still", one)
	save("the second", 1, two, true)
	holds("the second", two)
	save("the second, arriving twice", 1, two, true)
	save("the second of another", 1, keys.RingDocument{Version: 2, By: "other", Body: []byte("{}")}, false)
	save("the first, arriving late", 0, one, false)
	save("of mine, but another version", 1, keys.RingDocument{Version: 3, By: "a2", Body: []byte("{}")}, false)
	save("beyond", 3, keys.RingDocument{Version: 4, By: "a4", Body: []byte("{}")}, false)
	save("an empty one over it", 0, keys.RingDocument{Version: 1, By: "a5", Body: []byte("{}")}, false)
	holds("the second, still", two)
	if d := s.StaleReads(); d < 0 || d > time.Minute {
		t.Errorf("StaleReads = %v", d)
	}
	if d := s.EffectDelay(); d < 0 || d > time.Minute {
		t.Errorf("EffectDelay = %v", d)
	}
	before := must(s.StoreTime(ctx))(t)
	if later := must(s.StoreTime(ctx))(t); later.Before(before) || later.IsZero() {
		t.Errorf("the store's clock went from %v to %v", before, later)
	}
}

func heartbeats(t *testing.T, s Store) {
	ctx := t.Context()
	all := func() map[string]keys.Heartbeat {
		found := map[string]keys.Heartbeat{}
		for _, h := range must(s.Heartbeats(ctx))(t) {
			found[h.Replica] = h
		}
		return found
	}
	a := whole(t, keys.Heartbeat{Replica: "réplica-a", At: base, RingVersion: 7, KEKIDs: []string{"k1", "k2"}, ClockOffset: -1500 * time.Millisecond})
	b := keys.Heartbeat{Replica: "b", At: after(time.Second)}
	ok(t, s.PutHeartbeat(ctx, a))
	ok(t, s.PutHeartbeat(ctx, b))
	same(t, "a", all()[a.Replica], a)
	same(t, "b", all()["b"], b)
	a.At, a.RingVersion, a.KEKIDs = after(time.Minute), 8, nil
	ok(t, s.PutHeartbeat(ctx, a))
	ok(t, s.PutHeartbeat(ctx, a))
	same(t, "a, replaced", all()[a.Replica], a)
	ok(t, s.DeleteHeartbeat(ctx, a.Replica))
	ok(t, s.DeleteHeartbeat(ctx, a.Replica))
	ok(t, s.DeleteHeartbeat(ctx, "never"))
	if left := all(); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	same(t, "b, untouched", all()["b"], b)
}
