package mongodb

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"signet/issuer"
	"signet/keys"
)

// The documents of collection keyring: the ring, the clock, and a heartbeat for each replica. The range from
// heartbeatPrefix to heartbeatEnd holds the heartbeats alone.
const (
	ringID          = "ring"
	clockID         = "clock"
	heartbeatPrefix = "replica:"
	heartbeatEnd    = "replica;" // ';' follows ':'
)

// linearizableWithin bounds a linearizable read: a primary that lost its majority would wait for it without end.
const linearizableWithin = 5 * time.Second

// deposedFor is how long a deposed primary may not know it: the election timeout of a replica set.
const deposedFor = 10 * time.Second

// ringDocument is the key ring: one versioned document.
type ringDocument struct {
	ID      string `bson:"_id"`
	Version int64  `bson:"version"`
	By      string `bson:"by"`
	Body    []byte `bson:"body"`
}

// heartbeatDocument says what a replica holds.
type heartbeatDocument struct {
	ID          string    `bson:"_id"`
	At          time.Time `bson:"at"`
	RingVersion int64     `bson:"ring_version"`
	KEKIDs      []string  `bson:"kek_ids"`
	ClockOffset int64     `bson:"clock_offset_ns"`
}

func (d heartbeatDocument) heartbeat() keys.Heartbeat {
	return keys.Heartbeat{
		Replica: d.ID[len(heartbeatPrefix):], At: d.At, RingVersion: d.RingVersion, KEKIDs: d.KEKIDs,
		ClockOffset: time.Duration(d.ClockOffset),
	}
}

// LoadRing implements keys.RingStore.
func (s *Store) LoadRing(ctx context.Context) (keys.RingDocument, error) {
	if !s.topology.replicated() || s.stale > 0 {
		return loadRing(ctx, s.keyring)
	}
	return loadRing(ctx, s.keyringLinearizable)
}

func loadRing(ctx context.Context, from *mongo.Collection) (keys.RingDocument, error) {
	ctx, cancel := context.WithTimeout(ctx, linearizableWithin)
	defer cancel()
	d, err := read[ringDocument](ctx, from, "load key ring", ringID)
	if errors.Is(err, issuer.ErrNotFound) {
		return keys.RingDocument{}, nil
	}
	return keys.RingDocument{Version: d.Version, By: d.By, Body: d.Body}, err
}

// SaveRing implements keys.RingStore. The same write again finds its own version and sets what is there already.
func (s *Store) SaveRing(ctx context.Context, expected int64, next keys.RingDocument) (bool, error) {
	const what = "save key ring"
	if expected != 0 {
		return changed(ctx, s.keyring, what, ringID, bson.M{"$or": bson.A{
			bson.M{"version": expected},
			bson.M{"version": next.Version, "by": next.By},
		}}, bson.M{"$set": bson.M{"version": next.Version, "by": next.By, "body": next.Body}})
	}
	err := insert(ctx, s.keyring, what, ringDocument{ID: ringID, Version: next.Version, By: next.By, Body: next.Body})
	if !errors.Is(err, issuer.ErrExists) {
		return err == nil, err
	}
	there, err := read[ringDocument](ctx, s.keyring, what, ringID)
	if errors.Is(err, issuer.ErrNotFound) {
		return false, nil
	}
	return err == nil && there.Version == next.Version && there.By == next.By, err
}

// StaleReads implements keys.RingStore.
func (s *Store) StaleReads() time.Duration { return s.stale }

// effectDelay outlasts every pass that a deposed primary may have answered.
const effectDelay = 30 * time.Second

// EffectDelay implements issuer.Store.
func (s *Store) EffectDelay() time.Duration {
	if s.topology.replicated() {
		return effectDelay
	}
	return 0
}

// StoreTime implements keys.RingStore.
func (s *Store) StoreTime(ctx context.Context) (time.Time, error) {
	d, err := upsert[struct {
		At time.Time `bson:"at"`
	}](ctx, s.keyring, "ask the time", clockID, bson.M{"$currentDate": bson.M{"at": true}})
	return d.At, err
}

// PutHeartbeat implements keys.RingStore.
func (s *Store) PutHeartbeat(ctx context.Context, h keys.Heartbeat) error {
	_, err := upsert[onlyID](ctx, s.keyring, "put heartbeat", heartbeatPrefix+h.Replica, bson.M{"$set": bson.M{
		"at": h.At, "ring_version": h.RingVersion, "kek_ids": h.KEKIDs, "clock_offset_ns": int64(h.ClockOffset),
		"ttl_at": h.At.Add(keptLonger),
	}})
	return err
}

// Heartbeats implements keys.RingStore.
func (s *Store) Heartbeats(ctx context.Context) ([]keys.Heartbeat, error) {
	found, err := listAll[heartbeatDocument](ctx, s.keyring, "list heartbeats",
		bson.M{"_id": bson.M{"$gte": heartbeatPrefix, "$lt": heartbeatEnd}}, byID)
	return mapAll(found, heartbeatDocument.heartbeat), err
}

// DeleteHeartbeat implements keys.RingStore.
func (s *Store) DeleteHeartbeat(ctx context.Context, replica string) error {
	_, err := remove(ctx, s.keyring, "delete heartbeat", heartbeatPrefix+replica, bson.M{})
	return err
}
