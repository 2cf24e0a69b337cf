package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// Budgets as exact sliding windows, and counters. Invariant: the log of a key never takes an attempt id twice and never
// takes more than its limit within the window. A budget comes to be by an upsert: when the filter does not match the
// document that is there, the server tries to insert it again, and the duplicate key is the refusal. It is also what one of two
// callers may get who insert the same document at once, so the refused read the log before they believe it.

// budgetDocument is the log of a budget, oldest entry first.
type budgetDocument struct {
	Log []budgetEntry `bson:"log"`
}

type budgetEntry struct {
	Att string    `bson:"att"`
	At  time.Time `bson:"at"`
}

func (d budgetDocument) has(att string) bool {
	return slices.ContainsFunc(d.Log, func(e budgetEntry) bool { return e.Att == att })
}

// TakeBudget implements issuer.Throttles.
func (s *Store) TakeBudget(ctx context.Context, key, att string, limit int, window time.Duration, now time.Time) (bool, time.Time, error) {
	const what = "take budget"
	if limit <= 0 {
		return false, now.Add(window), nil
	}
	begin := now.Add(-window).Truncate(time.Millisecond)
	room := bson.M{
		"_id": key, "log.att": bson.M{"$ne": att},
		"$or": bson.A{bson.M{fmt.Sprintf("log.%d", limit-1): absent}, bson.M{"log.0.at": bson.M{"$lte": begin}}},
	}
	entry := bson.M{
		"$push": bson.M{"log": lastKept(limit, budgetEntry{Att: att, At: now})},
		"$max":  bson.M{"ttl_at": now.Add(window + keptLonger)},
	}
	for range contendedTries {
		err := mapped(what, s.throttles.FindOneAndUpdate(ctx, room, entry, upserted()).Err())
		if !errors.Is(err, issuer.ErrExists) {
			return err == nil, time.Time{}, err
		}
		held, err := read[budgetDocument](ctx, s.throttles, what, key)
		switch {
		case errors.Is(err, issuer.ErrNotFound):
			continue
		case err != nil:
			return false, time.Time{}, err
		case held.has(att):
			return true, time.Time{}, nil
		case len(held.Log) >= limit && held.Log[0].At.After(begin):
			return false, held.Log[0].At.Add(window), nil
		}
	}
	return false, time.Time{}, contended(what)
}

// GiveBack implements issuer.Throttles.
func (s *Store) GiveBack(ctx context.Context, key, att string) error {
	_, err := changed(ctx, s.throttles, "give back", key, bson.M{}, bson.M{"$pull": bson.M{"log": bson.M{"att": att}}})
	return err
}

// CountSource implements issuer.Throttles.
func (s *Store) CountSource(ctx context.Context, key string, expires time.Time) (int64, error) {
	d, err := upsert[struct {
		Count int64 `bson:"count"`
	}](ctx, s.throttles, "count source", key,
		bson.M{"$inc": bson.M{"count": int64(1)}, "$max": bson.M{"ttl_at": expires.Add(keptLonger)}})
	return d.Count, err
}
