package keys

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func operator(w *world) Operator {
	return Operator{Store: w.store, Sealer: testSealer(), Wall: func() time.Time { return w.now }}
}

func TestRotateWhenTheStandbyIsKnown(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), RS256, ES256)
	w.live(45*time.Second, r)
	before := w.store.ring(t)
	list, err := operator(w).Rotate(context.Background(), []Algorithm{ES256})
	if err != nil {
		t.Fatal(err)
	}
	after := w.store.ring(t)
	if after.SigningKey(ES256).ID != before.Standby(ES256).ID || after.SigningKey(RS256).ID != before.SigningKey(RS256).ID || after.Version != before.Version+1 {
		t.Error("not the standby of ES256 alone, in one version")
	}
	checkShape(t, after, ES256, RS256)
	if len(list) != 3 || list[0].Kind != ChangePromoted || list[1].Kind != ChangeRetired || list[2].Kind != ChangeAdded || list[0].KeyID != after.SigningKey(ES256).ID {
		t.Errorf("%v", list)
	}
	// The period is the ring's own, though the command line knows no settings.
	if k := after.SigningKey(ES256); k.DueAt.Sub(k.SignedAt) != time.Minute {
		t.Errorf("due %s after it signed", k.DueAt.Sub(k.SignedAt))
	}
	poll(t, r)
	signed(t, r, ES256)
}

func TestRotateIsPlannedWhenTheStandbyIsNotKnownAndTwiceIsOnce(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), RS256, ES256)
	w.live(10*time.Second, r)
	list, err := operator(w).Rotate(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	known := t0.Add(40 * time.Second)
	if len(list) != 2 || list[0].Kind != ChangePlanned || list[0].Already || !list[0].At.Equal(known) {
		t.Fatalf("%v", list)
	}
	version := w.store.doc.Version
	w.pass(time.Second)
	list, err = operator(w).Rotate(context.Background(), nil)
	if err != nil || len(list) != 2 || !list[0].Already || !list[0].At.Equal(known) || w.store.doc.Version != version {
		t.Errorf("the second changes something: %v, %v", list, err)
	}
	if text := list[0].String(); !strings.Contains(text, "2030-01-01T00:00:40Z") || !strings.Contains(text, "planned already") {
		t.Error(text)
	}
	first := w.store.ring(t).SigningKey(ES256).ID
	w.live(28*time.Second, r)
	if w.store.ring(t).SigningKey(ES256).ID != first {
		t.Error("promoted before it is known")
	}
	w.live(2*time.Second, r)
	if w.store.ring(t).SigningKey(ES256).ID == first {
		t.Error("the plan is not carried out")
	}
}

func TestRotateThatWasDueIsTheRotationAskedFor(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(58*time.Second, r)
	w.pass(3 * time.Second) // due, and nobody stepped
	list, err := operator(w).Rotate(context.Background(), nil)
	if err != nil || len(list) != 3 || list[0].Kind != ChangePromoted {
		t.Errorf("%v, %v", list, err)
	}
}

func TestRotateRefusals(t *testing.T) {
	w := newWorld(t)
	if _, err := operator(w).Rotate(context.Background(), nil); !errors.Is(err, ErrNoRing) {
		t.Errorf("no ring: %v", err)
	}
	if _, err := operator(w).List(context.Background()); !errors.Is(err, ErrNoRing) {
		t.Errorf("no ring: %v", err)
	}
	r := w.started(short(), ES256)
	if _, err := operator(w).Rotate(context.Background(), []Algorithm{RS256}); !errors.Is(err, ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	ring := w.store.ring(t)
	for len(ring.Keys) < maxPublished {
		k := must(newKey(ES256, testPair(t, ES256, 100+len(ring.Keys)), testSealer()))
		k.State, k.PublishedAt, k.WindowAt, k.StopsAt, k.DropsAt = Retired, w.now, w.now, w.now, w.now.Add(time.Hour)
		ring.Keys = append(ring.Keys, k)
	}
	ring.Version++
	w.store.doc = must(ring.encode())
	if _, err := operator(w).Rotate(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "48 keys are published") {
		t.Errorf("too many keys: %v", err)
	}
	seen := kinds(r)
	w.live(61*time.Second, r)
	if len(*seen) == 0 || w.store.ring(t).SigningKey(ES256).ID == ring.SigningKey(ES256).ID {
		t.Error("the schedule stands still")
	}
	w.store.fault = func(string) verdict { return refused }
	if _, err := operator(w).Rotate(context.Background(), nil); !errors.Is(err, errStoreDown) {
		t.Errorf("%v", err)
	}
}

func TestRotateSettlesRacesAndLostAnswers(t *testing.T) {
	for _, v := range []verdict{unanswered, refused} {
		w := newWorld(t)
		w.live(45*time.Second, w.started(short(), ES256))
		once := v
		w.store.fault = func(op string) verdict {
			if op != "save" {
				return works
			}
			defer func() { once = works }()
			return once
		}
		before := w.store.ring(t)
		list, err := operator(w).Rotate(context.Background(), nil)
		if err != nil || len(list) != 3 || w.store.doc.Version != before.Version+1 || w.store.ring(t).SigningKey(ES256).ID != before.Standby(ES256).ID {
			t.Errorf("%d: %v, %v", v, list, err)
		}
	}
}

func TestListShowsTheFutureAsPlanned(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(61*time.Second, r)
	list, err := operator(w).List(context.Background())
	if err != nil || len(list) != 3 {
		t.Fatalf("%v, %v", list, err)
	}
	body := must(json.Marshal(list))
	var rows []map[string]any
	if err := json.Unmarshal(body, &rows); err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]any{
		{"state": "signing", "published_at": "2030-01-01T00:00:00Z", "signs_from": "2030-01-01T00:01:00Z", "retired_at": "2030-01-01T00:02:00Z"},
		{"state": "published", "published_at": "2030-01-01T00:01:00Z", "signs_from": "2030-01-01T00:02:00Z", "retired_at": nil, "drops_at": nil},
		{"state": "retired", "published_at": "2030-01-01T00:00:00Z", "signs_from": "2030-01-01T00:00:00Z", "retired_at": "2030-01-01T00:01:00Z", "drops_at": "2030-01-01T00:01:40Z"},
	} {
		for name, value := range want {
			if got, there := rows[i][name]; got != value || !there {
				t.Errorf("%d: %s is %v, want %v", i, name, got, value)
			}
		}
	}
}
