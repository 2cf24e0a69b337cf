package keys

import (
	"context"
	"time"
)

// RingStore keeps the ring, the store's clock and the replicas' heartbeats. Every method is one operation on one
// document, atomic, durable before it returns (majority and journaled, or fsynced). Safe for concurrent use.
// Any error means that the outcome is unknown.
type RingStore interface {
	// LoadRing returns the stored ring; the zero RingDocument when there is none. On a replica set it reads linearizably.
	LoadRing(ctx context.Context) (RingDocument, error)
	// SaveRing stores next if the stored version is still expected (0: there is none), and is also true when
	// the stored document already has next's Version and By: the same write arrived twice.
	SaveRing(ctx context.Context, expected int64, next RingDocument) (bool, error)
	// StaleReads is how much longer than it says a deposed primary may answer LoadRing with an old ring: 0 where reads are
	// linearizable or there is one server. It is added to the bounds R and Q.
	StaleReads() time.Duration
	// StoreTime asks the store's clock.
	StoreTime(ctx context.Context) (time.Time, error)
	// PutHeartbeat inserts or replaces the heartbeat of h.Replica.
	PutHeartbeat(ctx context.Context, h Heartbeat) error
	// Heartbeats lists them all; a replica is live while its At is recent.
	Heartbeats(ctx context.Context) ([]Heartbeat, error)
	// DeleteHeartbeat removes one; none is fine.
	DeleteHeartbeat(ctx context.Context, replica string) error
}

// RingDocument is the ring as stored: opaque to the store but for Version and By.
type RingDocument struct {
	Version int64  // from 1; 0 means that there is none
	By      string // attempt id of the write
	Body    []byte // JSON; private halves and secrets sealed
}

// Heartbeat says what a replica holds; for metrics, doctor and rewrap, never for deciding who signs.
type Heartbeat struct {
	Replica     string
	At          time.Time
	RingVersion int64
	KEKIDs      []string
	ClockOffset time.Duration // wall clock minus store clock
}
