package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Version 2: every session carries the hour that it was last created or refreshed in (`active_hour`), in an index.
//
//	{sid, active_hour absent, at as read} -> active_hour
//
// Again until a pass finds none. A replica of the version before neither writes nor reads the field: what it inserts while this runs is found
// by a later pass, and a refresh by it makes the condition false. What it writes afterwards, until it is replaced, lacks the field until the next start of
// a replica of this version, or keeps an hour too low until the session's next refresh: sessions are ended by their time once all replicas are of this version
// and one of them has started since.

const (
	datePage   = 500
	dateWithin = time.Hour // an index on many sessions takes longer than other commands are given
)

func dateSessions(ctx context.Context, db *mongo.Database) error {
	ctx, cancel := context.WithTimeout(ctx, dateWithin)
	defer cancel()
	if err := createIndexes(ctx, db); err != nil {
		return err
	}
	return untilNone(ctx, db.Collection("sessions"), datePass)
}

// datePass goes through the sessions without the field once, and says how many it found.
func datePass(ctx context.Context, c *mongo.Collection) (found int, err error) {
	const what = "date sessions"
	for after := ""; ; {
		// null stands for absent, and is what the index holds then.
		page, err := list[sessionDocument](ctx, c, what, bson.M{"active_hour": nil, "_id": bson.M{"$gt": after}}, byID, datePage)
		if err != nil {
			return found, err
		}
		for _, d := range page {
			if _, err := changed(ctx, c, what, d.ID, bson.M{"active_hour": absent, "at": d.At},
				bson.M{"$set": bson.M{"active_hour": d.session().ActiveHour()}}); err != nil {
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
