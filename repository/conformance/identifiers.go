package conformance

import (
	"context"
	"slices"
	"testing"
	"time"

	"signet/issuer"
)

func sampleIdentifier() issuer.Identifier {
	u := sampleUser()
	return issuer.Identifier{
		ID: issuer.EmailKey(newID("zoë") + "@example.com"), UserID: u.ID, Claim: "challenge-1", Kind: issuer.IdentifierRegister,
		Rev: 2, Payload: &u, OpenSince: base,
	}
}

func identifiers(t *testing.T, s Store) {
	read := func(ctx context.Context, i issuer.Identifier) (issuer.Identifier, error) {
		return s.Identifier(ctx, i.ID)
	}
	small := issuer.Identifier{ID: issuer.NameKey(newID("small")), UserID: "u", Claim: "c", Kind: issuer.IdentifierFirm}
	inserting(t, s.InsertIdentifier, read, func(i *issuer.Identifier) { i.UserID, i.Claim = "thief", "other" }, whole(t, sampleIdentifier()), small)
	firm(t, s)
	reclaim(t, s)
	method[issuer.Identifier, string]{
		name: "DeleteIdentifier", insert: s.InsertIdentifier, read: read,
		fresh: func() (issuer.Identifier, string) { return sampleIdentifier(), "challenge-1" },
		call: func(ctx context.Context, i issuer.Identifier, claim string) (*issuer.Identifier, bool, error) {
			hit, err := s.DeleteIdentifier(ctx, i.ID, claim)
			return nil, hit, err
		},
		effect: func(issuer.Identifier, string) *issuer.Identifier { return nil },
		cases: []variant[issuer.Identifier, string]{
			{name: "another claim", doc: func(i *issuer.Identifier) { i.Claim = "challenge-2" }},
		},
	}.run(t)
	t.Run("a deleted one is free", func(t *testing.T) {
		i := sampleIdentifier()
		ok(t, s.InsertIdentifier(t.Context(), i))
		must(s.DeleteIdentifier(t.Context(), i.ID, i.Claim))(t)
		ok(t, s.InsertIdentifier(t.Context(), i))
	})
	t.Run("OpenIdentifiers", func(t *testing.T) { openIdentifiers(t, s) })
}

func firm(t *testing.T, s Store) {
	method[issuer.Identifier, string]{
		name: "FirmIdentifier", insert: s.InsertIdentifier, again: hits,
		read: func(ctx context.Context, i issuer.Identifier) (issuer.Identifier, error) {
			return s.Identifier(ctx, i.ID)
		},
		fresh: func() (issuer.Identifier, string) { return sampleIdentifier(), "challenge-1" },
		call: func(ctx context.Context, i issuer.Identifier, claim string) (*issuer.Identifier, bool, error) {
			hit, err := s.FirmIdentifier(ctx, i.ID, claim)
			return nil, hit, err
		},
		effect: func(i issuer.Identifier, _ string) *issuer.Identifier {
			i.Kind, i.Payload, i.OpenSince = issuer.IdentifierFirm, nil, time.Time{}
			return &i
		},
		cases: []variant[issuer.Identifier, string]{
			{name: "a move", doc: func(i *issuer.Identifier) { i.Kind, i.Payload = issuer.IdentifierMove, nil }, hit: true},
			{name: "another claim", doc: func(i *issuer.Identifier) { i.Claim = "challenge-2" }},
		},
	}.run(t)
}

func reclaim(t *testing.T, s Store) {
	type args struct {
		old  string
		next issuer.Identifier
	}
	method[issuer.Identifier, args]{
		name: "ReclaimIdentifier", insert: s.InsertIdentifier,
		read: func(ctx context.Context, i issuer.Identifier) (issuer.Identifier, error) {
			return s.Identifier(ctx, i.ID)
		},
		fresh: func() (issuer.Identifier, args) {
			i := sampleIdentifier()
			next := issuer.Identifier{ID: i.ID, UserID: i.UserID, Claim: "challenge-9", Kind: issuer.IdentifierMove, Rev: 4, OpenSince: after(time.Second)}
			return i, args{i.Claim, next}
		},
		call: func(ctx context.Context, _ issuer.Identifier, a args) (*issuer.Identifier, bool, error) {
			hit, err := s.ReclaimIdentifier(ctx, a.old, a.next)
			return nil, hit, err
		},
		effect: func(i issuer.Identifier, a args) *issuer.Identifier {
			i.Claim, i.Kind, i.Rev, i.Payload, i.OpenSince = a.next.Claim, a.next.Kind, a.next.Rev, a.next.Payload, a.next.OpenSince
			return &i
		},
		cases: []variant[issuer.Identifier, args]{
			{name: "with a payload", arg: func(a *args) { u := sampleUser(); a.next.Payload = &u }, hit: true},
			{name: "a firm one", doc: func(i *issuer.Identifier) {
				i.Kind, i.Payload, i.OpenSince = issuer.IdentifierFirm, nil, time.Time{}
			}, hit: true},
			{name: "another claim", doc: func(i *issuer.Identifier) { i.Claim = "challenge-2" }},
		},
	}.run(t)
}

func openIdentifiers(t *testing.T, s Store) {
	for _, i := range must(s.OpenIdentifiers(t.Context(), "", 1000))(t) {
		must(s.DeleteIdentifier(t.Context(), i.ID, i.Claim))(t)
	}
	want := []string{"email:A", "email:a", "email:é", "name:a", "name:🦊"}
	for _, id := range want {
		ok(t, s.InsertIdentifier(t.Context(), issuer.Identifier{ID: id, Claim: "c", Kind: issuer.IdentifierMove, OpenSince: base}))
	}
	ok(t, s.InsertIdentifier(t.Context(), issuer.Identifier{ID: "email:firm", Claim: "c", Kind: issuer.IdentifierFirm}))
	list := func(after string, limit int) (ids []string, err error) {
		open, err := s.OpenIdentifiers(t.Context(), after, limit)
		for _, i := range open {
			ids = append(ids, i.ID)
		}
		return ids, err
	}
	paging(t, want, list)
	must(s.FirmIdentifier(t.Context(), "email:a", "c"))(t)
	must(s.ReclaimIdentifier(t.Context(), "c", issuer.Identifier{ID: "email:firm", Claim: "d", Kind: issuer.IdentifierMove, OpenSince: base}))(t)
	paging(t, []string{"email:A", "email:firm", "email:é", "name:a", "name:🦊"}, list)
	t.Run("ListIdentifiers", func(t *testing.T) {
		all := func(after string, limit int) (ids []string, err error) {
			list, err := s.ListIdentifiers(t.Context(), after, limit)
			for _, i := range list {
				ids = append(ids, i.ID)
				same(t, "a listed one", i, must(s.Identifier(t.Context(), i.ID))(t))
			}
			return ids, err
		}
		firmed := must(all("", 1000))(t)
		for _, id := range []string{"email:a", "email:firm", "name:🦊"} {
			if !slices.Contains(firmed, id) {
				t.Errorf("%s is not listed", id)
			}
		}
		if !slices.IsSorted(firmed) {
			t.Errorf("out of order: %q", firmed)
		}
		paging(t, firmed, all)
	})
	one := must(s.OpenIdentifiers(t.Context(), "email:A", 1))(t)[0]
	same(t, "a listed one", one, must(s.Identifier(t.Context(), "email:firm"))(t))
}
