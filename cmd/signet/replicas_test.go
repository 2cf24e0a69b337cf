//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"signet/keys"
	"signet/repository/mongodb/mongotest"
)

// Three replicas on one store, under refresh load, while keys rotate every few seconds, an operator gives commands at random, one replica is killed
// and started again, and one is paused and woken. What has to hold:
//
//   - every token ever issued verifies, with go-oidc and npm jose, until it expires or its key is revoked;
//   - no answer but 2xx, or 503 with Retry-After, save from the killed process;
//   - whatever was signed, was signed by a key that was the ring's signer within R before.
func TestThreeReplicas(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") != "1" {
		t.Skip("a long proof: SIGNET_TEST_LONG=1 runs it")
	}
	t.Run("SQLite", func(t *testing.T) {
		// A process that is paused may hold the write lock, which others wait for.
		replicasLive(t, 2*time.Second, nil)
	})
	t.Run("MongoDB", func(t *testing.T) {
		uri := mongotest.URI(t)
		kek := filepath.Join(t.TempDir(), "kek")
		if err := keys.CreateKEKFile(kek); err != nil {
			t.Fatal(err)
		}
		// Longer than R. A connection that sleeps for as long as a request's header may take is closed without an answer.
		replicasLive(t, headerTime-time.Second, []string{"SIGNET_MONGODB_URI=" + uri, "SIGNET_KEK_FILE=" + kek})
	})
}

// A lifecycle of seconds. I1 is 5s >= Q 625ms + A 1s + E 0s + P 150ms + 2S 500ms + V 2.725s; R is 600ms.
var fleetPolicy = []string{
	"SIGNET_KEY_POLL=150ms", "SIGNET_CLOCK_SKEW=250ms", "SIGNET_JWKS_MAX_AGE=1s", "SIGNET_KEY_PUBLISH_AHEAD=5s", "SIGNET_KEY_SIGNING_PERIOD=6s",
	"SIGNET_ACCESS_TTL=10s", "SIGNET_ID_TOKEN_TTL=10s", "SIGNET_REFRESH_GRACE=5m", // an answer that was cut off may be asked for again much later
}

const (
	fleetR     = 600 * time.Millisecond
	fleetAhead = 5 * time.Second
	fleetTTL   = 10 * time.Second
	fleetLoad  = 75 * time.Second

	// strictAge is how long jose keeps a set here: A + V, the most that the policy allows for, less half a second for a busy machine. jose's
	// cooldown is longer than that, so that an unknown kid never makes it ask again.
	strictAge = 3225 * time.Millisecond
)

func replicasLive(t *testing.T, pause time.Duration, environ []string) {
	f := newFleet(t, environ)
	ctx, cancel := context.WithTimeout(t.Context(), fleetLoad)
	defer cancel()
	ring := f.watchRing(ctx)
	check := f.startChecks()

	var working sync.WaitGroup
	for i := range f.apps {
		working.Go(func() { f.app(ctx, i, check) })
	}
	orders := &operator{fleet: f, ring: ring}
	working.Go(func() { orders.work(ctx) })
	f.disturb(ctx, orders, pause, check)
	working.Wait()
	check.finish()
	f.judge(ring, orders, check)
}

// disturb kills one replica and starts it again, and pauses another several times, with a rotation while it sleeps.
func (f *fleet) disturb(ctx context.Context, orders *operator, pause time.Duration, check *checks) {
	rest(ctx, 8*time.Second)
	f.kill(0)
	rest(ctx, 4*time.Second)
	f.begin(0)
	for ctx.Err() == nil && time.Until(deadlineOf(ctx)) > pause+3*fleetAhead {
		rest(ctx, time.Second)
		f.pauseOne(ctx, 1, pause, orders, check)
	}
}

func deadlineOf(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end
}

// pauseOne stops a replica, rotates its key, has requests wait for it, and wakes it when what it knows of the ring is older than R.
func (f *fleet) pauseOne(ctx context.Context, i int, length time.Duration, orders *operator, check *checks) {
	orders.turn.Lock() // no other command comes in between
	defer orders.turn.Unlock()
	if !orders.awaitKnown(ctx, keys.ES256) {
		return
	}
	m := f.member(i)
	if err := m.stopped(); err != nil {
		f.fault("pause: %v", err)
		return
	}
	end := time.Now().Add(length)
	var during sync.WaitGroup
	during.Go(func() { orders.give(ctx, "rotate --now", "rotate", "--now", "--alg", "ES256", "--yes") })
	for range 8 {
		during.Go(func() {
			time.Sleep(time.Until(end.Add(-length / 4)))
			f.refresh(m, &app{token: f.probe}, check)
		})
	}
	time.Sleep(time.Until(end))
	f.fault1(m.woken())
	during.Wait()
}

// judge looks at what was seen once everything has ended.
func (f *fleet) judge(ring *ringWatch, orders *operator, check *checks) {
	t := f.t
	t.Helper()
	tokens := check.tokens()
	witnesses := 0
	for _, token := range tokens {
		if yes, last := ring.signed(token.kid, token.notBefore.Add(-fleetR), token.received); !yes {
			f.fault("replica %d signed by %s at %s or later, and the ring had last named that at %s", token.replica, token.kid,
				token.notBefore.Format("15:04:05.000"), last.Format("15:04:05.000"))
		}
	}
	for _, p := range f.pauses() {
		if p.answers > 0 && ring.changed(keys.ES256, p.stopped, p.woken.Add(-fleetR)) {
			witnesses++
		}
	}
	rotations := ring.rotations()
	t.Logf("%d tokens, %d checks (%d came too late, %d failed for a revoked key); answers %v; rotations %v; commands %v; %d of %d pauses over a rotation",
		len(tokens), check.done.Load(), check.late.Load(), check.revoked.Load(), f.counts(), rotations, orders.outcomes(), witnesses, len(f.pauses()))
	for _, fault := range f.faults() {
		t.Error(fault)
	}
	if witnesses == 0 {
		t.Error("no pause was long enough over a rotation to show anything")
	}
	if len(tokens) < 500 || rotations[keys.ES256] < 5 || rotations[keys.RS256] < 5 || check.done.Load() < 20*check.late.Load() {
		t.Error("too little happened to show anything")
	}
	for _, o := range orders.never() {
		t.Errorf("command %s was never carried out", o)
	}
}
