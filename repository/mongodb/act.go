package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// ActOnUser implements issuer.Users: what issuer.Act.Apply makes of a user, as one update.
//
//	{_id, ver[, name_rev]} -> ver+1, ops + att, and what the act says
//
// Invariant: the update depends on the act alone, never on a user that was read, so that what other methods change meanwhile stays.
func (s *Store) ActOnUser(ctx context.Context, id string, a issuer.Act) (issuer.User, bool, error) {
	conditions := bson.M{"ver": a.Ver}
	if a.NameRev != nil {
		conditions["name_rev"] = *a.NameRev
	}
	d, ok, err := change[userDocument](ctx, s.users, "act on user", id, conditions, updateOf(a))
	return d.user(), ok, err
}

// personal are the fields of a user that erasing takes away. created_at becomes the zero time, so that the user keeps a place in the order.
var personal = []string{
	"email", "email_verified", "username", "hash", "given_name", "family_name", "locale", "roles", "reset_required", "last_login_at", "notice",
	"hash_kind", "email_key", "username_key", "given_key", "family_key",
}

// updateOf is a.Apply as an update.
func updateOf(a issuer.Act) bson.M {
	next := a.Ver + 1
	set, unset := bson.M{"ver": next}, bson.M{}
	push := bson.M{"ops": lastKept(issuer.OpsKept, a.Att)}
	if a.EndAll != "" {
		set["cred"], set["epoch"], set["keep"], set["why"] = next, next, a.Keep, string(a.EndAll)
	}
	if sweeps(a) {
		set["pending"], set["pending_at"] = next, a.At
	}
	if a.State != "" {
		set["state"] = string(a.State)
	}
	if len(a.Release) > 0 {
		push["release"] = bson.M{"$each": a.Release}
		set["release_at"] = a.At
	}
	if a.Email != "" {
		set["cred"] = next
	}
	if a.Erase {
		for _, field := range personal {
			unset[field] = ""
		}
		set["created_at"] = time.Time{}
	} else {
		setPersonal(a, set, unset)
	}
	update := assigned(set, unset)
	update["$push"] = push
	if a.Email != "" {
		update["$inc"] = bson.M{"email_rev": int64(1)} // under ver, which this update moves
	}
	return update
}

// setPersonal adds what an act changes of the fields that an erasure would take away.
func setPersonal(a issuer.Act, set, unset bson.M) {
	if a.Notice != "" {
		set["notice"] = string(a.Notice)
	}
	if a.Roles != nil {
		put(set, unset, "roles", *a.Roles, len(*a.Roles) > 0)
	}
	if a.PasswordHash != nil {
		putHash(set, unset, *a.PasswordHash)
		put(set, unset, "reset_required", true, a.ResetRequired)
	} else if a.ResetRequired {
		set["reset_required"] = true
	}
	if a.EmailVerified || a.Email != "" {
		set["email_verified"] = true
	}
	if a.Email != "" {
		set["email"] = a.Email
		putKey(set, unset, "email_key", a.Email)
	}
}

// sweeps says whether sessions have to be looked at after an act.
func sweeps(a issuer.Act) bool {
	return a.EndAll != "" || a.Roles != nil || a.State != "" || a.Notice != ""
}
