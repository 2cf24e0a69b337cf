package conformance

import (
	"fmt"
	"testing"
	"time"

	"signet/issuer"
)

func sampleMail() issuer.Mail {
	return issuer.Mail{
		ID: newID("mail") + "/1", Sealed: []byte{0, 255, 1, 254}, Drop: true, Challenge: "challenge-1", Send: 1, CreatedAt: after(-time.Minute),
		DueAt: base, LeaseUntil: base, By: "worker-0", Tries: 2, GiveUpAt: after(10 * time.Minute),
	}
}

// outbox tests the queue. Mail has no plain read: what is stored is seen in what a claim returns.
func outbox(t *testing.T, s Store) {
	t.Run("InsertMail", func(t *testing.T) {
		for _, m := range []issuer.Mail{whole(t, sampleMail()), {ID: newID("mail"), DueAt: base, GiveUpAt: after(time.Hour)}} {
			ok(t, s.InsertMail(t.Context(), m))
			other := m
			other.Sealed = []byte("other")
			is(t, "again", s.InsertMail(t.Context(), other), issuer.ErrExists)
			m.By, m.LeaseUntil, m.Tries = "w", after(time.Minute), m.Tries+1
			same(t, "claimed", claim(t, s, m.ID, base, after(time.Minute), "w"), m)
		}
	})
	t.Run("ClaimMail", func(t *testing.T) { claims(t, s) })
	t.Run("DeferMail", func(t *testing.T) { deferring(t, s) })
	t.Run("DeleteMail", func(t *testing.T) { deleting(t, s) })
}

func claim(t *testing.T, s Store, id string, now, until time.Time, by string) issuer.Mail {
	t.Helper()
	m, hit, err := s.ClaimMail(t.Context(), id, now, until, by)
	ok(t, err)
	if !hit {
		t.Fatal("the claim missed")
	}
	return m
}

func claims(t *testing.T, s Store) {
	type change = func(*issuer.Mail)
	for _, c := range []struct {
		name string
		doc  change
		now  time.Time
		hit  bool
	}{
		{"hit", func(*issuer.Mail) {}, base, true},
		{"just before it is due", func(m *issuer.Mail) { m.LeaseUntil = after(-time.Hour) }, after(-ms), false},
		{"due before", func(m *issuer.Mail) { m.DueAt = after(-time.Hour) }, base, true},
		{"leased for another millisecond", func(m *issuer.Mail) { m.LeaseUntil = after(ms) }, base, false},
		{"leased by the same worker", func(m *issuer.Mail) { m.LeaseUntil, m.By = after(time.Minute), "w" }, base, false},
		{"never leased", func(m *issuer.Mail) { m.LeaseUntil = time.Time{} }, base, true},
		{"just before it is given up", func(*issuer.Mail) {}, after(10*time.Minute - ms), true},
		{"when it is given up", func(*issuer.Mail) {}, after(10 * time.Minute), false},
		{"after it is given up", func(*issuer.Mail) {}, after(time.Hour), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, until := sampleMail(), after(2*time.Hour)
			c.doc(&m)
			ok(t, s.InsertMail(t.Context(), m))
			got, hit, err := s.ClaimMail(t.Context(), m.ID, c.now, until, "w")
			ok(t, err)
			if hit != c.hit {
				t.Fatalf("hit = %v, want %v", hit, c.hit)
			}
			if !hit { // and nothing changed: with everything in its favour, the first claim is this one
				if _, given, _ := s.ClaimMail(t.Context(), m.ID, after(10*time.Minute-ms), until, "w2"); !given {
					t.Error("the miss changed the mail")
				}
				return
			}
			m.LeaseUntil, m.By, m.Tries = until, "w", m.Tries+1
			same(t, "claimed", got, m)
			if _, again, err := s.ClaimMail(t.Context(), m.ID, c.now, until, "w"); again || err != nil {
				t.Errorf("again: %v, %v", again, err)
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		if _, hit, err := s.ClaimMail(t.Context(), newID("mail"), base, after(time.Minute), "w"); hit || err != nil {
			t.Errorf("%v, %v", hit, err)
		}
	})
}

func deferring(t *testing.T, s Store) {
	m := sampleMail()
	ok(t, s.InsertMail(t.Context(), m))
	claim(t, s, m.ID, base, after(time.Minute), "w")
	if must(s.DeferMail(t.Context(), m.ID, "thief", after(time.Second), after(time.Second)))(t) {
		t.Error("a mail was deferred by who doesn't hold it")
	}
	if must(s.DeferMail(t.Context(), newID("mail"), "w", base, base))(t) {
		t.Error("a mail that is not there was deferred")
	}
	for range 2 {
		hit := must(s.DeferMail(t.Context(), m.ID, "w", after(time.Second), after(3*time.Second)))(t)
		if !hit {
			t.Fatal("the holder could not defer")
		}
	}
	if _, hit, err := s.ClaimMail(t.Context(), m.ID, after(3*time.Second-ms), after(time.Minute), "w2"); hit || err != nil {
		t.Errorf("claimed before it is due: %v, %v", hit, err)
	}
	got := claim(t, s, m.ID, after(3*time.Second), after(2*time.Minute), "w2")
	m.DueAt, m.LeaseUntil, m.By, m.Tries = after(3*time.Second), after(2*time.Minute), "w2", m.Tries+2
	same(t, "claimed after it was deferred", got, m)
	if must(s.DeferMail(t.Context(), m.ID, "w", after(4*time.Second), after(4*time.Second)))(t) {
		t.Error("deferred by who held it before")
	}
}

func deleting(t *testing.T, s Store) {
	m := sampleMail()
	ok(t, s.InsertMail(t.Context(), m))
	if must(s.DeleteMail(t.Context(), m.ID, "w"))(t) {
		t.Error("deleted by who doesn't hold it")
	}
	claim(t, s, m.ID, base, after(time.Minute), "w")
	if must(s.DeleteMail(t.Context(), m.ID, m.By))(t) {
		t.Error("deleted by who held it before")
	}
	if !must(s.DeleteMail(t.Context(), m.ID, "w"))(t) {
		t.Error("the holder could not delete")
	}
	if must(s.DeleteMail(t.Context(), m.ID, "w"))(t) {
		t.Error("deleted twice")
	}
	ok(t, s.InsertMail(t.Context(), m))
}

func outboxLists(t *testing.T, s Store) {
	var want []string
	for i := range 6 { // later ids are due earlier
		m := sampleMail()
		m.ID, m.DueAt, m.Drop = fmt.Sprintf("m%d", i), after(-time.Duration(i)*ms), i == 0
		ok(t, s.InsertMail(t.Context(), m))
		want = append([]string{m.ID}, want...)
	}
	for id, change := range map[string]func(*issuer.Mail){
		"not due":  func(m *issuer.Mail) { m.DueAt = after(ms) },
		"leased":   func(m *issuer.Mail) { m.LeaseUntil = after(ms) },
		"given up": func(m *issuer.Mail) { m.GiveUpAt = base },
	} {
		m := sampleMail()
		m.ID = id
		change(&m)
		ok(t, s.InsertMail(t.Context(), m))
	}
	same(t, "due", must(s.DueMails(t.Context(), base, 100))(t), want)
	same(t, "the first two", must(s.DueMails(t.Context(), base, 2))(t), want[:2])
	if n := must(s.QueuedMails(t.Context(), base))(t); n != 8 {
		t.Errorf("%d mails wait, want 8", n)
	}
	claim(t, s, "m3", base, after(time.Minute), "w")
	must(s.DeferMail(t.Context(), "m3", "w", base, base))(t)
	claim(t, s, "m4", base, after(time.Minute), "w")
	claim(t, s, "m2", base, after(time.Minute), "w")
	must(s.DeleteMail(t.Context(), "m2", "w"))(t)
	due := must(s.DueMails(t.Context(), base, 100))(t) // m3 and m0 are now due at the same time
	if len(due) != 4 || due[0] != "m5" || due[1] != "m1" {
		t.Errorf("due = %q", due)
	}
	if n := must(s.QueuedMails(t.Context(), base.Add(-ms)))(t); n != 8 {
		t.Errorf("%d mails wait, want 8", n)
	}
}
