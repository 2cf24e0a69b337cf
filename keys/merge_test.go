package keys

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// history is the ring's versions as some replicas saw them, a backup among them.
func history(t *testing.T, algs ...Algorithm) (backup, mine *Ring, s *stepper) {
	s = newStepper(t, algs...)
	s.live(30 * time.Second)
	backup = s.ring
	s.live(40 * time.Second) // a promotion lies between them
	return backup, s.ring, s
}

func TestVanished(t *testing.T) {
	backup, mine, s := history(t, ES256)
	p := s.life.Policy
	if !Vanished(backup, mine, s.now, p) || !Vanished(&Ring{}, mine, s.now, p) {
		t.Error("an older ring, or none, is taken for a descendant")
	}
	if Vanished(mine, backup, s.now, p) {
		t.Error("a descendant is taken for another ring")
	}
	higher := backup.clone()
	higher.Version = mine.Version + 5
	if !Vanished(higher, mine, s.now, p) {
		t.Error("a ring of a higher version that lacks the standby is taken for a descendant")
	}
	gone := mine.clone()
	gone.Version++
	standby := mine.Standby(ES256).ID
	gone.remove(standby)
	gone.Revoked = append(gone.Revoked, standby)
	if Vanished(gone, mine, s.now, p) {
		t.Error("a revoked key counts as missing")
	}
	retired := mine.Key(mine.SigningKey(ES256).Prev)
	gone = mine.clone()
	gone.Version++
	gone.remove(retired.ID)
	if !Vanished(gone, mine, s.now, p) || Vanished(gone, mine, retired.DropsAt.Add(-2*p.Skew), p) {
		t.Error("a retired key may be gone from 2S before its time on, and not before")
	}
}

func TestMergePutsBackWhatARestoredRingLacks(t *testing.T) {
	backup, mine, s := history(t, ES256)
	// Whoever took the backup made a key since, and signed by it.
	other := backup.clone()
	other.Keys = append(other.Keys, Key{ID: "theirs", Algorithm: ES256, State: Signing, SignedAt: s.now})
	other.Key(backup.SigningKey(ES256).ID).State = Retired
	other.Secrets = append(other.Secrets, Secret{ID: "theirs", Purpose: MACCode, DerivesAt: s.now.Add(-time.Second), Life: time.Minute})
	other.Version = mine.Version + 3
	m := Merge(other, mine, s.now, s.life.Policy)
	if m.Version != other.Version+1 || m.SigningKey(ES256).ID != mine.SigningKey(ES256).ID {
		t.Errorf("version %d, signing key %s", m.Version, m.SigningKey(ES256).ID)
	}
	theirs := m.Key("theirs")
	if theirs == nil || theirs.State != Retired || !theirs.Withdrawn || theirs.DropsAt.Before(s.now.Add(s.life.Policy.keep(6*time.Second))) {
		t.Errorf("their key: %+v", theirs)
	}
	if !hasSecret(m, "theirs") || m.DerivingSecret(MACCode, s.now).ID == "theirs" {
		t.Error("their secret is lost, or derives on")
	}
	if !m.Standby(ES256).WindowAt.Equal(s.now) {
		t.Error("a standby that the others did not publish counts as published")
	}
	checkShape(t, m, ES256)
}

func TestMergeHeedsRevocationsOfBothSides(t *testing.T) {
	backup, mine, s := history(t, ES256)
	stored := backup.clone()
	bad := mine.SigningKey(ES256).ID
	stored.remove(bad)
	stored.Revoked = []string{bad}
	mine = mine.clone()
	mine.Revoked = []string{"long gone"}
	stored.Keys = append(stored.Keys, Key{ID: "long gone", Algorithm: ES256, State: Published})
	m := Merge(stored, mine, s.now, s.life.Policy)
	if m.Key(bad) != nil || m.Key("long gone") != nil || len(m.Revoked) != 2 {
		t.Errorf("a revoked key is back: revoked %v", m.Revoked)
	}
	if k := m.SigningKey(ES256); k == nil || !k.DueAt.Equal(s.now) {
		t.Errorf("nobody signs, or its successor is not wanted: %+v", k)
	}
}

// Invariant 7, second half.
func TestMergingInAnyOrderGivesTheSameKids(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := short().Resolved()
		l := Lifecycle{Policy: p, Algorithms: []Algorithm{ES256}}
		root, _ := Step(&Ring{}, t0, l, plenty("root"))
		now := t0
		var rings []*Ring
		for i := range 3 {
			ring, at := root, t0
			for j := range rapid.IntRange(0, 8).Draw(rt, "steps") {
				at = at.Add(drawSeconds(rt, "pass", 1, 30))
				ring, _ = Step(ring, at, l, plenty(fmt.Sprint(i, j)))
				if rapid.IntRange(0, 5).Draw(rt, "revoke") == 0 {
					ring = ring.clone()
					kid := rapid.SampledFrom(ring.Keys).Draw(rt, "which").ID
					ring.remove(kid)
					ring.Revoked = append(ring.Revoked, kid)
				}
			}
			now = latest(now, at)
			rings = append(rings, ring)
		}
		var want map[string]bool
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			m := Merge(rings[order[1]], rings[order[0]], now, p)
			m = Merge(rings[order[2]], m, now, p)
			got := map[string]bool{}
			for _, k := range m.Keys {
				got[k.ID] = true
			}
			if want == nil {
				want = got
			} else if !maps.Equal(got, want) {
				rt.Fatalf("order %v gives %v, not %v", order, slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(want)))
			}
			if m.Version <= max(rings[0].Version, rings[1].Version, rings[2].Version) {
				rt.Fatalf("version %d is not above all", m.Version)
			}
		}
	})
}

func TestRestoreUnderRunningReplicasLosesNoLiveToken(t *testing.T) {
	w := newWorld(t)
	a := w.started(short(), ES256)
	b := w.started(short(), ES256)
	w.live(30*time.Second, a, b)
	backup := w.store.doc
	w.live(40*time.Second, a, b)
	token := signed(t, a, ES256)
	w.store.doc = backup
	var events []EventKind
	a.events = func(e Event) { events = append(events, e.Kind) }
	w.live(2*time.Second, a, b)
	for _, r := range []*Replica{a, b} {
		if _, err := r.Verify(token); err != nil {
			t.Errorf("a token from before the restore: %v", err)
		}
	}
	if !slices.Contains(events, EventRingWentBack) {
		t.Errorf("nobody was told: %v", events)
	}
	if got := w.store.ring(t); got.Version <= backup.Version {
		t.Errorf("version %d", got.Version)
	}
}

func TestRestoreLongAfterIsTaken(t *testing.T) {
	w := newWorld(t)
	a := w.started(short(), ES256)
	w.live(30*time.Second, a)
	backup := w.store.doc
	w.live(40*time.Second, a)
	w.store.doc = backup
	w.pass(5 * time.Second) // more than R
	if err := a.Poll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if a.view.Load().ring.Version > backup.Version+2 {
		t.Error("merged what was confirmed longer ago than R")
	}
	// The store lost the ring altogether: its new keys wait.
	w.store.doc = RingDocument{}
	w.pass(5 * time.Second)
	if err := a.Poll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if k := w.store.ring(t).SigningKey(ES256); k != nil {
		t.Error("the first key of a ring in use signs at once")
	}
}
