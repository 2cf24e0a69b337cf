package keys

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// What the tests of this package share: a store in memory with faults, a world with a settable clock, RSA pairs made once.

var errStoreDown = errors.New("store is down")

// memoryStore is a RingStore whose clock a test sets, and that fails as a test asks.
type memoryStore struct {
	mu    sync.Mutex
	doc   RingDocument
	beats map[string]Heartbeat
	time  func() time.Time
	stale time.Duration
	loads int

	// fault is asked before each operation ("load", "save", "time", "beat"). See the verdicts.
	fault func(op string) verdict
	late  []lateSave // saves that were answered with an error and are still under way
	saved func(before, after RingDocument)
}

type verdict int

const (
	works      verdict = iota
	refused            // fails, nothing done
	unanswered         // done, and the answer is lost
	delayed            // fails now, and may be applied at any later time
)

type lateSave struct {
	expected int64
	doc      RingDocument
}

func newMemoryStore() *memoryStore {
	return &memoryStore{beats: map[string]Heartbeat{}, time: time.Now, fault: func(string) verdict { return works }}
}

func (m *memoryStore) LoadRing(context.Context) (RingDocument, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	if m.fault("load") != works {
		return RingDocument{}, errStoreDown
	}
	d := m.doc
	d.Body = bytes.Clone(d.Body)
	return d, nil
}

func (m *memoryStore) SaveRing(_ context.Context, expected int64, next RingDocument) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.fault("save") {
	case refused:
		return false, errStoreDown
	case delayed:
		m.late = append(m.late, lateSave{expected, next})
		return false, errStoreDown
	case unanswered:
		m.apply(expected, next)
		return false, errStoreDown
	}
	return m.apply(expected, next), nil
}

func (m *memoryStore) apply(expected int64, next RingDocument) bool {
	if m.doc.Version != expected {
		return m.doc.Version == next.Version && m.doc.By == next.By
	}
	before := m.doc
	m.doc = RingDocument{next.Version, next.By, bytes.Clone(next.Body)}
	if m.saved != nil {
		m.saved(before, m.doc)
	}
	return true
}

// applyLate lets the oldest delayed save arrive.
func (m *memoryStore) applyLate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.late) > 0 {
		s := m.late[0]
		m.late = m.late[1:]
		m.apply(s.expected, s.doc)
	}
}

func (m *memoryStore) StaleReads() time.Duration { return m.stale }

func (m *memoryStore) StoreTime(context.Context) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault("time") != works {
		return time.Time{}, errStoreDown
	}
	return m.time(), nil
}

func (m *memoryStore) PutHeartbeat(_ context.Context, h Heartbeat) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault("beat") != works {
		return errStoreDown
	}
	m.beats[h.Replica] = h
	return nil
}

func (m *memoryStore) Heartbeats(context.Context) ([]Heartbeat, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Heartbeat
	for _, h := range m.beats {
		all = append(all, h)
	}
	return all, nil
}

func (m *memoryStore) DeleteHeartbeat(_ context.Context, replica string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.beats, replica)
	return nil
}

// ring is what is stored now.
func (m *memoryStore) ring(t testing.TB) *Ring {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := decodeRing(m.doc)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// testPair is the nth pair of an algorithm. They are kept for the whole run: RSA takes long to make.
func testPair(t testing.TB, alg Algorithm, n int) crypto.Signer {
	t.Helper()
	pairs.mu.Lock()
	defer pairs.mu.Unlock()
	for len(pairs.of[alg]) <= n {
		pair, err := generate(alg, 2048)
		if err != nil {
			t.Fatal(err)
		}
		pairs.of[alg] = append(pairs.of[alg], pair)
	}
	return pairs.of[alg][n]
}

var pairs = struct {
	mu sync.Mutex
	of map[Algorithm][]crypto.Signer
}{of: map[Algorithm][]crypto.Signer{}}

// dealer gives out the kept pairs in turn.
func dealer(t testing.TB) func(Algorithm) (crypto.Signer, error) {
	var mu sync.Mutex
	next := map[Algorithm]int{}
	return func(a Algorithm) (crypto.Signer, error) {
		mu.Lock()
		defer mu.Unlock()
		next[a]++
		return testPair(t, a, next[a]-1), nil
	}
}

func testKEK(n byte) KEK {
	k, err := NewKEK(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		panic(err)
	}
	return k
}

func testSealer() *Sealer {
	s, err := NewSealer([]KEK{testKEK(1)})
	if err != nil {
		panic(err)
	}
	return s
}

// world is true time, the store's and each machine's clocks, all moved by the test.
type world struct {
	t     testing.TB
	now   time.Time
	store *memoryStore
	deal  func(Algorithm) (crypto.Signer, error)
	count int
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), store: newMemoryStore(), deal: dealer(t)}
	w.store.time = func() time.Time { return w.now }
	return w
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// replica makes one whose wall clock is off by skew; the monotonic clock is true.
func (w *world) replica(p Policy, skew time.Duration, algs ...Algorithm) *Replica {
	w.t.Helper()
	w.count++
	r, err := NewReplica(ReplicaConfig{ID: fmt.Sprint("replica", w.count), Store: w.store, Sealer: testSealer(), Policy: p, Algorithms: algs,
		Wall: func() time.Time { return w.now.Add(skew) }})
	if err != nil {
		w.t.Fatal(err)
	}
	r.pool.generate = w.deal
	return r
}

func (w *world) started(p Policy, algs ...Algorithm) *Replica {
	w.t.Helper()
	r := w.replica(p, 0, algs...)
	if err := r.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// live polls r every P for d.
func (w *world) live(d time.Duration, rs ...*Replica) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.pass(min(rs[0].policy.Poll, end.Sub(w.now)))
		for _, r := range rs {
			if err := r.Poll(context.Background()); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// startedReplica is one on the real clock.
func startedReplica(t testing.TB, store *memoryStore, algs ...Algorithm) *Replica {
	t.Helper()
	p := DefaultPolicy()
	p.Poll = 6 * time.Hour / 4 // no poll is to be needed while a benchmark runs
	p.PublishAhead = 60 * time.Hour
	r, err := NewReplica(ReplicaConfig{ID: "test", Store: store, Sealer: testSealer(), Policy: p, Algorithms: algs, Wall: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r.pool.generate = dealer(t)
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

func signed(t testing.TB, r *Replica, alg Algorithm) string {
	t.Helper()
	token, err := r.Sign(alg, "at+jwt", r.Now(), time.Minute, func(iat, exp int64) any {
		return map[string]any{"iss": "https://id.example", "aud": "https://api.example", "iat": iat, "exp": exp}
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// short is a policy of hours in seconds: legal, and quick to simulate.
func short() Policy {
	return Policy{PublishAhead: 40 * time.Second, SigningPeriod: 60 * time.Second, Poll: time.Second, Skew: 500 * time.Millisecond, JWKSMaxAge: 5 * time.Second,
		StaleIfError: 2 * time.Second, TokenTTL: 6 * time.Second, Leeway: 3 * time.Second, OutageAfter: 12 * time.Second, AttendEvery: 3 * time.Second}
}
