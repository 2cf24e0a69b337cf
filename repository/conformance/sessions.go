package conformance

import (
	"context"
	"testing"
	"time"

	"signet/issuer"
)

func sampleSession() issuer.Session {
	return issuer.Session{
		ID: newID("sid"), UserID: "user-1", ClientID: issuer.FirstPartyID, Scope: "account openid", Ver: 3, Roles: []string{"admin", "ünïcode"},
		Gen: 5, Secret: "s1", Exp: after(time.Hour), At: after(-time.Minute), By: "att-5",
		Recent: []issuer.Superseded{{Gen: 3, At: after(-3 * time.Minute)}, {Gen: 4, At: after(-time.Minute)}},
		IdleAt: after(time.Hour), AbsAt: after(24 * time.Hour), AuthTime: after(-time.Hour), CreatedAt: after(-time.Hour),
		UserAgent: unicodeText, IP: "2001:db8::1", Revoked: &issuer.Revocation{At: base, Why: issuer.RevokedLogout}, Notice: true,
	}
}

func liveSession() issuer.Session {
	s := sampleSession()
	s.Revoked, s.Notice = nil, false
	return s
}

func sessions(t *testing.T, s Store) {
	read := func(ctx context.Context, d issuer.Session) (issuer.Session, error) { return s.Session(ctx, d.ID) }
	small := issuer.Session{ID: newID("sid"), UserID: "u", IdleAt: after(time.Hour), AbsAt: after(time.Hour), Roles: []string{}, Recent: []issuer.Superseded{}}
	inserting(t, s.InsertSession, read, func(d *issuer.Session) { d.UserID = "other" }, whole(t, sampleSession()), liveSession(), small)
	raise(t, s)
	revoke(t, s)
	reauthenticate(t, s)
	scrubSession(t, s)
	sessionMethod(s, method[issuer.Session, struct{}]{
		name:  "ClearNotice",
		fresh: func() (issuer.Session, struct{}) { return sampleSession(), struct{}{} },
		call: func(ctx context.Context, d issuer.Session, _ struct{}) (*issuer.Session, bool, error) {
			hit, err := s.ClearNotice(ctx, d.ID)
			return nil, hit, err
		},
		effect: func(d issuer.Session, _ struct{}) *issuer.Session { d.Notice = false; return &d },
		again:  either,
	}).run(t)
}

// sessionMethod fills in how sessions are inserted and read.
func sessionMethod[A any](s Store, m method[issuer.Session, A]) method[issuer.Session, A] {
	m.insert = s.InsertSession
	m.read = func(ctx context.Context, d issuer.Session) (issuer.Session, error) { return s.Session(ctx, d.ID) }
	return m
}

func raise(t *testing.T, s Store) {
	type args struct {
		ver   int64
		roles []string
		epoch int64
		keep  string
	}
	sessionMethod(s, method[issuer.Session, args]{
		name:  "RaiseSession",
		fresh: func() (issuer.Session, args) { return liveSession(), args{4, []string{"user"}, 0, ""} },
		call: func(ctx context.Context, d issuer.Session, a args) (*issuer.Session, bool, error) {
			keep := a.keep
			if keep == "mine" {
				keep = d.ID
			}
			return found(s.RaiseSession(ctx, d.ID, a.ver, a.roles, a.epoch, keep))
		},
		effect: func(d issuer.Session, a args) *issuer.Session { d.Ver, d.Roles = a.ver, a.roles; return &d },
		cases: []variant[issuer.Session, args]{
			{name: "to no roles", arg: func(a *args) { a.roles = nil }, hit: true},
			{name: "from ver 0", doc: func(d *issuer.Session) { d.Ver = 0 }, hit: true},
			{name: "at the epoch", arg: func(a *args) { a.epoch = 3 }, hit: true},
			{name: "below the epoch", arg: func(a *args) { a.epoch = 4 }},
			{name: "below the epoch, another kept", arg: func(a *args) { a.epoch, a.keep = 4, "sid-other" }},
			{name: "below the epoch, this one kept", arg: func(a *args) { a.epoch, a.keep = 4, "mine" }, hit: true},
			{name: "kept, and not lower", doc: func(d *issuer.Session) { d.Ver = 4 }, arg: func(a *args) { a.epoch, a.keep = 5, "mine" }},
			{name: "kept, and revoked", doc: revoked, arg: func(a *args) { a.epoch, a.keep = 4, "mine" }},
			{name: "revoked", doc: revoked},
			{name: "the same ver", arg: func(a *args) { a.ver = 3 }},
			{name: "a higher ver by now", doc: func(d *issuer.Session) { d.Ver = 9 }},
		},
	}).run(t)
}

func revoked(d *issuer.Session) { d.Revoked = &issuer.Revocation{At: base, Why: issuer.RevokedLogout} }

func revoke(t *testing.T, s Store) {
	bound := func(v int64) *int64 { return &v }
	sessionMethod(s, method[issuer.Session, issuer.Revoking]{
		name: "RevokeSession",
		fresh: func() (issuer.Session, issuer.Revoking) {
			return liveSession(), issuer.Revoking{At: after(1500 * time.Microsecond), Why: issuer.RevokedReuse, Notice: true, GenAbove: bound(4), VerBelow: bound(4)}
		},
		call: func(ctx context.Context, d issuer.Session, r issuer.Revoking) (*issuer.Session, bool, error) {
			return found(s.RevokeSession(ctx, d.ID, r))
		},
		effect: func(d issuer.Session, r issuer.Revoking) *issuer.Session {
			d.Revoked, d.Notice = &issuer.Revocation{At: r.At, Why: r.Why}, d.Notice || r.Notice
			return &d
		},
		cases: []variant[issuer.Session, issuer.Revoking]{
			{name: "without conditions", arg: func(r *issuer.Revoking) { r.GenAbove, r.VerBelow = nil, nil }, hit: true},
			{name: "without notice", arg: func(r *issuer.Revoking) { r.Notice = false }, hit: true},
			{name: "of generation 0", doc: func(d *issuer.Session) { d.Gen = 0 }, arg: func(r *issuer.Revoking) { r.GenAbove = nil }, hit: true},
			{name: "of an idle one", doc: func(d *issuer.Session) { d.IdleAt = after(-time.Hour) }, hit: true},
			{name: "again with another reason", doc: revoked},
			{name: "gen is the bound", arg: func(r *issuer.Revoking) { r.GenAbove = bound(5) }},
			{name: "gen is below", arg: func(r *issuer.Revoking) { r.GenAbove = bound(6) }},
			{name: "gen 0 is not above 0", doc: func(d *issuer.Session) { d.Gen = 0 }, arg: func(r *issuer.Revoking) { r.GenAbove = bound(0) }},
			{name: "ver is the bound", arg: func(r *issuer.Revoking) { r.VerBelow = bound(3) }},
			{name: "ver is above", arg: func(r *issuer.Revoking) { r.VerBelow = bound(2) }},
			{name: "ver 0 is not below 0", doc: func(d *issuer.Session) { d.Ver = 0 }, arg: func(r *issuer.Revoking) { r.VerBelow = bound(0) }},
		},
	}).run(t)
}

func sessionLists(t *testing.T, s Store) {
	ids := []string{"-", "A", "B", "_", "a", "b"}
	for i, id := range ids {
		d := liveSession()
		d.ID, d.UserID = id, "owner"
		if i%2 == 0 {
			d.Notice = true
			d.Revoked = &issuer.Revocation{At: base, Why: issuer.RevokedReuse}
		}
		ok(t, s.InsertSession(t.Context(), d))
	}
	other := liveSession()
	other.ID, other.UserID = "C", "other"
	ok(t, s.InsertSession(t.Context(), other))
	sids := func(list []issuer.Session, err error) (ids []string, _ error) {
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		return ids, err
	}
	t.Run("SessionsOf", func(t *testing.T) {
		paging(t, ids, func(after string, limit int) ([]string, error) {
			return sids(s.SessionsOf(t.Context(), "owner", after, limit))
		})
		paging(t, []string{"C"}, func(after string, limit int) ([]string, error) {
			return sids(s.SessionsOf(t.Context(), "other", after, limit))
		})
		paging(t, nil, func(after string, limit int) ([]string, error) {
			return sids(s.SessionsOf(t.Context(), "nobody", after, limit))
		})
		same(t, "a listed one", must(s.SessionsOf(t.Context(), "other", "", 5))(t)[0], other)
	})
	t.Run("NoticeSessions", func(t *testing.T) {
		list := func(after string, limit int) ([]string, error) {
			return sids(s.NoticeSessions(t.Context(), after, limit))
		}
		paging(t, []string{"-", "B", "a"}, list)
		must(s.ClearNotice(t.Context(), "B"))(t)
		_, _, err := s.RevokeSession(t.Context(), "C", issuer.Revoking{At: base, Why: issuer.RevokedReuse, Notice: true})
		ok(t, err)
		paging(t, []string{"-", "C", "a"}, list)
		same(t, "a listed one", must(s.NoticeSessions(t.Context(), "B", 1))(t)[0], must(s.Session(t.Context(), "C"))(t))
	})
}
