package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// The storm of sign-ins: as many callers as there are slots and places in the queue, each of which tries again at once, and a few more,
// who are refused.
const (
	stormQueue   = 32 // SIGNET_HASH_QUEUE's default
	stormRefused = 4
	refusedPause = 25 * time.Millisecond // a refused client that does not heed Retry-After, but is no flood either
)

// openRate is how many refreshes a second arrive during a storm, whatever becomes of those before.
const openRate = 50

// storm signs in with a wrong password on every connection until it is ended, which returns how many were hashed and how many refused.
func storm(tb tester, s *subject, slots int) (end func() (hashed, refused int64)) {
	tb.Helper()
	body := fmt.Sprintf(`{"email":"%s","password":"%s"}`, "refresher0@example.org", "wrong-otter-plays-cello")
	all := lean.connect(tb, s.addr, "/api/v1/login", len(body), slots+stormQueue+stormRefused)
	var (
		ended           atomic.Bool
		hashed, refused atomic.Int64
		wait            sync.WaitGroup
		mu              sync.Mutex
		fail            error
	)
	for _, send := range all {
		wait.Go(func() {
			for !ended.Load() {
				status, answer, err := send(body)
				switch {
				case err == nil && status == http.StatusUnauthorized:
					hashed.Add(1)
				case err == nil && status == http.StatusServiceUnavailable:
					refused.Add(1)
					time.Sleep(refusedPause)
				default:
					mu.Lock()
					fail = fmt.Errorf("status %d: %s: %w", status, answer, errors.Join(err))
					mu.Unlock()
					return
				}
			}
		})
	}
	return func() (int64, int64) {
		ended.Store(true)
		wait.Wait()
		if fail != nil {
			tb.Fatal("in the storm:", fail)
		}
		return hashed.Load(), refused.Load()
	}
}

// stormResult is refresh latency with and without a storm in the same run.
type stormResult struct {
	calm, stormy    measured
	hashed, refused int64
}

// underStorm refreshes at 50/s for d in the calm, then for d in a storm.
func underStorm(tb tester, s *subject, callers []*refresher, slots int, d time.Duration) stormResult {
	tb.Helper()
	load := func() measured {
		m, err := openLoop(len(callers), openRate, d, func(i int) error { return callers[i].refresh() })
		if err != nil {
			tb.Fatal(err)
		}
		return m
	}
	var r stormResult
	r.calm = load()
	end := storm(tb, s, slots)
	time.Sleep(500 * time.Millisecond) // the queue fills
	r.stormy = load()
	r.hashed, r.refused = end()
	return r
}

// BenchmarkRefreshInHashStorm: refresh at 50/s while every hash slot is busy and the queue is full. It takes b.N/50 seconds, twice.
func BenchmarkRefreshInHashStorm(b *testing.B) {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	s := here.signet(b, b.TempDir(), unlimited...)
	callers := refreshers(b, s, lean, 16)
	b.ResetTimer()
	r := underStorm(b, s, callers, slots, time.Duration(max(b.N, openRate))*time.Second/openRate)
	b.ReportMetric(milliseconds(r.calm.quantile(0.99)), "calm-p99-ms")
	b.ReportMetric(milliseconds(r.stormy.quantile(0.99)), "storm-p99-ms")
	b.ReportMetric(float64(r.hashed), "hashed")
	b.ReportMetric(float64(r.refused), "refused")
	s.end()
}

// rawArgon2 is how many hashes of the default cost the cores make when they do nothing else.
func rawArgon2(tb tester, d time.Duration) float64 {
	tb.Helper()
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	m, err := closedLoop(runtime.GOMAXPROCS(0), forTime(d), func(int) error {
		argon2.IDKey([]byte(benchPassword), salt, 2, 19*1024, 1, 32)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m.rate
}

// loginRig signs in with right passwords over one connection for each core and one that waits, so that no slot is ever free.
type loginRig struct {
	signet *subject
	send   []sender
	bodies []string
}

func newLoginRig(tb tester, p place) *loginRig {
	tb.Helper()
	cores := runtime.GOMAXPROCS(0)
	r := &loginRig{signet: p.signet(tb, tb.TempDir(), slices.Concat(unlimited, []string{"SIGNET_HASH_SLOTS=" + strconv.Itoa(cores)})...)}
	callers := 2 * cores
	signIn(tb, r.signet.url, "login", callers)
	for i := range callers {
		r.bodies = append(r.bodies, fmt.Sprintf(`{"email":"login%d@example.org","password":"%s"}`, i, benchPassword))
	}
	r.send = lean.connect(tb, r.signet.addr, "/api/v1/login", len(r.bodies[0]), callers)
	return r
}

// login is the rate of right passwords: each is answered with a challenge, whose code is mailed.
func (r *loginRig) login(tb tester, d time.Duration) float64 {
	tb.Helper()
	m, err := closedLoop(len(r.send), forTime(d), func(i int) error {
		status, answer, err := r.send[i](r.bodies[i])
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", status, answer)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m.rate
}

// BenchmarkLogin compares sign-ins a second, with all cores as slots, with argon2id alone, in turns of a second.
func BenchmarkLogin(b *testing.B) {
	r := newLoginRig(b, here)
	var ratio, rate spread
	for b.Loop() {
		ours := r.login(b, time.Second)
		ratio, rate = append(ratio, ours/rawArgon2(b, time.Second)), append(rate, ours)
	}
	b.ReportMetric(rate.median(), "login/s")
	b.ReportMetric(ratio.median(), "x-raw-argon2id")
	r.signet.end()
}
