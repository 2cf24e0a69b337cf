package sqlite

import (
	"context"
	"errors"
	"time"

	"signet/issuer"
	"signet/keys"
)

const ringID = "ring"

type ringDoc struct {
	Version int64  `json:"version"`
	By      string `json:"by"`
	Body    []byte `json:"body,omitempty"`
}

var ring = newCollection("keyring", nil,
	func(*keys.RingDocument) []any { return nil },
	func(r *keys.RingDocument) ringDoc { return ringDoc(*r) },
	func(_ string, d *ringDoc) keys.RingDocument { return keys.RingDocument(*d) })

// LoadRing implements keys.RingStore.
func (s *Store) LoadRing(ctx context.Context) (keys.RingDocument, error) {
	r, err := ring.read(ctx, s, ringID)
	if errors.Is(err, issuer.ErrNotFound) {
		return keys.RingDocument{}, nil
	}
	return r, err
}

// SaveRing implements keys.RingStore.
func (s *Store) SaveRing(ctx context.Context, expected int64, next keys.RingDocument) (bool, error) {
	_, saved, err := ring.upsert(ctx, s, ringID, func(r *keys.RingDocument) bool {
		if r.Version == next.Version && r.By == next.By {
			return true
		}
		if r.Version != expected {
			return false
		}
		*r = next
		return true
	})
	return saved, err
}

type heartbeatDoc struct {
	At          millis   `json:"at,omitempty"`
	RingVersion int64    `json:"ring_version,omitempty"`
	KEKIDs      []string `json:"kek_ids,omitempty"`
	ClockOffset int64    `json:"clock_offset_ns,omitempty"`
}

var heartbeats = newCollection("heartbeats", []string{"ttl_at"},
	func(h *keys.Heartbeat) []any { return []any{ttl(h.At)} },
	func(h *keys.Heartbeat) heartbeatDoc {
		return heartbeatDoc{stamp(h.At), h.RingVersion, h.KEKIDs, int64(h.ClockOffset)}
	},
	func(id string, d *heartbeatDoc) keys.Heartbeat {
		return keys.Heartbeat{Replica: id, At: d.At.time(), RingVersion: d.RingVersion, KEKIDs: d.KEKIDs, ClockOffset: time.Duration(d.ClockOffset)}
	})

// PutHeartbeat implements keys.RingStore.
func (s *Store) PutHeartbeat(ctx context.Context, h keys.Heartbeat) error {
	_, _, err := heartbeats.upsert(ctx, s, h.Replica, func(now *keys.Heartbeat) bool {
		*now = h
		return true
	})
	return err
}

// Heartbeats implements keys.RingStore.
func (s *Store) Heartbeats(ctx context.Context) ([]keys.Heartbeat, error) {
	return heartbeats.list(ctx, s, `SELECT id, doc FROM heartbeats ORDER BY id`)
}

// DeleteHeartbeat implements keys.RingStore.
func (s *Store) DeleteHeartbeat(ctx context.Context, replica string) error {
	_, err := heartbeats.remove(ctx, s, replica, func(*keys.Heartbeat) bool { return true })
	return err
}
