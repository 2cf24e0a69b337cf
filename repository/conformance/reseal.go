package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"signet/issuer"
)

// reseal tests the walk over all mail and the one write that it makes.
func reseal(t *testing.T, s Store) {
	t.Run("Mails", func(t *testing.T) { mails(t, s) })
	read := func(ctx context.Context, m issuer.Mail) (issuer.Mail, error) { return readMail(ctx, s, m.ID) }
	type args struct{ old, next []byte }
	method[issuer.Mail, args]{
		name: "ResealMail", insert: s.InsertMail, read: read,
		fresh: func() (issuer.Mail, args) { m := sampleMail(); return m, args{m.Sealed, []byte{9, 0, 8}} },
		call: func(ctx context.Context, m issuer.Mail, a args) (*issuer.Mail, bool, error) {
			hit, err := s.ResealMail(ctx, m.ID, a.old, a.next)
			return nil, hit, err
		},
		effect: func(m issuer.Mail, a args) *issuer.Mail { m.Sealed = a.next; return &m },
		cases: []variant[issuer.Mail, args]{
			{name: "leased", doc: func(m *issuer.Mail) { m.LeaseUntil, m.By = after(time.Hour), "w" }, hit: true},
			{name: "given up", doc: func(m *issuer.Mail) { m.GiveUpAt = after(-time.Hour) }, hit: true},
			{name: "from nothing", doc: func(m *issuer.Mail) { m.Sealed = nil }, arg: func(a *args) { a.old = nil }, hit: true},
			{name: "from no bytes", doc: func(m *issuer.Mail) { m.Sealed = []byte{} }, arg: func(a *args) { a.old = nil }, hit: true},
			{name: "sealed anew by another", doc: func(m *issuer.Mail) { m.Sealed = []byte{7} }},
			{name: "more than it was", doc: func(m *issuer.Mail) { m.Sealed = append(m.Sealed, 0) }},
			{name: "less than it was", doc: func(m *issuer.Mail) { m.Sealed = m.Sealed[:3] }},
			{name: "nothing any more", doc: func(m *issuer.Mail) { m.Sealed = nil }},
			{name: "something by now", arg: func(a *args) { a.old = nil }},
		},
	}.run(t)
	t.Run("a worker goes on with what it holds", func(t *testing.T) {
		m := sampleMail()
		ok(t, s.InsertMail(t.Context(), m))
		held := claim(t, s, m.ID, base, after(time.Minute), "w")
		if !must(s.ResealMail(t.Context(), m.ID, m.Sealed, []byte("next")))(t) {
			t.Fatal("a leased mail was not sealed anew")
		}
		held.Sealed = []byte("next")
		same(t, "while it is leased", must(readMail(t.Context(), s, m.ID))(t), held)
		if !must(s.DeleteMail(t.Context(), m.ID, "w"))(t) {
			t.Error("the holder could not delete it")
		}
	})
}

// readMail finds one mail in the list of all.
func readMail(ctx context.Context, s Store, id string) (issuer.Mail, error) {
	list, err := s.Mails(ctx, "", 10_000)
	for _, m := range list {
		if m.ID == id {
			return m, nil
		}
	}
	if err == nil {
		err = issuer.ErrNotFound
	}
	return issuer.Mail{}, err
}

func mails(t *testing.T, s Store) {
	ids := []string{"-", "A/1", "A/2", "B/1", "a", "é", "🦊"} // in order of bytes
	byID := map[string]issuer.Mail{}
	for i, id := range ids { // due, leased, given up and not due
		m := sampleMail()
		m.ID, m.DueAt, m.Sealed = id, after(time.Duration(i-3)*time.Minute), fmt.Append(nil, "sealed ", i)
		if i%2 == 0 {
			m.LeaseUntil = after(time.Hour)
		}
		if i%3 == 0 {
			m.GiveUpAt = after(-time.Minute)
		}
		ok(t, s.InsertMail(t.Context(), m))
		byID[id] = m
	}
	list := func(after string, limit int) (page []string, _ error) {
		mails, err := s.Mails(t.Context(), after, limit)
		for _, m := range mails {
			page = append(page, m.ID)
			same(t, "a listed one", m, byID[m.ID])
		}
		return page, err
	}
	paging(t, ids, list)
	must(s.DeleteMail(t.Context(), "A/2", byID["A/2"].By))(t)
	paging(t, append(append([]string{}, ids[:2]...), ids[3:]...), list)
}
