package sqlite

import (
	"context"
	"slices"
	"strings"
	"time"

	"signet/issuer"
)

type userDoc struct {
	State         issuer.UserState    `json:"state"`
	Email         string              `json:"email,omitempty"`
	EmailVerified bool                `json:"email_verified,omitempty"`
	EmailRev      int64               `json:"email_rev,omitempty"`
	Username      string              `json:"username,omitempty"`
	NameRev       int64               `json:"name_rev,omitempty"`
	PasswordHash  string              `json:"hash,omitempty"`
	GivenName     string              `json:"given_name,omitempty"`
	FamilyName    string              `json:"family_name,omitempty"`
	Locale        string              `json:"locale,omitempty"`
	Roles         []string            `json:"roles,omitempty"`
	ResetRequired bool                `json:"reset_required,omitempty"`
	CreatedAt     millis              `json:"created_at,omitempty"`
	LastLoginAt   millis              `json:"last_login_at,omitempty"`
	Ver           int64               `json:"ver,omitempty"`
	Cred          int64               `json:"cred,omitempty"`
	Epoch         int64               `json:"epoch,omitempty"`
	Keep          string              `json:"keep,omitempty"`
	Ops           []string            `json:"ops,omitempty"`
	Pending       int64               `json:"pending,omitempty"`
	PendingAt     millis              `json:"pending_at,omitempty"`
	Why           issuer.RevokeReason `json:"why,omitempty"`
	Notice        issuer.LetterKind   `json:"notice,omitempty"`
	Release       []string            `json:"release,omitempty"`
	ReleaseAt     millis              `json:"release_at,omitempty"`
}

func packUser(u *issuer.User) userDoc {
	return userDoc{
		State: u.State, Email: u.Email, EmailVerified: u.EmailVerified, EmailRev: u.EmailRev, Username: u.Username, NameRev: u.NameRev,
		PasswordHash: u.PasswordHash, GivenName: u.GivenName, FamilyName: u.FamilyName, Locale: u.Locale, Roles: u.Roles, ResetRequired: u.ResetRequired,
		CreatedAt: stamp(u.CreatedAt), LastLoginAt: stamp(u.LastLoginAt), Ver: u.Ver, Cred: u.Cred, Epoch: u.Epoch, Keep: u.Keep,
		Ops: u.Ops, Pending: u.Pending, PendingAt: stamp(u.PendingAt), Why: u.Why, Notice: u.Notice, Release: u.Release, ReleaseAt: stamp(u.ReleaseAt),
	}
}

func openUser(id string, d *userDoc) issuer.User {
	return issuer.User{
		ID: id, State: d.State, Email: d.Email, EmailVerified: d.EmailVerified, EmailRev: d.EmailRev, Username: d.Username, NameRev: d.NameRev,
		PasswordHash: d.PasswordHash, GivenName: d.GivenName, FamilyName: d.FamilyName, Locale: d.Locale, Roles: d.Roles, ResetRequired: d.ResetRequired,
		CreatedAt: d.CreatedAt.time(), LastLoginAt: d.LastLoginAt.time(), Ver: d.Ver, Cred: d.Cred, Epoch: d.Epoch, Keep: d.Keep,
		Ops: d.Ops, Pending: d.Pending, PendingAt: d.PendingAt.time(), Why: d.Why, Notice: d.Notice, Release: d.Release, ReleaseAt: d.ReleaseAt.time(),
	}
}

var users = usersTable()

func usersTable() *collection[issuer.User] {
	c := newCollection("users", []string{"created_at", "pending", "releasing", "state", "hash_kind"},
		func(u *issuer.User) []any {
			return []any{int64(stamp(u.CreatedAt)), mark(u.Pending != 0), mark(len(u.Release) > 0), string(u.State), kindOf(u)}
		}, packUser, openUser)
	c.beside = enlist
	return c
}

// kindOf is what it takes to compute the password hash of a user who is still there; NULL for none.
func kindOf(u *issuer.User) any {
	if kind := issuer.HashKind(u.PasswordHash); kind != "" && u.State != issuer.UserDeleted {
		return kind
	}
	return nil
}

// InsertUser implements issuer.Users.
func (s *Store) InsertUser(ctx context.Context, u issuer.User) error {
	return users.insert(ctx, s, u.ID, &u)
}

// User implements issuer.Users.
func (s *Store) User(ctx context.Context, id string) (issuer.User, error) {
	return users.read(ctx, s, id)
}

// RehashPassword implements issuer.Users.
func (s *Store) RehashPassword(ctx context.Context, id, old, next string) (bool, error) {
	_, hit, err := users.update(ctx, s, id, func(u *issuer.User) bool {
		if u.PasswordHash != old {
			return false
		}
		u.PasswordHash = next
		return true
	})
	return hit, err
}

// RecordSignIn implements issuer.Users.
func (s *Store) RecordSignIn(ctx context.Context, id string, ver int64, at time.Time) (issuer.User, bool, error) {
	return users.update(ctx, s, id, func(u *issuer.User) bool {
		if u.State != issuer.UserActive || u.Ver != ver {
			return false
		}
		u.LastLoginAt, u.EmailVerified = cut(at), true
		return true
	})
}

// ActOnUser implements issuer.Users.
func (s *Store) ActOnUser(ctx context.Context, id string, a issuer.Act) (issuer.User, bool, error) {
	a.At = cut(a.At)
	return users.update(ctx, s, id, func(u *issuer.User) (hit bool) {
		*u, hit = a.Apply(*u)
		return hit
	})
}

// ClearUserNotice implements issuer.Users.
func (s *Store) ClearUserNotice(ctx context.Context, id string, ver int64) (bool, error) {
	_, hit, err := users.update(ctx, s, id, func(u *issuer.User) bool {
		if u.Ver != ver {
			return false
		}
		u.Notice = ""
		return true
	})
	return hit, err
}

// ClearPending implements issuer.Users.
func (s *Store) ClearPending(ctx context.Context, id string, ver int64) (bool, error) {
	_, hit, err := users.update(ctx, s, id, func(u *issuer.User) bool {
		if u.Ver != ver {
			return false
		}
		u.Pending, u.PendingAt = 0, time.Time{}
		return true
	})
	return hit, err
}

// PendingUsers implements issuer.Users.
func (s *Store) PendingUsers(ctx context.Context, after string, limit int) ([]string, error) {
	return listIDs(ctx, s, `SELECT id FROM users WHERE pending IS NOT NULL AND id > ? ORDER BY id LIMIT ?`, after, limit)
}

// UpdateProfile implements issuer.Users.
func (s *Store) UpdateProfile(ctx context.Context, id string, p issuer.ProfileChange) (issuer.User, bool, error) {
	return users.update(ctx, s, id, func(u *issuer.User) bool {
		if u.State == issuer.UserDeleted {
			return false
		}
		replace(&u.GivenName, p.GivenName)
		replace(&u.FamilyName, p.FamilyName)
		replace(&u.Locale, p.Locale)
		return true
	})
}

func replace(field, with *string) {
	if with != nil {
		*field = *with
	}
}

// MoveUsername implements issuer.Users.
func (s *Store) MoveUsername(ctx context.Context, id string, rev int64, username, release string, at time.Time) (issuer.User, bool, error) {
	return users.update(ctx, s, id, func(u *issuer.User) bool {
		if u.State != issuer.UserActive || u.NameRev != rev {
			return false
		}
		u.Username, u.NameRev = username, rev+1
		if release != "" {
			u.Release, u.ReleaseAt = append(u.Release, release), cut(at)
		}
		return true
	})
}

// ClearRelease implements issuer.Users.
func (s *Store) ClearRelease(ctx context.Context, id, identifier string, rev int64) (bool, error) {
	_, hit, err := users.update(ctx, s, id, func(u *issuer.User) bool {
		now := u.EmailRev
		if strings.HasPrefix(identifier, issuer.NameKey("")) {
			now = u.NameRev
		}
		if now != rev {
			return false
		}
		u.Release = slices.DeleteFunc(u.Release, func(r string) bool { return r == identifier })
		if len(u.Release) == 0 {
			u.ReleaseAt = time.Time{}
		}
		return true
	})
	return hit, err
}

// ReleasingUsers implements issuer.Users.
func (s *Store) ReleasingUsers(ctx context.Context, after string, limit int) ([]string, error) {
	return listIDs(ctx, s, `SELECT id FROM users WHERE releasing IS NOT NULL AND id > ? ORDER BY id LIMIT ?`, after, limit)
}

// HashKinds implements issuer.Users. Each kind is found by one step of the index, however many users have it.
func (s *Store) HashKinds(ctx context.Context) ([]string, error) {
	return listIDs(ctx, s, `WITH RECURSIVE kinds (kind) AS (
		SELECT min(hash_kind) FROM users WHERE hash_kind IS NOT NULL
		UNION ALL SELECT (SELECT min(hash_kind) FROM users WHERE hash_kind > kinds.kind) FROM kinds WHERE kind IS NOT NULL
	) SELECT kind FROM kinds WHERE kind IS NOT NULL`)
}

// last is the end of list, at most n long.
func last[E any](list []E, n int) []E { return list[max(0, len(list)-n):] }
