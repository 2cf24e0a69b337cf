package mongodb

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"signet/issuer"
)

// userDocument is an account. pending and release are markers: absent when there is nothing to be completed.
type userDocument struct {
	ID            string    `bson:"_id"`
	State         string    `bson:"state"`
	Email         string    `bson:"email"`
	EmailVerified bool      `bson:"email_verified"`
	EmailRev      int64     `bson:"email_rev"`
	Username      string    `bson:"username"`
	NameRev       int64     `bson:"name_rev"`
	Hash          string    `bson:"hash"`
	GivenName     string    `bson:"given_name"`
	FamilyName    string    `bson:"family_name"`
	Locale        string    `bson:"locale"`
	Roles         []string  `bson:"roles,omitempty"`
	ResetRequired bool      `bson:"reset_required,omitempty"`
	CreatedAt     time.Time `bson:"created_at"`
	LastLoginAt   time.Time `bson:"last_login_at,omitempty"`
	Ver           int64     `bson:"ver"`
	Cred          int64     `bson:"cred"`
	Epoch         int64     `bson:"epoch"`
	Keep          string    `bson:"keep"`
	Ops           []string  `bson:"ops,omitempty"`
	Pending       int64     `bson:"pending,omitempty"`
	PendingAt     time.Time `bson:"pending_at,omitempty"`
	Why           string    `bson:"why,omitempty"`
	Notice        string    `bson:"notice,omitempty"`
	Release       []string  `bson:"release,omitempty"`
	ReleaseAt     time.Time `bson:"release_at,omitempty"`

	HashKind    string `bson:"hash_kind,omitempty"` // of these see user_keys.go
	IDKey       string `bson:"id_key"`
	EmailKey    string `bson:"email_key,omitempty"`
	UsernameKey string `bson:"username_key,omitempty"`
	GivenKey    string `bson:"given_key,omitempty"`
	FamilyKey   string `bson:"family_key,omitempty"`
}

func fromUser(u issuer.User) userDocument {
	return userDocument{
		ID: u.ID, State: string(u.State), Email: u.Email, EmailVerified: u.EmailVerified, EmailRev: u.EmailRev,
		Username: u.Username, NameRev: u.NameRev, Hash: u.PasswordHash, GivenName: readable(u.GivenName),
		FamilyName: readable(u.FamilyName), Locale: readable(u.Locale), Roles: u.Roles, ResetRequired: u.ResetRequired, CreatedAt: u.CreatedAt,
		LastLoginAt: u.LastLoginAt, Ver: u.Ver, Cred: u.Cred, Epoch: u.Epoch, Keep: u.Keep, Ops: u.Ops,
		Pending: u.Pending, PendingAt: u.PendingAt, Why: string(u.Why), Notice: string(u.Notice), Release: u.Release, ReleaseAt: u.ReleaseAt,
		HashKind: issuer.HashKind(u.PasswordHash), IDKey: searchKey(u.ID), EmailKey: searchKey(u.Email), UsernameKey: searchKey(u.Username),
		GivenKey: searchKey(u.GivenName), FamilyKey: searchKey(u.FamilyName),
	}
}

func (d userDocument) user() issuer.User {
	return issuer.User{
		ID: d.ID, State: issuer.UserState(d.State), Email: d.Email, EmailVerified: d.EmailVerified, EmailRev: d.EmailRev,
		Username: d.Username, NameRev: d.NameRev, PasswordHash: d.Hash, GivenName: d.GivenName,
		FamilyName: d.FamilyName, Locale: d.Locale, Roles: d.Roles, ResetRequired: d.ResetRequired, CreatedAt: d.CreatedAt,
		LastLoginAt: d.LastLoginAt, Ver: d.Ver, Cred: d.Cred, Epoch: d.Epoch, Keep: d.Keep, Ops: d.Ops,
		Pending: d.Pending, PendingAt: d.PendingAt, Why: issuer.RevokeReason(d.Why), Notice: issuer.LetterKind(d.Notice), Release: d.Release, ReleaseAt: d.ReleaseAt,
	}
}

// InsertUser implements issuer.Users.
func (s *Store) InsertUser(ctx context.Context, u issuer.User) error {
	return insert(ctx, s.users, "insert user", fromUser(u))
}

// User implements issuer.Users.
func (s *Store) User(ctx context.Context, id string) (issuer.User, error) {
	d, err := read[userDocument](ctx, s.users, "read user", id)
	return d.user(), err
}

// RehashPassword implements issuer.Users.
func (s *Store) RehashPassword(ctx context.Context, id, old, next string) (bool, error) {
	set, unset := bson.M{}, bson.M{}
	putHash(set, unset, next)
	return changed(ctx, s.users, "rehash password", id, bson.M{"hash": old}, assigned(set, unset))
}

// changeUser is change for an active user.
func (s *Store) changeUser(ctx context.Context, what, id string, conditions, update bson.M) (issuer.User, bool, error) {
	conditions["state"] = string(issuer.UserActive)
	d, ok, err := change[userDocument](ctx, s.users, what, id, conditions, update)
	return d.user(), ok, err
}

// RecordSignIn implements issuer.Users.
func (s *Store) RecordSignIn(ctx context.Context, id string, ver int64, at time.Time) (issuer.User, bool, error) {
	return s.changeUser(ctx, "record sign-in", id, bson.M{"ver": ver},
		bson.M{"$set": bson.M{"last_login_at": at, "email_verified": true}})
}

// ClearUserNotice implements issuer.Users.
func (s *Store) ClearUserNotice(ctx context.Context, id string, ver int64) (bool, error) {
	return changed(ctx, s.users, "clear notice of user", id, bson.M{"ver": ver}, bson.M{"$unset": bson.M{"notice": ""}})
}

// ClearPending implements issuer.Users.
func (s *Store) ClearPending(ctx context.Context, id string, ver int64) (bool, error) {
	return changed(ctx, s.users, "clear pending", id, bson.M{"ver": ver},
		bson.M{"$unset": bson.M{"pending": "", "pending_at": ""}})
}

// PendingUsers implements issuer.Users.
func (s *Store) PendingUsers(ctx context.Context, after string, limit int) ([]string, error) {
	return listIDs(ctx, s.users, "list pending users", bson.M{"pending": present, "_id": bson.M{"$gt": after}}, byID, limit)
}

// UpdateProfile implements issuer.Users.
func (s *Store) UpdateProfile(ctx context.Context, id string, p issuer.ProfileChange) (issuer.User, bool, error) {
	set, unset := bson.M{"_id": id}, bson.M{} // no change, so that the update is never empty
	for _, f := range []struct {
		field, key string
		value      *string
	}{{"given_name", "given_key", p.GivenName}, {"family_name", "family_key", p.FamilyName}, {"locale", "", p.Locale}} {
		if f.value == nil {
			continue
		}
		set[f.field] = readable(*f.value)
		if f.key != "" {
			putKey(set, unset, f.key, *f.value)
		}
	}
	d, ok, err := change[userDocument](ctx, s.users, "update profile", id, bson.M{"state": bson.M{"$ne": string(issuer.UserDeleted)}}, assigned(set, unset))
	return d.user(), ok, err
}

// MoveUsername implements issuer.Users.
func (s *Store) MoveUsername(ctx context.Context, id string, rev int64, username, release string, at time.Time) (issuer.User, bool, error) {
	set, unset := bson.M{"username": username, "name_rev": rev + 1}, bson.M{}
	putKey(set, unset, "username_key", username)
	if release != "" {
		set["release_at"] = at
	}
	update := assigned(set, unset)
	if release != "" {
		update["$addToSet"] = bson.M{"release": release}
	}
	return s.changeUser(ctx, "move username", id, bson.M{"name_rev": rev}, update)
}

// ClearRelease implements issuer.Users. The marker has to be absent when its last entry goes, and an entry has to go
// alone when there are others: two conditions that exclude each other. When neither held, either the entry or the revision
// is gone, which a read tells, or another caller came between.
func (s *Store) ClearRelease(ctx context.Context, id, identifier string, rev int64) (bool, error) {
	const what = "clear release"
	held := bson.M{"release": identifier, "email_rev": rev}
	if strings.HasPrefix(identifier, issuer.NameKey("")) {
		held = bson.M{"release": identifier, "name_rev": rev}
	}
	for range contendedTries {
		held["release.1"] = absent
		ok, err := changed(ctx, s.users, what, id, held, bson.M{"$unset": bson.M{"release": "", "release_at": ""}})
		if ok || err != nil {
			return ok, err
		}
		held["release.1"] = present
		ok, err = changed(ctx, s.users, what, id, held, bson.M{"$pull": bson.M{"release": identifier}})
		if ok || err != nil {
			return ok, err
		}
		delete(held, "release.1")
		held["_id"] = id
		err = mapped(what, s.users.FindOne(ctx, held, options.FindOne().SetProjection(byID)).Err())
		if errors.Is(err, issuer.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, contended(what)
}

// ReleasingUsers implements issuer.Users.
func (s *Store) ReleasingUsers(ctx context.Context, after string, limit int) ([]string, error) {
	return listIDs(ctx, s.users, "list releasing users", bson.M{"release": present, "_id": bson.M{"$gt": after}}, byID, limit)
}
