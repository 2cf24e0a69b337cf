package sqlite

import (
	"context"
	"slices"
	"time"
)

// throttle is a budget or a counter.
type throttle struct {
	Log   []taken
	Count int64
	Until time.Time // nobody needs it afterwards
}

type taken struct {
	Att string
	At  time.Time
}

type throttleDoc struct {
	Log   []takenDoc `json:"log,omitempty"`
	Count int64      `json:"count,omitempty"`
	Until millis     `json:"until"`
}

type takenDoc struct {
	Att string `json:"att"`
	At  millis `json:"at"`
}

var throttles = newCollection("throttles", []string{"ttl_at"},
	func(t *throttle) []any { return []any{ttl(t.Until)} },
	func(t *throttle) throttleDoc {
		d := throttleDoc{Count: t.Count, Until: stamp(t.Until)}
		for _, e := range t.Log {
			d.Log = append(d.Log, takenDoc{e.Att, stamp(e.At)})
		}
		return d
	},
	func(_ string, d *throttleDoc) throttle {
		t := throttle{Count: d.Count, Until: d.Until.time()}
		for _, e := range d.Log {
			t.Log = append(t.Log, taken{e.Att, e.At.time()})
		}
		return t
	})

// TakeBudget implements issuer.Throttles.
func (s *Store) TakeBudget(ctx context.Context, key, att string, limit int, window time.Duration, now time.Time) (bool, time.Time, error) {
	now = cut(now)
	t, taking, err := throttles.upsert(ctx, s, key, func(t *throttle) bool {
		full := len(t.Log) >= limit && (limit <= 0 || t.Log[0].At.After(now.Add(-window)))
		if full || t.took(att) {
			return false
		}
		t.Log = last(append(t.Log, taken{att, now}), limit)
		t.Until = now.Add(window)
		return true
	})
	if err != nil || taking || t.took(att) {
		return err == nil, time.Time{}, err
	}
	if len(t.Log) == 0 {
		return false, now.Add(window), nil // a limit of none
	}
	return false, t.Log[0].At.Add(window), nil
}

func (t *throttle) took(att string) bool {
	return slices.ContainsFunc(t.Log, func(e taken) bool { return e.Att == att })
}

// GiveBack implements issuer.Throttles.
func (s *Store) GiveBack(ctx context.Context, key, att string) error {
	_, _, err := throttles.update(ctx, s, key, func(t *throttle) bool {
		before := len(t.Log)
		t.Log = slices.DeleteFunc(t.Log, func(e taken) bool { return e.Att == att })
		return len(t.Log) < before
	})
	return err
}

// CountSource implements issuer.Throttles.
func (s *Store) CountSource(ctx context.Context, key string, expires time.Time) (int64, error) {
	t, _, err := throttles.upsert(ctx, s, key, func(t *throttle) bool {
		t.Count, t.Until = t.Count+1, expires
		return true
	})
	return t.Count, err
}
