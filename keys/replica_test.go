package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// kinds collects a replica's events.
func kinds(r *Replica) *[]EventKind {
	var list []EventKind
	r.events = func(e Event) { list = append(list, e.Kind) }
	return &list
}

func poll(t *testing.T, r *Replica) {
	t.Helper()
	if err := r.Poll(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestSignsWithinRAndPublishesWithinQ(t *testing.T) {
	w := newWorld(t)
	p := short()
	p.JWKSMaxAge, p.StaleIfError, p.PublishAhead, p.SigningPeriod = time.Second, time.Second, 80*time.Second, 90*time.Second
	r := w.started(p, ES256)
	if p.R() != 4*time.Second || p.Q() != 10*time.Second {
		t.Fatalf("R %s, Q %s", p.R(), p.Q())
	}
	signs := func() bool {
		_, err := r.Sign(ES256, "x", r.Now(), time.Second, func(int64, int64) any { return nil })
		if err != nil && !errors.Is(err, ErrStale) {
			t.Fatal(err)
		}
		_, merr := r.MACSecret(MACRefresh)
		if (err == nil) != (merr == nil) || (err == nil) != (r.Ready() == nil) {
			t.Errorf("sign %v, MAC %v, ready %v", err, merr, r.Ready())
		}
		return err == nil
	}
	publishes := func() bool {
		_, err := r.JWKS()
		if _, verr := r.Verify("x"); errors.Is(verr, ErrStale) != (err != nil) {
			t.Errorf("JWKS %v, verify %v", err, verr)
		}
		return err == nil
	}
	for _, c := range []struct {
		age              time.Duration
		signs, publishes bool
	}{{0, true, true}, {4 * time.Second, true, true}, {4*time.Second + 1, false, true}, {10 * time.Second, false, true}, {10*time.Second + 1, false, false}} {
		start := w.now
		w.pass(c.age)
		if signs() != c.signs || publishes() != c.publishes {
			t.Errorf("at age %s: signs %v, publishes %v", c.age, signs(), publishes())
		}
		w.now = start
	}
	w.store.fault = func(string) verdict { return refused }
	w.pass(5 * time.Second)
	if r.Poll(context.Background()) == nil || signs() {
		t.Error("a poll that failed confirms the ring")
	}
	w.store.fault = func(string) verdict { return works }
	poll(t, r)
	if !signs() {
		t.Error("a poll that works does not")
	}
}

func TestAgeIsTheLargerOfBothClocks(t *testing.T) {
	w := newWorld(t)
	wall, mono := w.now, time.Duration(0)
	r, err := NewReplica(ReplicaConfig{ID: "r", Store: w.store, Sealer: testSealer(), Policy: short(), Algorithms: []Algorithm{ES256},
		Wall: func() time.Time { return wall }, Monotonic: func() time.Duration { return mono }})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := r.Now()
	wall = wall.Add(time.Hour) // the machine slept, or somebody set its clock
	if _, err := r.usable(r.policy.R()); !errors.Is(err, ErrStale) {
		t.Error("signs by a ring of an hour ago")
	}
	if !r.Now().Equal(before) {
		t.Error("a jump of the wall clock moves the time")
	}
	wall = wall.Add(-2 * time.Hour)
	mono = 5 * time.Second
	if _, err := r.usable(r.policy.R()); !errors.Is(err, ErrStale) {
		t.Error("a wall clock put back makes the ring young")
	}
	if got := r.Now().Sub(before); got != 5*time.Second {
		t.Errorf("time went on by %s", got)
	}
}

func TestStoreTimeIsCorrectedByHalfTheRoundTrip(t *testing.T) {
	w := newWorld(t)
	c := newClock(func() time.Time { return w.now }, nil, time.Second)
	w.store.time = func() time.Time { // a second there, a second back
		w.pass(time.Second)
		at := w.now.Add(10 * time.Second)
		w.pass(time.Second)
		return at
	}
	if err := c.sync(context.Background(), w.store); err != nil {
		t.Fatal(err)
	}
	if off := c.now().Sub(w.now); off != 10*time.Second || c.offset() != -10*time.Second {
		t.Errorf("now is off by %s, offset %s", off, c.offset())
	}
	c.skew = 999 * time.Millisecond
	if err := c.sync(context.Background(), w.store); err != nil || c.offset() != -10*time.Second {
		t.Errorf("too slow an answer replaces a sample: %v", err)
	}
	c.last.Store(nil)
	if err := c.sync(context.Background(), w.store); err == nil {
		t.Error("too slow an answer tells the time")
	}
}

func TestWrongClockIsNotReadyAndWritesNothing(t *testing.T) {
	w := newWorld(t)
	good := w.started(short(), ES256)
	bad := w.replica(short(), 2*time.Second, ES256)
	seen := kinds(bad)
	if err := bad.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := bad.Ready(); err == nil || !strings.Contains(err.Error(), "clock differs") {
		t.Errorf("ready: %v", err)
	}
	signed(t, bad, ES256) // what it holds is right
	w.pass(61 * time.Second)
	version := w.store.doc.Version
	poll(t, bad)
	if w.store.doc.Version != version {
		t.Error("it wrote a ring")
	}
	poll(t, good)
	if w.store.doc.Version == version {
		t.Error("nothing was due: the test shows nothing")
	}
	if n := len(*seen); n < 2 || !slices.Contains(*seen, EventClockWrong) {
		t.Errorf("events %v", *seen)
	}
	if b := w.store.beats["replica2"]; b.ClockOffset != 2*time.Second {
		t.Errorf("heartbeat %+v", b)
	}
	empty := newWorld(t)
	if err := empty.replica(short(), time.Hour, ES256).Start(context.Background()); err == nil || empty.store.doc.Version != 0 {
		t.Errorf("a wrong clock makes the first ring: %v", err)
	}
}

func TestExpIsBoundByOwnAndRingsTokenLife(t *testing.T) {
	w := newWorld(t)
	long := short()
	long.TokenTTL = 9 * time.Second
	a := w.started(short(), ES256)
	life := func(r *Replica, ttl time.Duration) (seconds int64) {
		t.Helper()
		if _, err := r.Sign(ES256, "x", r.Now(), ttl, func(iat, exp int64) any { seconds = exp - iat; return iat }); err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	if got := life(a, 2500*time.Millisecond); got != 2 {
		t.Errorf("asked for 2.5s, got %d", got)
	}
	if got := life(a, time.Hour); got != 6 {
		t.Errorf("asked for an hour, got %d", got)
	}
	b := w.started(long, ES256)
	if got := life(b, time.Hour); got != 9 {
		t.Errorf("with the ring raised to 9s got %d", got)
	}
	b.view.Load().signers[ES256].ttl = 3 * time.Second // a key that was never allowed more
	if got := life(b, time.Hour); got != 3 {
		t.Errorf("under a key of 3s got %d", got)
	}
	a.policy.TokenTTL = time.Hour // an older ring under a new setting
	if _, err := a.usable(time.Minute); !errors.Is(err, ErrStale) {
		t.Error("signs though the ring does not carry its token life")
	}
	a.policy.TokenTTL = 6 * time.Second
	a.policy.PublishAhead = time.Hour
	if _, err := a.JWKS(); !errors.Is(err, ErrStale) {
		t.Error("publishes though the ring does not carry its publish-ahead")
	}
}

func TestStartMakesOneRingHoweverManyStart(t *testing.T) {
	w := newWorld(t)
	rs := []*Replica{w.replica(short(), 0, ES256, RS256), w.replica(short(), 0, ES256, RS256), w.replica(short(), 0, ES256, RS256)}
	errs := make(chan error)
	for _, r := range rs {
		go func() { errs <- r.Start(context.Background()) }()
	}
	for range rs {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if v := w.store.doc.Version; v != 1 {
		t.Errorf("version %d", v)
	}
	token := signed(t, rs[0], RS256)
	for _, r := range rs {
		if _, err := r.Verify(token); err != nil {
			t.Error(err)
		}
	}
	if len(w.store.beats) != 3 || w.store.beats["replica1"].RingVersion != 1 {
		t.Errorf("heartbeats %+v", w.store.beats)
	}
}

func TestLostAnswerIsSettledByLoading(t *testing.T) {
	for _, v := range []verdict{unanswered, refused, delayed} {
		w := newWorld(t)
		r := w.replica(short(), 0, ES256)
		once := v
		w.store.fault = func(op string) verdict {
			if op != "save" {
				return works
			}
			defer func() { once = works }()
			return once
		}
		seen := kinds(r)
		if err := r.Start(context.Background()); err != nil {
			t.Errorf("%d: %v", v, err)
		}
		w.store.applyLate()
		if w.store.doc.Version != 1 || len(w.store.ring(t).Keys) != 2 || !slices.Contains(*seen, EventSaveLost) {
			t.Errorf("%d: version %d, %d keys, %v", v, w.store.doc.Version, len(w.store.ring(t).Keys), *seen)
		}
		signed(t, r, ES256)
	}
}

func TestStartTellsThatTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	w.store.fault = func(string) verdict { return refused }
	if err := w.replica(short(), 0, ES256).Start(context.Background()); !errors.Is(err, errStoreDown) {
		t.Errorf("%v", err)
	}
	w.store.fault = func(op string) verdict { return map[bool]verdict{true: refused}[op == "save"] }
	if err := w.replica(short(), 0, ES256).Start(context.Background()); !errors.Is(err, errStoreDown) {
		t.Errorf("%v", err)
	}
}

func TestKeysThatTakeLongDoNotHoldUpAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		p := short()
		slow := 30 * time.Second
		r, err := NewReplica(ReplicaConfig{ID: "r", Store: store, Sealer: testSealer(), Policy: p, Algorithms: []Algorithm{ES256}, Wall: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		r.pool.generate = func(a Algorithm) (crypto.Signer, error) {
			time.Sleep(slow)
			return generate(a, 2048)
		}
		began := time.Now()
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != slow {
			t.Errorf("first start took %s: the keys were not made side by side", took)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { r.Run(ctx); close(done) }()
		first := store.ring(t).SigningKey(ES256).ID
		for range 95 {
			time.Sleep(time.Second)
			if err := r.Ready(); err != nil {
				t.Fatalf("%s after the start: %v", time.Since(began), err)
			}
		}
		if store.ring(t).SigningKey(ES256).ID == first {
			t.Error("not rotated when the keys were there")
		}
		stop()
		<-done
		if len(store.beats) != 0 {
			t.Error("the heartbeat stays after a clean stop")
		}
	})
}

func TestKeyGenerationThatFailsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.replica(short(), 0, ES256)
		var entropy atomic.Bool
		r.pool.generate = func(a Algorithm) (crypto.Signer, error) {
			if !entropy.Load() {
				return nil, errors.New("no entropy")
			}
			return w.deal(a)
		}
		if err := r.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "make ES256 key: no entropy") {
			t.Errorf("%v", err)
		}
		synctest.Wait() // until the last of them has failed
		entropy.Store(true)
		if err := r.Start(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestAgeCountsFromWhenTheReadBegan(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	slow := func(op string) func(string) verdict {
		return func(now string) verdict {
			if now == op {
				w.pass(3 * time.Second)
			}
			return works
		}
	}
	w.store.fault = slow("load")
	poll(t, r)
	if age := r.Status().Age; age != 3*time.Second {
		t.Errorf("after a load that took 3s the ring is %s old", age)
	}
	w.pass(61 * time.Second)
	w.store.fault = slow("save")
	version := w.store.doc.Version
	poll(t, r)
	if age := r.Status().Age; age != 3*time.Second || w.store.doc.Version != version+1 {
		t.Errorf("after a save that took 3s the ring is %s old", age)
	}
}

func TestKEKFileIsReadAgain(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "kek")
	writeKEKs(t, path, kekLine(1))
	a := w.started(short(), ES256)
	b := w.replica(short(), 0, ES256)
	b.keks.path = path
	seen := kinds(b)
	if err := b.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	writeKEKs(t, path, "SECRET!")
	poll(t, b)
	poll(t, b)
	refusals := 0
	for _, k := range *seen {
		if k == EventKEKFileRefused {
			refusals++
		}
	}
	if refusals != 1 || b.Ready() != nil || b.sealer.KEKIDs()[0] != testKEK(1).ID() {
		t.Errorf("an unparsable file: told %d times, ready %v", refusals, b.Ready())
	}
	writeKEKs(t, path, kekLine(2)+"\n"+kekLine(1))
	poll(t, b)
	if ids := w.store.beats[b.id].KEKIDs; len(ids) != 2 || ids[0] != testKEK(2).ID() {
		t.Errorf("heartbeat's KEKs %v", ids)
	}
	// What b seals now, a can't open: it says so, carries it through and goes on.
	w.live(61*time.Second, b)
	first := a.view.Load().ring.SigningKey(ES256).ID
	aSeen := kinds(a)
	poll(t, a)
	if err := a.Ready(); !errors.Is(err, ErrUnknownKEK) {
		t.Errorf("a is ready: %v", err)
	}
	if !slices.Contains(*aSeen, EventKeyUnusable) {
		t.Errorf("a tells nobody: %v", *aSeen)
	}
	if a.view.Load().ring.SigningKey(ES256).ID == first {
		t.Fatal("nothing was rotated: the test shows nothing")
	}
	signed(t, a, ES256)
	version := w.store.doc.Version
	w.live(10*time.Second, a)
	sealed := w.store.ring(t).Standby(ES256).Private
	if w.store.doc.Version == version || sealed.KEKID != testKEK(2).ID() {
		t.Error("a did not carry through what it can't open")
	}
	// With the file in place an unknown KEK has it read at once.
	a.keks.path = path
	if _, err := a.Open(must(b.Seal([]byte("x"), "m")), "m"); err != nil {
		t.Errorf("an unknown KEK does not have the file read: %v", err)
	}
	poll(t, a)
	if err := a.Ready(); err != nil {
		t.Errorf("still not ready: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestStandbyThatDoesNotSignIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	// A standby whose private half is another's, sealed as if it were its own.
	ring := w.store.ring(t)
	k := ring.Standby(ES256)
	foreign := must(newKey(ES256, testPair(t, ES256, 999), r.sealer))
	plain := must(r.sealer.Open(foreign.Private.Blob, "signing key", foreign.ID, "ES256"))
	k.Private = must(r.sealer.seal(plain, "signing key", k.ID, "ES256"))
	ring.Version++
	w.store.doc = must(ring.encode())
	fresh := w.replica(short(), 0, ES256)
	_ = fresh.Start(context.Background())
	if err := fresh.Ready(); err == nil || !strings.Contains(err.Error(), "test signature") {
		t.Errorf("ready: %v", err)
	}
	signed(t, fresh, ES256)
	poll(t, r) // has the right half open from before
	if err := r.Ready(); err == nil || r.view.Load().pairs[k.ID].pair.Public().(*ecdsa.PublicKey) == nil {
		t.Errorf("ready: %v", err)
	}
}

func TestMACSecrets(t *testing.T) {
	w := newWorld(t)
	a, b := w.started(short(), ES256), w.started(short(), ES256)
	ctx := context.Background()
	first, err := a.MACSecret(MACRefresh)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.MACSecretByID(ctx, MACRefresh, first.ID); err != nil || got.Sum("x") != first.Sum("x") {
		t.Errorf("another replica: %v", err)
	}
	if _, err := b.MACSecretByID(ctx, MACCode, first.ID); !errors.Is(err, ErrUnknownSecret) {
		t.Errorf("for another purpose: %v", err)
	}
	w.pass(2 * time.Second)
	before := w.store.loads
	for range 50 {
		if _, err := b.MACSecretByID(ctx, MACRefresh, "deadbeef"); !errors.Is(err, ErrUnknownSecret) {
			t.Fatal(err)
		}
	}
	if n := w.store.loads - before; n != 1 {
		t.Errorf("50 forgeries within a second load the ring %d times", n)
	}
	// A secret that a poll has not brought yet is found by loading.
	w.pass(2 * time.Second)
	ring := w.store.ring(t)
	added := must(newSecret(MACDevice, testSealer()))
	ring.Secrets = append(ring.Secrets, added)
	ring.Version++
	w.store.doc = must(ring.encode())
	if _, err := b.MACSecretByID(ctx, MACDevice, added.ID); err != nil {
		t.Errorf("a new secret: %v", err)
	}
	w.pass(2 * time.Second)
	w.store.fault = func(string) verdict { return refused }
	if _, err := b.MACSecretByID(ctx, MACDevice, "deadbeef"); !errors.Is(err, errStoreDown) {
		t.Errorf("a store that is down makes an honest secret unknown: %v", err)
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	r := w.replica(short(), 0, ES256, RS256)
	if s := r.Status(); s.RingVersion != 0 || !errors.Is(s.Ready, ErrStale) {
		t.Errorf("before the start: %+v", s)
	}
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Second)
	s := r.Status()
	if s.RingVersion != 1 || s.Age != 2*time.Second || s.Published != 4 || s.Saves != 1 || s.Polls != 1 || s.Ready != nil || len(s.Algorithms) != 2 || s.JWKSBytes == 0 {
		t.Errorf("%+v", s)
	}
	a := s.Algorithms[0]
	if a.Algorithm != ES256 || a.SigningKey == "" || a.Standby == "" || a.StandbyKnown || a.StandbyKnownAt.Sub(a.SignedAt) != 40*time.Second || a.DueAt.Sub(a.SignedAt) != time.Minute {
		t.Errorf("%+v", a)
	}
}

func TestRequestsAskNoStore(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.store.fault = func(op string) verdict { t.Errorf("a request asks the store: %s", op); return refused }
	token := signed(t, r, ES256)
	_, verr := r.Verify(token)
	_, jerr := r.JWKS()
	_, merr := r.MACSecret(MACDevice)
	if err := errors.Join(verr, jerr, merr, r.Ready()); err != nil {
		t.Error(err)
	}
}

func TestReplicaConfigIsChecked(t *testing.T) {
	good := ReplicaConfig{ID: "r", Store: newMemoryStore(), Sealer: testSealer(), Policy: short(), Algorithms: []Algorithm{ES256}, Wall: time.Now}
	for name, spoil := range map[string]func(*ReplicaConfig){
		"no ID": func(c *ReplicaConfig) { c.ID = "" }, "no store": func(c *ReplicaConfig) { c.Store = nil }, "no sealer": func(c *ReplicaConfig) { c.Sealer = nil },
		"no clock": func(c *ReplicaConfig) { c.Wall = nil }, "no algorithm": func(c *ReplicaConfig) { c.Algorithms = nil },
		"odd algorithm": func(c *ReplicaConfig) { c.Algorithms = []Algorithm{"none"} }, "bad policy": func(c *ReplicaConfig) { c.Policy.PublishAhead = time.Second },
	} {
		c := good
		spoil(&c)
		if _, err := NewReplica(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewReplica(good); err != nil {
		t.Error(err)
	}
	if _, err := generate("none", 2048); err == nil {
		t.Error("made a key of algorithm none")
	}
}

func TestLateReadsOfTheStoreCount(t *testing.T) {
	store := newMemoryStore()
	store.stale = 10 * time.Second
	p := short()
	c := ReplicaConfig{ID: "r", Store: store, Sealer: testSealer(), Policy: p, Algorithms: []Algorithm{ES256}, Wall: time.Now}
	r, err := NewReplica(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.policy.keep(0)-p.keep(0), 10*time.Second; got != want {
		t.Errorf("kept %s longer, want %s", got, want)
	}
	c.Policy.PublishAhead = p.needAhead()
	if _, err := NewReplica(c); err == nil {
		t.Error("a publish-ahead that is enough only for timely reads")
	}
}
