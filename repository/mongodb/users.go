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
	CreatedAt     time.Time `bson:"created_at"`
	LastLoginAt   time.Time `bson:"last_login_at,omitempty"`
	Ver           int64     `bson:"ver"`
	Cred          int64     `bson:"cred"`
	Epoch         int64     `bson:"epoch"`
	Keep          string    `bson:"keep"`
	Ops           []string  `bson:"ops,omitempty"`
	Pending       int64     `bson:"pending,omitempty"`
	PendingAt     time.Time `bson:"pending_at,omitempty"`
	Release       []string  `bson:"release,omitempty"`
	ReleaseAt     time.Time `bson:"release_at,omitempty"`
}

func fromUser(u issuer.User) userDocument {
	return userDocument{
		ID: u.ID, State: string(u.State), Email: u.Email, EmailVerified: u.EmailVerified, EmailRev: u.EmailRev,
		Username: u.Username, NameRev: u.NameRev, Hash: u.PasswordHash, GivenName: readable(u.GivenName),
		FamilyName: readable(u.FamilyName), Locale: readable(u.Locale), Roles: u.Roles, CreatedAt: u.CreatedAt,
		LastLoginAt: u.LastLoginAt, Ver: u.Ver, Cred: u.Cred, Epoch: u.Epoch, Keep: u.Keep, Ops: u.Ops,
		Pending: u.Pending, PendingAt: u.PendingAt, Release: u.Release, ReleaseAt: u.ReleaseAt,
	}
}

func (d userDocument) user() issuer.User {
	return issuer.User{
		ID: d.ID, State: issuer.UserState(d.State), Email: d.Email, EmailVerified: d.EmailVerified, EmailRev: d.EmailRev,
		Username: d.Username, NameRev: d.NameRev, PasswordHash: d.Hash, GivenName: d.GivenName,
		FamilyName: d.FamilyName, Locale: d.Locale, Roles: d.Roles, CreatedAt: d.CreatedAt,
		LastLoginAt: d.LastLoginAt, Ver: d.Ver, Cred: d.Cred, Epoch: d.Epoch, Keep: d.Keep, Ops: d.Ops,
		Pending: d.Pending, PendingAt: d.PendingAt, Release: d.Release, ReleaseAt: d.ReleaseAt,
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
	return changed(ctx, s.users, "rehash password", id, bson.M{"hash": old}, bson.M{"$set": bson.M{"hash": next}})
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

// EndAll implements issuer.Users.
func (s *Store) EndAll(ctx context.Context, id string, ver int64, keep, att string, at time.Time) (issuer.User, bool, error) {
	next := ver + 1
	return s.changeUser(ctx, "end all sessions", id, bson.M{"ver": ver}, bson.M{
		"$set":  bson.M{"ver": next, "cred": next, "epoch": next, "pending": next, "pending_at": at, "keep": keep},
		"$push": bson.M{"ops": lastKept(issuer.OpsKept, att)},
	})
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
	set := bson.M{"state": string(issuer.UserActive)} // no change, so that the update is never empty
	for field, value := range map[string]*string{"given_name": p.GivenName, "family_name": p.FamilyName, "locale": p.Locale} {
		if value != nil {
			set[field] = readable(*value)
		}
	}
	return s.changeUser(ctx, "update profile", id, bson.M{}, bson.M{"$set": set})
}

// MoveUsername implements issuer.Users.
func (s *Store) MoveUsername(ctx context.Context, id string, rev int64, username, release string, at time.Time) (issuer.User, bool, error) {
	set := bson.M{"username": username, "name_rev": rev + 1}
	update := bson.M{"$set": set}
	if release != "" {
		set["release_at"] = at
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

// ListUsers implements issuer.Users.
func (s *Store) ListUsers(ctx context.Context, after issuer.UserCursor, limit int) ([]issuer.User, error) {
	beyond := bson.M{
		"created_at": bson.M{"$gte": after.CreatedAt},
		"$or":        bson.A{bson.M{"created_at": bson.M{"$gt": after.CreatedAt}}, bson.M{"_id": bson.M{"$gt": after.ID}}},
	}
	order := bson.D{{Key: "created_at", Value: 1}, {Key: "_id", Value: 1}}
	found, err := list[userDocument](ctx, s.users, "list users", beyond, order, limit)
	return mapAll(found, userDocument.user), err
}
