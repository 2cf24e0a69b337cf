package conformance

import (
	"context"
	"errors"
	"testing"

	"signet/issuer"
)

// second says what a call answers when it is applied again with the same arguments. Either way it changes nothing.
type second int

const (
	misses second = iota // its own effect made the condition false
	hits
	either // the contract leaves it open
)

// method is one conditional operation on documents of type D with arguments A.
type method[D, A any] struct {
	name   string
	fresh  func() (D, A) // a new document and arguments that meet every clause
	insert func(context.Context, D) error
	read   func(context.Context, D) (D, error)
	call   func(context.Context, D, A) (*D, bool, error) // nil where the method returns no document
	effect func(D, A) *D                                 // the document after a hit; nil when it is gone
	again  second
	cases  []variant[D, A]
}

// variant is the fresh document and arguments with one thing changed.
type variant[D, A any] struct {
	name string
	doc  func(*D)
	arg  func(*A)
	hit  bool
}

func (m method[D, A]) run(t *testing.T) {
	t.Run(m.name, func(t *testing.T) {
		t.Run("hit", func(t *testing.T) { m.try(t, variant[D, A]{hit: true}) })
		for _, v := range m.cases {
			t.Run(v.name, func(t *testing.T) { m.try(t, v) })
		}
		t.Run("absent", func(t *testing.T) {
			d, a := m.fresh()
			if _, hit, err := m.call(t.Context(), d, a); hit || err != nil {
				t.Errorf("of a document that is not there: %v, %v", hit, err)
			}
			if _, err := m.read(t.Context(), d); !errors.Is(err, issuer.ErrNotFound) {
				t.Errorf("the call left something: %v", err)
			}
		})
	})
}

func (m method[D, A]) try(t *testing.T, v variant[D, A]) {
	d, a := m.fresh()
	if v.doc != nil {
		v.doc(&d)
	}
	if v.arg != nil {
		v.arg(&a)
	}
	ok(t, m.insert(t.Context(), d))
	want := &d
	if v.hit {
		want = m.effect(d, a)
	}
	got, hit, err := m.call(t.Context(), d, a)
	ok(t, err)
	if hit != v.hit {
		t.Fatalf("hit = %v, want %v", hit, v.hit)
	}
	if hit && got != nil && want != nil {
		same(t, "returned", *got, *want)
	}
	m.is(t, "stored", d, want)
	if !v.hit {
		return
	}
	_, hit, err = m.call(t.Context(), d, a)
	ok(t, err)
	if m.again != either && hit != (m.again == hits) {
		t.Errorf("again: hit = %v", hit)
	}
	m.is(t, "stored, after the same call again", d, want)
}

func (m method[D, A]) is(t *testing.T, what string, d D, want *D) {
	t.Helper()
	now, err := m.read(t.Context(), d)
	if want == nil {
		is(t, what, err, issuer.ErrNotFound)
		return
	}
	ok(t, err)
	same(t, what, now, *want)
}

// inserting tests an insert: whole and small documents come back as they went in, and a second one with the same id
// leaves the first.
func inserting[D any](t *testing.T, insert func(context.Context, D) error, read func(context.Context, D) (D, error), other func(*D), samples ...D) {
	t.Run("insert and read", func(t *testing.T) {
		for _, d := range samples {
			_, err := read(t.Context(), d)
			is(t, "absent", err, issuer.ErrNotFound)
			ok(t, insert(t.Context(), d))
			same(t, "stored", must(read(t.Context(), d))(t), d)
			is(t, "again", insert(t.Context(), d), issuer.ErrExists)
			changed := d
			other(&changed)
			is(t, "another with its id", insert(t.Context(), changed), issuer.ErrExists)
			same(t, "stored after it", must(read(t.Context(), d))(t), d)
		}
	})
}

// paging holds a list that goes on after the last id to want, with pages of several sizes.
func paging(t *testing.T, want []string, page func(after string, limit int) ([]string, error)) {
	t.Helper()
	for _, limit := range []int{1, 2, max(1, len(want)), len(want) + 3} {
		got, after := []string{}, ""
		for {
			ids := must(page(after, limit))(t)
			if len(ids) > limit {
				t.Fatalf("%d in a page of %d", len(ids), limit)
			}
			got = append(got, ids...)
			if len(ids) < limit || len(got) > len(want) {
				break
			}
			after = ids[len(ids)-1]
		}
		same(t, "list", got, want)
	}
}
