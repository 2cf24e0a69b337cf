package keys

import (
	"context"
	"testing"
	"time"
)

// fullRing is a ring of as many keys as are ever published by command, half of them of each algorithm: one signs, one stands by, the others are retired.
func fullRing(b *testing.B, sealer *Sealer) *Ring {
	b.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	r := &Ring{Version: 1, By: "test", AttendedAt: now, ResumedAt: now, Ahead: Lease{2 * day, now}, TTL: Lease{time.Hour, now}}
	for n := range maxPublished / 2 {
		for _, alg := range []Algorithm{ES256, RS256} {
			k, err := newKey(alg, testPair(b, alg, n), sealer)
			if err != nil {
				b.Fatal(err)
			}
			k.State, k.PublishedAt, k.WindowAt, k.TTL = Retired, now, now, time.Hour
			switch n {
			case 0:
				k.State = Signing
			case 1:
				k.State = Published
			}
			r.Keys = append(r.Keys, k)
		}
	}
	for _, p := range []MACPurpose{MACRefresh, MACCode, MACDevice} {
		s, err := newSecret(p, sealer)
		if err != nil {
			b.Fatal(err)
		}
		r.Secrets = append(r.Secrets, s)
	}
	return r
}

// BenchmarkRingLoad takes a stored ring of 48 keys into use, as a replica does that starts: decode it, check every public half, open the private
// halves that may sign and make a test signature with each, and make the JWKS.
func BenchmarkRingLoad(b *testing.B) {
	store, sealer := newMemoryStore(), testSealer()
	ring := fullRing(b, sealer)
	doc, err := ring.encode()
	if err != nil {
		b.Fatal(err)
	}
	store.doc = doc
	p := DefaultPolicy()
	r, err := NewReplica(ReplicaConfig{ID: "bench", Store: store, Sealer: sealer, Policy: p, Algorithms: []Algorithm{ES256, RS256}, Wall: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		r.view.Store(nil)
		stored, err := r.load(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.adopt(ctx, stored, r.clock.instant(), EventRingAdopted, nil); err != nil {
			b.Fatal(err)
		}
	}
	v := r.view.Load()
	if v.problem != nil || len(v.ring.Keys) != maxPublished || len(v.signers) != 2 {
		b.Fatalf("not what a replica uses: %v, %d keys, %d signers", v.problem, len(v.ring.Keys), len(v.signers))
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/load")
	b.ReportMetric(float64(len(v.set.Body)), "jwks-bytes")
}
