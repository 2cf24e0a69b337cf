package issuer

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Hasher bounds what password hashing may take from everybody else: so many hashes at once (each holds its memory and a
// core), so many callers waiting, and beyond that a 503 with Retry-After. A login storm neither exhausts memory nor starves refresh.
// A slot is the memory and the threads of one new hash; one that takes more takes more slots. Safe for concurrent use.
type Hasher struct {
	cost    hashCost
	slots   chan struct{}
	gate    chan struct{} // held by who gathers several slots, so that two do not wait for each other's
	queue   int64
	waiting atomic.Int64
	hashes  atomic.Int64
	garbage atomic.Int64 // KiB that hashes have left since the last collection
	kinds   atomic.Pointer[hashKinds]
	mu      sync.Mutex
	work    map[string]uint64 // units by family
}

// HasherConfig is the cost of a new hash and the bounds. Zero values take the defaults: 19 MiB, 2 passes, 1 thread, 1 slot, a
// queue of 32.
type HasherConfig struct {
	MemoryKiB, Time, Threads uint32
	Slots, Queue             int
}

// NewHasher returns a Hasher that knows of no hashes but its own kind (see SetKinds), or an error naming the parameter that is out of bounds.
func NewHasher(c HasherConfig) (*Hasher, error) {
	cost := hashCost{memoryKiB: orElse(c.MemoryKiB, 19*1024), time: orElse(c.Time, 2), threads: uint8(min(orElse(c.Threads, 1), 255))}
	if !cost.sane() {
		return nil, errors.New("argon2id takes 8 KiB a thread to 256 MiB of memory, 1 to 64 passes and 1 to 16 threads")
	}
	h := &Hasher{cost: cost, slots: make(chan struct{}, orElse(c.Slots, 1)), gate: make(chan struct{}, 1), queue: int64(orElse(c.Queue, 32)), work: map[string]uint64{}}
	h.SetKinds(nil)
	return h, nil
}

func orElse[T int | uint32](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Stats are for metrics: slots in use, callers waiting, passwords hashed or verified since the start.
func (h *Hasher) Stats() (busy, waiting, hashes int64) {
	return int64(len(h.slots)), h.waiting.Load(), h.hashes.Load()
}

// Hash makes a new hash of a password.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	var out string
	err := h.inSlots(ctx, 1, func() {
		h.spend(h.own(), 1, func() { out = newArgon2id(normalPassword(password), h.cost) })
	})
	return out, err
}

// own is the recipe of new hashes.
func (h *Hasher) own() recipe { return recipe{algorithm: ownArgon2id, argon2: h.cost} }

// Outdated says whether a hash was made at another cost than new ones are, or in another way.
func (h *Hasher) Outdated(stored string) bool {
	parsed, err := parseHash(stored)
	return err != nil || parsed.recipe != h.own() || len(parsed.sum) != hashBytes
}

// inSlots runs f when n slots are free, after a short wait at most.
func (h *Hasher) inSlots(ctx context.Context, n int, f func()) error {
	if !h.takeNow(n) {
		if h.waiting.Add(1) > h.queue {
			h.waiting.Add(-1)
			return &Error{Kind: KindUnavailable, Detail: "Too many sign-ins at once.", RetryAfter: 2 * time.Second, Cause: errors.New("password hash queue is full")}
		}
		err := h.take(ctx, n)
		h.waiting.Add(-1)
		if err != nil {
			return unavailable(err)
		}
	}
	defer h.free(n)
	f()
	h.hashes.Add(1)
	return nil
}

// takeNow takes n slots if they are free.
func (h *Hasher) takeNow(n int) bool {
	for got := range n {
		select {
		case h.slots <- struct{}{}:
		default:
			h.free(got)
			return false
		}
	}
	return true
}

// take waits for its turn and then for n slots.
func (h *Hasher) take(ctx context.Context, n int) error {
	select {
	case h.gate <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.gate }()
	for got := range n {
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			h.free(got)
			return ctx.Err()
		}
	}
	return nil
}

func (h *Hasher) free(n int) {
	for range n {
		<-h.slots
	}
}

// spend counts units of a family and computes them.
func (h *Hasher) spend(family recipe, units uint64, compute func()) {
	h.mu.Lock()
	h.work[family.name()] += units
	h.mu.Unlock()
	compute()
	h.collect(family.memoryKiB())
}

// Work is what was computed since the start, by family of hash kinds: rounds of PBKDF2 and bcrypt; hashes of argon2 and scrypt, by kind. A
// computation is counted where it is made, so that two calls that count the same have done the same.
func (h *Hasher) Work() map[string]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.work)
}

// collectFrom is the memory of a hash, in KiB, from which on its garbage is not left to a collector that knows nothing of it.
const collectFrom = 1024

// collect frees what the last hashes used, once for as much as the slots hold. One hash is several times the heap of everything
// else: a collection that runs in the midst of one takes it for what the process needs, and lets garbage grow in proportion.
func (h *Hasher) collect(kib uint32) {
	if kib < collectFrom {
		return
	}
	most := int64(cap(h.slots)) * int64(h.cost.memoryKiB)
	if left := h.garbage.Add(int64(kib)); left >= most && h.garbage.CompareAndSwap(left, 0) {
		runtime.GC()
	}
}
