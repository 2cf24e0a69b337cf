package issuer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/issuer"
	"signet/keys"
	"signet/repository/conformance"
)

// sealerOf seals with the first of the KEKs that the numbers stand for.
func sealerOf(t testing.TB, numbers ...byte) *keys.Sealer {
	t.Helper()
	var keks []keys.KEK
	for _, n := range numbers {
		k, err := keys.NewKEK(bytes.Repeat([]byte{n}, 32))
		if err != nil {
			t.Fatal(err)
		}
		keks = append(keks, k)
	}
	s, err := keys.NewSealer(keks)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// addMail puts a letter into the outbox as a server with that sealer does.
func (w *world) addMail(id string, by *keys.Sealer) issuer.Mail {
	w.t.Helper()
	sealed, err := by.Seal([]byte("letter "+id), "outbox", id)
	if err != nil {
		w.t.Fatal(err)
	}
	m := issuer.Mail{ID: id, Sealed: sealed, Challenge: "c", Send: 1, CreatedAt: epoch, DueAt: epoch, LeaseUntil: epoch, By: "w0", Tries: 1, GiveUpAt: epoch.Add(1e4 * time.Hour)}
	if err := w.store.InsertMail(context.Background(), m); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) allMail() []issuer.Mail {
	w.t.Helper()
	all, err := w.store.Mails(context.Background(), "", 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestRewrapOutbox(t *testing.T) {
	w := newWorld(t)
	ctx, old, both, next := t.Context(), sealerOf(t, 1), sealerOf(t, 2, 1), sealerOf(t, 2)
	for i := range 7 {
		w.addMail(fmt.Sprint("m", i), old)
	}
	fresh := w.addMail("fresh", both)
	if _, hit, err := w.store.ClaimMail(ctx, "m3", epoch, epoch.Add(time.Minute), "w1"); !hit || err != nil {
		t.Fatal(hit, err)
	}
	before := w.allMail()
	var told []int
	n, err := issuer.RewrapOutbox(ctx, w.store, both, func(done int) { told = append(told, done) })
	if n != 7 || err != nil || told[len(told)-1] != 7 || told[0] > 3 {
		t.Fatalf("%d, %v, progress %v", n, err, told)
	}
	for i, m := range w.allMail() {
		if got, err := next.Open(m.Sealed, "outbox", m.ID); err != nil || string(got) != "letter "+m.ID {
			t.Errorf("%s: %q, %v", m.ID, got, err)
		}
		if m.ID == "fresh" && !bytes.Equal(m.Sealed, fresh.Sealed) {
			t.Error("mail under the first KEK was sealed anew")
		}
		m.Sealed = before[i].Sealed
		if fmt.Sprint(m) != fmt.Sprint(before[i]) {
			t.Errorf("more than the seal changed:\n got %v\nwant %v", m, before[i])
		}
	}
	if n, err := issuer.RewrapOutbox(ctx, w.store, both, nil); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	if gone, err := w.store.DeleteMail(ctx, "m3", "w1"); !gone || err != nil {
		t.Errorf("the worker that holds m3: %v, %v", gone, err)
	}
}

// What does not open keeps nothing else from being sealed anew, and is told of.
func TestRewrapOutboxTellsWhatDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	both := sealerOf(t, 2, 1)
	w.addMail("a", sealerOf(t, 3))
	w.addMail("b", sealerOf(t, 1))
	n, err := issuer.RewrapOutbox(t.Context(), w.store, both, nil)
	if n != 1 || !errors.Is(err, keys.ErrUnknownKEK) {
		t.Fatalf("%d, %v", n, err)
	}
	if m := w.allMail(); both.Current(m[0].Sealed) || !both.Current(m[1].Sealed) {
		t.Error("the wrong mail was sealed anew")
	}
	m := w.allMail()[1]
	m.ID = "moved"
	if err := w.store.InsertMail(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if n, err := issuer.RewrapOutbox(t.Context(), w.store, sealerOf(t, 4, 3, 2), nil); n != 2 || !errors.Is(err, keys.ErrSealBroken) {
		t.Errorf("a seal that belongs to another mail: %d, %v", n, err)
	}
}

// A replica without the new KEK makes mail under the old one for ever: that ends with an error, not never.
func TestRewrapOutboxEndsThoughOldSealsKeepComing(t *testing.T) {
	w := newWorld(t)
	made := 0
	store := conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
		if op == "Mails" {
			made++
			w.addMail(fmt.Sprintf("m%03d", 500-made), sealerOf(t, 1)) // before what was walked over
		}
		return conformance.None
	})
	n, err := issuer.RewrapOutbox(t.Context(), store, sealerOf(t, 2, 1), nil)
	if err == nil || errors.Is(err, issuer.ErrUnknown) || n < issuer.RewrapPasses {
		t.Errorf("%d, %v", n, err)
	}
}

// Between any two operations mail is inserted, by servers with either sealer until all have the new KEK, claimed, deferred and sent; answers are
// lost, writes arrive twice, and the process dies at any moment and is started again, twice at once even. Then all mail is under the new KEK
// and says what it said.
func TestRewrapOutboxProperties(t *testing.T) {
	old, both, next := sealerOf(t, 1), sealerOf(t, 2, 1), sealerOf(t, 2)
	w, made := newWorld(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		lagging := true
		serve := func() {
			if rng.IntN(2) == 0 {
				return
			}
			all := w.allMail()
			switch n := rng.IntN(8); {
			case n == 0 && lagging:
				w.addMail(fmt.Sprintf("%02x/%d", rng.IntN(256), made), old)
				made++
			case n == 1:
				w.addMail(fmt.Sprintf("%02x/%d", rng.IntN(256), made), both)
				made++
			case n < 5 && len(all) > 0:
				m := all[rng.IntN(len(all))]
				held, hit, err := w.store.ClaimMail(t.Context(), m.ID, epoch.Add(time.Hour), epoch.Add(time.Minute), "w")
				if err == nil && hit && n == 2 {
					_, err = w.store.DeleteMail(t.Context(), m.ID, "w")
				}
				if err != nil {
					rt.Fatal(err)
				}
				if hit {
					if got, err := both.Open(held.Sealed, "outbox", m.ID); err != nil || string(got) != "letter "+m.ID {
						rt.Fatalf("a worker opens %q: %q, %v", m.ID, got, err)
					}
				}
			}
		}
		for range rng.IntN(9) {
			w.addMail(fmt.Sprintf("%02x/%d", rng.IntN(256), made), old)
			made++
		}
		replaced := 0
		for run := 0; ; run++ {
			crash := -1
			if run < 2 {
				crash = rng.IntN(24)
			}
			inner := false
			store := conformance.Faulty(w.store, func(_ string, n int) conformance.Fault {
				if n == crash {
					panic(errCrashed)
				}
				if n > 15 { // before passes are given up: each that found something has two operations
					lagging = false
				}
				serve()
				if !inner && rng.IntN(60) == 0 {
					inner = true
					if _, err := issuer.RewrapOutbox(t.Context(), w.store, both, nil); err != nil {
						rt.Fatal(err)
					}
				}
				return sometimes(rng)
			})
			was := lagging
			n, err := mayDie(func() (int, error) { return issuer.RewrapOutbox(t.Context(), store, both, nil) })
			replaced += n
			if err == nil && !was {
				break
			}
			if err != nil && !errors.Is(err, errCrashed) {
				rt.Fatal(err)
			}
			lagging = run < 1
		}
		for _, m := range w.allMail() {
			if got, err := next.Open(m.Sealed, "outbox", m.ID); err != nil || string(got) != "letter "+m.ID {
				rt.Fatalf("%q: %q, %v", m.ID, got, err)
			}
			if gone, err := w.store.DeleteMail(t.Context(), m.ID, m.By); !gone || err != nil { // the next check begins with none
				rt.Fatal(gone, err)
			}
		}
	})
}
