package conformance

import (
	"context"
	"slices"
	"testing"
	"time"

	"signet/issuer"
)

func sampleUser() issuer.User {
	return issuer.User{
		ID: newID("user"), State: issuer.UserActive, Email: "zoë@example.com", EmailVerified: true, EmailRev: 3,
		Username: "Zoë", NameRev: 5, PasswordHash: "$argon2id$v=19$m=19456$abc", GivenName: unicodeText, FamilyName: "O'Neil",
		Locale: "pt-BR", Roles: []string{"admin", "user"}, CreatedAt: after(-time.Hour), LastLoginAt: after(-time.Minute),
		Ver: 7, Cred: 6, Epoch: 4, Keep: "sid-kept", Ops: []string{"a1", "a2", "a3", "a4"}, Pending: 7,
		Release: []string{"name:old", "email:old@example.com"}, ResetRequired: true, Why: issuer.RevokedPassword, Notice: issuer.LetterPasswordChanged, PendingAt: after(-time.Second), ReleaseAt: after(-2 * time.Second),
	}
}

func users(t *testing.T, s Store) {
	read := func(ctx context.Context, u issuer.User) (issuer.User, error) { return s.User(ctx, u.ID) }
	small := issuer.User{ID: newID("user"), State: issuer.UserActive, CreatedAt: base}
	odd := issuer.User{ID: unicodeText, State: issuer.UserDisabled, Roles: []string{}, Ops: []string{}, Release: []string{},
		CreatedAt: base.Add(999 * time.Microsecond).In(time.FixedZone("", 3*3600))}
	inserting(t, s.InsertUser, read, func(u *issuer.User) { u.Email = "other@example.com" }, whole(t, sampleUser()), small, odd)
	t.Run("a deleted user keeps its id", func(t *testing.T) {
		u := issuer.User{ID: newID("user"), State: issuer.UserDeleted}
		ok(t, s.InsertUser(t.Context(), u))
		is(t, "insert", s.InsertUser(t.Context(), issuer.User{ID: u.ID, State: issuer.UserActive}), issuer.ErrExists)
	})
	rehash(t, s)
	signIn(t, s)
	acts(t, s)
	clearPending(t, s)
	profile(t, s)
	moveUsername(t, s)
	clearRelease(t, s)
}

// userMethod fills in how users are inserted and read.
func userMethod[A any](s Store, m method[issuer.User, A]) method[issuer.User, A] {
	m.insert = s.InsertUser
	m.read = func(ctx context.Context, u issuer.User) (issuer.User, error) { return s.User(ctx, u.ID) }
	return m
}

func rehash(t *testing.T, s Store) {
	type args struct{ old, next string }
	userMethod(s, method[issuer.User, args]{
		name:  "RehashPassword",
		fresh: func() (issuer.User, args) { u := sampleUser(); return u, args{u.PasswordHash, "$argon2id$new"} },
		call: func(ctx context.Context, u issuer.User, a args) (*issuer.User, bool, error) {
			hit, err := s.RehashPassword(ctx, u.ID, a.old, a.next)
			return nil, hit, err
		},
		effect: func(u issuer.User, a args) *issuer.User { u.PasswordHash = a.next; return &u },
		cases: []variant[issuer.User, args]{
			{name: "another hash by now", doc: func(u *issuer.User) { u.PasswordHash = "$argon2id$reset" }},
			{name: "no hash", doc: func(u *issuer.User) { u.PasswordHash = "" }},
		},
	}).run(t)
}

func signIn(t *testing.T, s Store) {
	type args struct {
		ver int64
		at  time.Time
	}
	userMethod(s, method[issuer.User, args]{
		name: "RecordSignIn",
		fresh: func() (issuer.User, args) {
			u := sampleUser()
			u.EmailVerified = false
			return u, args{u.Ver, base.Add(1500 * time.Microsecond)}
		},
		call: func(ctx context.Context, u issuer.User, a args) (*issuer.User, bool, error) {
			return found(s.RecordSignIn(ctx, u.ID, a.ver, a.at))
		},
		effect: func(u issuer.User, a args) *issuer.User { u.LastLoginAt, u.EmailVerified = a.at, true; return &u },
		again:  hits,
		cases: []variant[issuer.User, args]{
			{name: "the first ver", doc: func(u *issuer.User) { u.Ver = 0 }, arg: func(a *args) { a.ver = 0 }, hit: true},
			{name: "disabled", doc: func(u *issuer.User) { u.State = issuer.UserDisabled }},
			{name: "deleted", doc: func(u *issuer.User) { u.State = issuer.UserDeleted }},
			{name: "ver has moved on", doc: func(u *issuer.User) { u.Ver++ }},
			{name: "ver is lower", doc: func(u *issuer.User) { u.Ver-- }},
		},
	}).run(t)
}

func clearPending(t *testing.T, s Store) {
	userMethod(s, method[issuer.User, int64]{
		name:  "ClearPending",
		fresh: func() (issuer.User, int64) { u := sampleUser(); return u, u.Ver },
		call: func(ctx context.Context, u issuer.User, ver int64) (*issuer.User, bool, error) {
			hit, err := s.ClearPending(ctx, u.ID, ver)
			return nil, hit, err
		},
		effect: func(u issuer.User, _ int64) *issuer.User { u.Pending, u.PendingAt = 0, time.Time{}; return &u },
		again:  either,
		cases: []variant[issuer.User, int64]{
			{name: "ver has moved on", doc: func(u *issuer.User) { u.Ver, u.Pending = 8, 8 }},
			{name: "ver is lower", doc: func(u *issuer.User) { u.Ver = 6 }},
		},
	}).run(t)
}

func profile(t *testing.T, s Store) {
	text := func(v string) *string { return &v }
	userMethod(s, method[issuer.User, issuer.ProfileChange]{
		name: "UpdateProfile",
		fresh: func() (issuer.User, issuer.ProfileChange) {
			return sampleUser(), issuer.ProfileChange{GivenName: text("Zoé 🐻"), FamilyName: text("Ó"), Locale: text("de")}
		},
		call: func(ctx context.Context, u issuer.User, p issuer.ProfileChange) (*issuer.User, bool, error) {
			return found(s.UpdateProfile(ctx, u.ID, p))
		},
		effect: func(u issuer.User, p issuer.ProfileChange) *issuer.User {
			for to, from := range map[*string]*string{&u.GivenName: p.GivenName, &u.FamilyName: p.FamilyName, &u.Locale: p.Locale} {
				if from != nil {
					*to = *from
				}
			}
			return &u
		},
		again: hits,
		cases: []variant[issuer.User, issuer.ProfileChange]{
			{name: "only the given name", arg: func(p *issuer.ProfileChange) { p.FamilyName, p.Locale = nil, nil }, hit: true},
			{name: "only the family name", arg: func(p *issuer.ProfileChange) { p.GivenName, p.Locale = nil, nil }, hit: true},
			{name: "only the locale", arg: func(p *issuer.ProfileChange) { p.GivenName, p.FamilyName = nil, nil }, hit: true},
			{name: "emptied", arg: func(p *issuer.ProfileChange) { p.GivenName, p.FamilyName, p.Locale = text(""), text(""), text("") }, hit: true},
			{name: "nothing", arg: func(p *issuer.ProfileChange) { *p = issuer.ProfileChange{} }, hit: true},
			{name: "disabled", doc: func(u *issuer.User) { u.State = issuer.UserDisabled }, hit: true},
			{name: "deleted", doc: func(u *issuer.User) { u.State = issuer.UserDeleted }},
		},
	}).run(t)
}

func moveUsername(t *testing.T, s Store) {
	type args struct {
		rev               int64
		username, release string
		at                time.Time
	}
	userMethod(s, method[issuer.User, args]{
		name: "MoveUsername",
		fresh: func() (issuer.User, args) {
			u := sampleUser()
			return u, args{u.NameRev, "Zoë2", "name:zoë", base.Add(1500 * time.Microsecond)}
		},
		call: func(ctx context.Context, u issuer.User, a args) (*issuer.User, bool, error) {
			return found(s.MoveUsername(ctx, u.ID, a.rev, a.username, a.release, a.at))
		},
		effect: func(u issuer.User, a args) *issuer.User {
			u.Username, u.NameRev = a.username, a.rev+1
			if a.release != "" {
				u.Release, u.ReleaseAt = append(slices.Clone(u.Release), a.release), a.at
			}
			return &u
		},
		cases: []variant[issuer.User, args]{
			{name: "the first", doc: func(u *issuer.User) { u.Username, u.NameRev, u.Release, u.ReleaseAt = "", 0, nil, time.Time{} }, arg: func(a *args) { a.rev, a.release = 0, "" }, hit: true},
			{name: "nothing to release", arg: func(a *args) { a.release = "" }, hit: true},
			{name: "the first release", doc: func(u *issuer.User) { u.Release, u.ReleaseAt = nil, time.Time{} }, hit: true},
			{name: "disabled", doc: func(u *issuer.User) { u.State = issuer.UserDisabled }},
			{name: "deleted", doc: func(u *issuer.User) { u.State = issuer.UserDeleted }},
			{name: "another revision", doc: func(u *issuer.User) { u.NameRev++ }},
			{name: "a lower revision", doc: func(u *issuer.User) { u.NameRev-- }},
		},
	}).run(t)
}

func clearRelease(t *testing.T, s Store) {
	type args struct {
		identifier string
		rev        int64
	}
	// ReleaseAt may stay when nothing is left to release.
	dateless := func(u issuer.User) issuer.User {
		if len(u.Release) == 0 {
			u.ReleaseAt = time.Time{}
		}
		return u
	}
	m := userMethod(s, method[issuer.User, args]{
		name:  "ClearRelease",
		fresh: func() (issuer.User, args) { u := sampleUser(); return u, args{"name:old", u.NameRev} },
		call: func(ctx context.Context, u issuer.User, a args) (*issuer.User, bool, error) {
			hit, err := s.ClearRelease(ctx, u.ID, a.identifier, a.rev)
			return nil, hit, err
		},
		effect: func(u issuer.User, a args) *issuer.User {
			u.Release = slices.DeleteFunc(slices.Clone(u.Release), func(r string) bool { return r == a.identifier })
			u = dateless(u)
			return &u
		},
		again: either,
		cases: []variant[issuer.User, args]{
			{name: "the last", doc: func(u *issuer.User) { u.Release = []string{"name:old"} }, hit: true},
			{name: "an address", arg: func(a *args) { *a = args{"email:old@example.com", 3} }, hit: true},
			{name: "a username under another revision", doc: func(u *issuer.User) { u.NameRev++ }},
			{name: "a username under the revision of the address", arg: func(a *args) { a.rev = 3 }},
			{name: "an address under another revision", doc: func(u *issuer.User) { u.EmailRev++ }, arg: func(a *args) { *a = args{"email:old@example.com", 3} }},
			{name: "an address under the revision of the username", arg: func(a *args) { *a = args{"email:old@example.com", 5} }},
		},
	})
	m.read = func(ctx context.Context, u issuer.User) (issuer.User, error) {
		u, err := s.User(ctx, u.ID)
		return dateless(u), err
	}
	m.run(t)
}

// found turns a method's document into a pointer, as method.call wants it.
func found[D any](d D, hit bool, err error) (*D, bool, error) { return &d, hit, err }
