package issuer

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// A Hasher bounds what password hashing may take from everybody else: so many hashes at once (each holds its memory and a
// core), so many callers waiting, and beyond that a 503 with Retry-After. A login storm neither exhausts memory nor starves refresh.
// Safe for concurrent use.
type Hasher struct {
	cost    hashCost
	slots   chan struct{}
	queue   int64
	waiting atomic.Int64
	hashes  atomic.Int64
}

// HasherConfig is the cost of a new hash and the bounds. Zero values take the defaults: 19 MiB, 2 passes, 1 thread, 1 slot, a
// queue of 32.
type HasherConfig struct {
	MemoryKiB, Time, Threads uint32
	Slots, Queue             int
}

// NewHasher returns a Hasher, or an error naming the parameter that is out of bounds.
func NewHasher(c HasherConfig) (*Hasher, error) {
	cost := hashCost{memoryKiB: orElse(c.MemoryKiB, 19*1024), time: orElse(c.Time, 2), threads: uint8(min(orElse(c.Threads, 1), 255))}
	if !cost.sane() {
		return nil, errors.New("argon2id takes 8 KiB a thread to 256 MiB of memory, 1 to 64 passes and 1 to 16 threads")
	}
	return &Hasher{cost: cost, slots: make(chan struct{}, orElse(c.Slots, 1)), queue: int64(orElse(c.Queue, 32))}, nil
}

func orElse[T int | uint32](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Stats are for metrics: slots in use, callers waiting, hashes computed since the start.
func (h *Hasher) Stats() (busy, waiting, hashes int64) {
	return int64(len(h.slots)), h.waiting.Load(), h.hashes.Load()
}

// Hash makes a new hash of a password.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	var out string
	err := h.inSlot(ctx, func() { out = newArgon2id(normalPassword(password), h.cost) })
	return out, err
}

// Verify says whether the password belongs to the stored hash. An empty or unusable stored hash costs the same as
// any other and never matches.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (bool, error) {
	parsed, err := parseArgon2id(stored)
	if err != nil {
		return false, h.inSlot(ctx, func() { newArgon2id(password, h.cost) })
	}
	var match bool
	err = h.inSlot(ctx, func() { match = parsed.matches(normalPassword(password)) })
	return match, err
}

// Outdated says whether a hash was made at another cost than new ones are.
func (h *Hasher) Outdated(stored string) bool {
	parsed, err := parseArgon2id(stored)
	return err != nil || parsed.cost != h.cost || len(parsed.sum) != hashBytes
}

// inSlot runs f when a slot is free, after a short wait at most.
func (h *Hasher) inSlot(ctx context.Context, f func()) error {
	select {
	case h.slots <- struct{}{}:
	default:
		if h.waiting.Add(1) > h.queue {
			h.waiting.Add(-1)
			return &Error{Kind: KindUnavailable, Detail: "Too many sign-ins at once.", RetryAfter: 2 * time.Second, Cause: errors.New("password hash queue is full")}
		}
		defer h.waiting.Add(-1)
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
	defer func() { <-h.slots }()
	f()
	h.collect(h.hashes.Add(1))
	return nil
}

// collectFrom is the memory of a hash, in KiB, from which on its garbage is not left to a collector that knows nothing of it.
const collectFrom = 1024

// collect frees what the last hashes used, once for as many as there are slots. One hash is several times the heap of everything
// else: a collection that runs in the midst of one takes it for what the process needs, and lets garbage grow in proportion.
func (h *Hasher) collect(hashes int64) {
	if h.cost.memoryKiB >= collectFrom && hashes%int64(cap(h.slots)) == 0 {
		runtime.GC()
	}
}
