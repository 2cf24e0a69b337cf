package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"signet/issuer"
)

// acts holds a store to issuer.Act.Apply: each field alone, its conditions, and many acts one after another on one user.
func acts(t *testing.T, s Store) {
	text := func(v string) *string { return &v }
	rev := func(v int64) *int64 { return &v }
	set := func(set func(*issuer.Act)) func(*issuer.Act) {
		return func(a *issuer.Act) { *a = issuer.Act{Ver: a.Ver, Att: a.Att, At: a.At}; set(a) }
	}
	bare := func(u *issuer.User) { *u = issuer.User{ID: u.ID, State: issuer.UserActive, CreatedAt: base} }
	first := func(a *issuer.Act) { a.Ver = 0 }
	userMethod(s, method[issuer.User, issuer.Act]{
		name: "ActOnUser",
		fresh: func() (issuer.User, issuer.Act) {
			u := sampleUser()
			return u, issuer.Act{
				Ver: u.Ver, NameRev: rev(u.NameRev), Att: "mine", At: base.Add(1500 * time.Microsecond), EndAll: issuer.RevokedReset, Keep: "sid-mine",
				State: issuer.UserDisabled, Roles: &[]string{"editor"}, PasswordHash: text("$argon2id$new"), ResetRequired: true, EmailVerified: true,
				Email: "zoé@example.com", Release: []string{"email:zoë@example.com", "name:zoë"}, Notice: issuer.LetterReset,
			}
		},
		call: func(ctx context.Context, u issuer.User, a issuer.Act) (*issuer.User, bool, error) {
			return found(s.ActOnUser(ctx, u.ID, a))
		},
		effect: func(u issuer.User, a issuer.Act) *issuer.User { u, _ = a.Apply(u); return &u },
		cases: []variant[issuer.User, issuer.Act]{
			{name: "nothing but an attempt", arg: set(func(*issuer.Act) {}), hit: true},
			{name: "end all", arg: set(func(a *issuer.Act) { a.EndAll = issuer.RevokedLogoutAll }), hit: true},
			{name: "end all but one", arg: set(func(a *issuer.Act) { a.EndAll, a.Keep = issuer.RevokedPassword, "sid-mine" }), hit: true},
			{name: "keep without end all", arg: set(func(a *issuer.Act) { a.Keep = "sid-mine" }), hit: true},
			{name: "disable", arg: set(func(a *issuer.Act) { a.State = issuer.UserDisabled }), hit: true},
			{name: "enable", doc: func(u *issuer.User) { u.State = issuer.UserDisabled }, arg: set(func(a *issuer.Act) { a.State = issuer.UserActive }), hit: true},
			{name: "of a disabled one", doc: func(u *issuer.User) { u.State = issuer.UserDisabled }, hit: true},
			{name: "of a deleted one", doc: func(u *issuer.User) { u.State = issuer.UserDeleted }, hit: true},
			{name: "roles", arg: set(func(a *issuer.Act) { a.Roles = &[]string{"a", "ünïcode"} }), hit: true},
			{name: "no roles", arg: set(func(a *issuer.Act) { a.Roles = &[]string{} }), hit: true},
			{name: "nil roles", arg: set(func(a *issuer.Act) { a.Roles = new([]string) }), hit: true},
			{name: "roles of one without", doc: func(u *issuer.User) { u.Roles = nil }, arg: set(func(a *issuer.Act) { a.Roles = &[]string{"a"} }), hit: true},
			{name: "password", arg: set(func(a *issuer.Act) { a.PasswordHash = text("$argon2id$new") }), hit: true},
			{name: "no password", arg: set(func(a *issuer.Act) { a.PasswordHash = text("") }), hit: true},
			{name: "a password that is to be reset", arg: set(func(a *issuer.Act) { a.PasswordHash, a.ResetRequired = text("$argon2id$new"), true }), hit: true},
			{name: "reset required", doc: func(u *issuer.User) { u.ResetRequired = false }, arg: set(func(a *issuer.Act) { a.ResetRequired = true }), hit: true},
			{name: "verified", doc: func(u *issuer.User) { u.EmailVerified = false }, arg: set(func(a *issuer.Act) { a.EmailVerified = true }), hit: true},
			{name: "not verified stays", doc: func(u *issuer.User) { u.EmailVerified = false }, arg: set(func(*issuer.Act) {}), hit: true},
			{name: "address", doc: func(u *issuer.User) { u.EmailVerified = false }, arg: set(func(a *issuer.Act) { a.Email = "zoé@example.com" }), hit: true},
			{name: "the first address", doc: bare, arg: func(a *issuer.Act) { set(func(a *issuer.Act) { a.Email = "a@example.com" })(a); a.Ver = 0 }, hit: true},
			{name: "release", arg: set(func(a *issuer.Act) { a.Release = []string{"name:old", "name:zoë"} }), hit: true},
			{name: "the first release", doc: func(u *issuer.User) { u.Release, u.ReleaseAt = nil, time.Time{} }, arg: set(func(a *issuer.Act) { a.Release = []string{"name:zoë"} }), hit: true},
			{name: "release nothing", arg: set(func(a *issuer.Act) { a.Release = []string{} }), hit: true},
			{name: "notice", doc: func(u *issuer.User) { u.Notice, u.Pending, u.PendingAt = "", 0, time.Time{} }, arg: set(func(a *issuer.Act) { a.Notice = issuer.LetterInvite }), hit: true},
			{name: "erase", arg: set(func(a *issuer.Act) { a.Erase = true }), hit: true},
			{name: "delete", arg: set(func(a *issuer.Act) {
				a.State, a.Erase, a.EndAll, a.Release = issuer.UserDeleted, true, issuer.RevokedDeleted, []string{"email:zoë@example.com", "name:zoë"}
			}), hit: true},
			{name: "erase and everything else", arg: func(a *issuer.Act) { a.Erase = true }, hit: true},
			{name: "erase one without anything", doc: bare, arg: func(a *issuer.Act) { set(func(a *issuer.Act) { a.Erase = true })(a); a.Ver = 0 }, hit: true},
			{name: "the first", doc: bare, arg: func(a *issuer.Act) { first(a); a.NameRev = rev(0) }, hit: true},
			{name: "room in ops", doc: func(u *issuer.User) { u.Ops = []string{"a1", "a2"} }, hit: true},
			{name: "any revision of the name", arg: func(a *issuer.Act) { a.NameRev = nil }, hit: true},
			{name: "another revision of the name", doc: func(u *issuer.User) { u.NameRev++ }},
			{name: "a lower revision of the name", doc: func(u *issuer.User) { u.NameRev-- }},
			{name: "ver has moved on", doc: func(u *issuer.User) { u.Ver++ }},
			{name: "ver is lower", doc: func(u *issuer.User) { u.Ver-- }},
		},
	}).run(t)
	clearUserNotice(t, s)
	t.Run("ActOnUser, one after another", func(t *testing.T) { randomActs(t, s) })
}

// randomActs makes acts of users as they come to be by those before. Each arrives twice.
func randomActs(t *testing.T, s Store) {
	users, acts := 40, 25
	if long() {
		users = 400
	}
	for seed := range users {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		u := randomUser(rng)
		ok(t, s.InsertUser(t.Context(), u))
		for n := range acts {
			a := randomAct(rng, u, fmt.Sprint("att-", n))
			want, due := a.Apply(u)
			got, hit, err := s.ActOnUser(t.Context(), u.ID, a)
			ok(t, err)
			if hit != due {
				t.Fatalf("user %d, act %d: hit = %v, want %v: %+v of %+v", seed, n, hit, due, a, u)
			}
			if hit {
				same(t, fmt.Sprintf("user %d, act %d: returned, of %+v", seed, n, a), got, want)
			}
			if _, hit, err := s.ActOnUser(t.Context(), u.ID, a); hit || err != nil {
				t.Errorf("user %d, act %d, again: %v, %v", seed, n, hit, err)
			}
			same(t, fmt.Sprintf("user %d, act %d: stored, of %+v", seed, n, a), must(s.User(t.Context(), u.ID))(t), want)
			if t.Failed() {
				return
			}
			u = want
		}
	}
}

func clearUserNotice(t *testing.T, s Store) {
	userMethod(s, method[issuer.User, int64]{
		name:  "ClearUserNotice",
		fresh: func() (issuer.User, int64) { u := sampleUser(); return u, u.Ver },
		call: func(ctx context.Context, u issuer.User, ver int64) (*issuer.User, bool, error) {
			hit, err := s.ClearUserNotice(ctx, u.ID, ver)
			return nil, hit, err
		},
		effect: func(u issuer.User, _ int64) *issuer.User { u.Notice = ""; return &u },
		again:  either,
		cases: []variant[issuer.User, int64]{
			{name: "of a deleted one", doc: func(u *issuer.User) { u.State = issuer.UserDeleted }, hit: true},
			{name: "ver has moved on", doc: func(u *issuer.User) { u.Ver++ }},
			{name: "ver is lower", doc: func(u *issuer.User) { u.Ver-- }},
		},
	}).run(t)
}
