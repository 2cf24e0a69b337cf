package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"signet/issuer"
)

// Version 3: users carry the keys that they are searched by and the kind of their hash (user_keys.go), revoked sessions say `ended`.
//
//	{user, id_key absent, what keys are made of as read} -> the keys
//	{sid, ended absent, revoked}                         -> ended
//
// Again until a pass finds none. A replica of the version before neither writes nor reads any of it: what it inserts and revokes while this
// runs is found by a later pass, and a user that it changes makes the condition false. What it does afterwards, until it is replaced, is found by the next
// start of a replica of this version; a name or hash that it changed in a user who has keys keeps the old key until it changes again. A
// session that it revoked is not listed as live meanwhile, because those lists ask for `revoked` too.

func makeLists(ctx context.Context, db *mongo.Database) error {
	ctx, cancel := context.WithTimeout(ctx, dateWithin)
	defer cancel()
	if err := createIndexes(ctx, db); err != nil {
		return err
	}
	if err := untilNone(ctx, db.Collection("users"), keyPass); err != nil {
		return err
	}
	return untilNone(ctx, db.Collection("sessions"), endedPass)
}

// untilNone repeats a pass, which says how many documents it found, until it finds none.
func untilNone(ctx context.Context, c *mongo.Collection, pass func(context.Context, *mongo.Collection) (int, error)) error {
	for {
		found, err := pass(ctx, c)
		if err != nil || found == 0 {
			return err
		}
	}
}

func keyPass(ctx context.Context, c *mongo.Collection) (found int, err error) {
	const what = "key users"
	for after := ""; ; {
		page, err := list[userDocument](ctx, c, what,
			bson.M{"id_key": nil, "state": bson.M{"$ne": string(issuer.UserDeleted)}, "_id": bson.M{"$gt": after}}, byID, datePage)
		if err != nil {
			return found, err
		}
		for _, d := range page {
			conditions, update := keysOf(d)
			if _, err := changed(ctx, c, what, d.ID, conditions, update); err != nil {
				return found, err
			}
			after = d.ID
		}
		found += len(page)
		if len(page) < datePage {
			return found, nil
		}
	}
}

// keysOf is the step that gives a user its keys.
func keysOf(d userDocument) (conditions, update bson.M) {
	conditions, set, unset := bson.M{"id_key": absent}, bson.M{}, bson.M{}
	for _, f := range []struct{ field, key, value string }{
		{"email", "email_key", d.Email}, {"username", "username_key", d.Username}, {"given_name", "given_key", d.GivenName},
		{"family_name", "family_key", d.FamilyName}, {"hash", "", d.Hash},
	} {
		conditions[f.field] = f.value
		if f.value == "" {
			conditions[f.field] = bson.M{"$in": bson.A{"", nil}}
		}
		if f.key != "" {
			putKey(set, unset, f.key, f.value)
		}
	}
	putHash(set, unset, d.Hash)
	set["id_key"] = searchKey(d.ID)
	return conditions, assigned(set, unset)
}

func endedPass(ctx context.Context, c *mongo.Collection) (found int, err error) {
	const what = "end revoked sessions"
	for after := ""; ; {
		page, err := listIDs(ctx, c, what, bson.M{"ended": nil, "revoked": present, "_id": bson.M{"$gt": after}}, byID, datePage)
		if err != nil {
			return found, err
		}
		for _, id := range page {
			if _, err := changed(ctx, c, what, id, bson.M{"ended": absent, "revoked": present}, bson.M{"$set": bson.M{"ended": true}}); err != nil {
				return found, err
			}
			after = id
		}
		found += len(page)
		if len(page) < datePage {
			return found, nil
		}
	}
}
