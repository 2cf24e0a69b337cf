package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errVaultAway = errors.New("vault is away")

// memoryVault is a Vault that fails as a test asks.
type memoryVault struct {
	t    testing.TB
	deal func(Algorithm) (crypto.Signer, error)

	mu    sync.Mutex
	pairs map[string]crypto.Signer
	count int
	fault func(op, reference string) error // asked before each operation ("make", "open", "sign", "destroy")
}

func newVault(t testing.TB) *memoryVault {
	return &memoryVault{t: t, deal: dealer(t), pairs: map[string]crypto.Signer{}, fault: func(string, string) error { return nil }}
}

func (v *memoryVault) Scheme() string { return "memory" }

func (v *memoryVault) Make(_ context.Context, alg Algorithm, _ int) (crypto.Signer, string, error) {
	pair, err := v.deal(alg)
	if err != nil {
		return nil, "", err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.fault("make", ""); err != nil {
		return nil, "", err
	}
	v.count++
	reference := fmt.Sprint("memory:", v.count)
	v.pairs[reference] = pair
	return vaultSigner{v, reference, pair.Public()}, reference, nil
}

func (v *memoryVault) Open(_ context.Context, reference string, public crypto.PublicKey) (crypto.Signer, error) {
	if _, err := v.find("open", reference); err != nil {
		return nil, err
	}
	return vaultSigner{v, reference, public}, nil
}

func (v *memoryVault) Destroy(_ context.Context, reference string) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.fault("destroy", reference); err != nil {
		return false, err
	}
	_, had := v.pairs[reference]
	delete(v.pairs, reference)
	return had, nil
}

func (v *memoryVault) find(op, reference string) (crypto.Signer, error) {
	v.mu.Lock()
	fault, pair := v.fault, v.pairs[reference]
	v.mu.Unlock()
	if err := fault(op, reference); err != nil {
		return nil, err
	}
	if pair == nil {
		return nil, errors.New("no such key in the vault")
	}
	return pair, nil
}

func (v *memoryVault) setFault(fault func(op, reference string) error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault = fault
}

func (v *memoryVault) works() { v.setFault(func(string, string) error { return nil }) }

// fails has these operations fail.
func (v *memoryVault) fails(ops ...string) {
	v.setFault(func(op, _ string) error {
		if slices.Contains(ops, op) {
			return errVaultAway
		}
		return nil
	})
}

// has says whether the private half of a key of the ring is in the vault.
func (v *memoryVault) has(k *Key) bool {
	v.t.Helper()
	_, reference, ok := k.reference(testSealer())
	v.mu.Lock()
	defer v.mu.Unlock()
	return ok && v.pairs[reference] != nil
}

func (v *memoryVault) size() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.pairs)
}

type vaultSigner struct {
	v         *memoryVault
	reference string
	public    crypto.PublicKey
}

func (s vaultSigner) Public() crypto.PublicKey { return s.public }

func (s vaultSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	pair, err := s.v.find("sign", s.reference)
	if err != nil {
		return nil, err
	}
	return pair.Sign(r, digest, opts)
}

// keeper makes a replica that keeps its keys as k says, and the list of its events.
func (w *world) keeper(k Keeping, algs ...Algorithm) (*Replica, *[]Event) {
	w.t.Helper()
	r := w.replica(short(), 0, algs...)
	var events []Event
	r.keeping, r.events = k, func(e Event) { events = append(events, e) }
	r.pool.generate = r.makePair
	if err := r.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return r, &events
}

func told(events *[]Event, kind EventKind) (kids []string) {
	for _, e := range *events {
		if e.Kind == kind {
			kids = append(kids, e.KeyID)
		}
	}
	return kids
}

func trySign(r *Replica, alg Algorithm) error {
	_, err := r.Sign(alg, "at+jwt", r.Now(), time.Minute, func(iat, exp int64) any { return map[string]int64{"iat": iat, "exp": exp} })
	return err
}

// A ring whose keys are in the store gets one whose keys are in a vault, and back, by nothing but rotations; all that was signed on the way verifies.
func TestVaultAndSoftwareKeysShareARing(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	soft := w.started(short(), ES256)
	tokens := []string{signed(t, soft, ES256)}
	next, _ := w.keeper(Keeping{Vault: v}, ES256)
	w.live(70*time.Second, next) // the standby made before signs now; its own successor is in the vault
	if r := w.store.ring(t); v.has(r.SigningKey(ES256)) || !v.has(r.Standby(ES256)) {
		t.Fatal("the new standby is not in the vault, or an old key is")
	}
	tokens = append(tokens, signed(t, next, ES256))
	w.live(65*time.Second, next)
	if r := w.store.ring(t); !v.has(r.SigningKey(ES256)) {
		t.Fatal("the key of the vault does not sign")
	}
	if sealed := w.store.ring(t).SigningKey(ES256).Private.Blob; strings.Contains(string(sealed), "memory:") {
		t.Error("the reference is in the clear")
	}
	tokens = append(tokens, signed(t, next, ES256))
	back, _ := w.keeper(Keeping{Vault: v, Software: true}, ES256)
	w.live(65*time.Second, back)
	if r := w.store.ring(t); !v.has(r.SigningKey(ES256)) || v.has(r.Standby(ES256)) {
		t.Error("on the way back the new standby is in the vault")
	}
	for _, token := range append(tokens[2:], signed(t, back, ES256)) {
		if _, err := back.Verify(token); err != nil {
			t.Error(err)
		}
	}
}

func TestVaultLosesTheStandby(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	r, events := w.keeper(Keeping{Vault: v}, ES256, RS256)
	if err := r.Ready(); err != nil {
		t.Fatal(err)
	}
	standby := w.store.ring(t).Standby(ES256)
	_, reference, _ := standby.reference(testSealer())
	pair := v.pairs[reference]
	delete(v.pairs, reference)
	w.live(time.Second, r)
	if err := r.Ready(); err == nil || !strings.Contains(err.Error(), standby.ID) {
		t.Fatalf("ready without the standby: %v", err)
	}
	w.live(5*time.Second, r)
	if n := len(told(events, EventKeyUnusable)); n != 1 {
		t.Errorf("told %d times", n)
	}
	signed(t, r, ES256) // keys already open go on
	signed(t, r, RS256)
	v.pairs[reference] = pair // restored from the vault's own backup
	w.live(time.Second, r)
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
}

func TestVaultAwayAndBack(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	r, _ := w.keeper(Keeping{Vault: v}, ES256)
	v.fails("open", "sign", "make", "destroy")
	if err := trySign(r, ES256); !errors.Is(err, ErrSigning) || !errors.Is(err, errVaultAway) {
		t.Error(err)
	}
	w.live(time.Second, r)
	if r.Ready() == nil {
		t.Error("ready without the vault")
	}
	if _, err := r.JWKS(); err != nil {
		t.Error("the JWKS needs no vault:", err)
	}
	// One that starts meanwhile publishes, and is not ready.
	other := w.replica(short(), 0, ES256)
	other.keeping = Keeping{Vault: v}
	if err := other.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.JWKS(); err != nil || other.Ready() == nil || !errors.Is(trySign(other, ES256), ErrNoKey) {
		t.Error("starts as if the vault were there", err)
	}
	v.works()
	w.live(time.Second, r, other)
	for _, one := range []*Replica{r, other} {
		if err := one.Ready(); err != nil {
			t.Error(err)
		}
		signed(t, one, ES256)
	}
}

// A vault that hangs delays a poll by half of its patience, once, and the ring stays confirmed.
func TestVaultThatHangsDelaysNoPollBeyondR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		store := newMemoryStore()
		p := short()
		r, err := NewReplica(ReplicaConfig{ID: "r", Store: store, Sealer: testSealer(), Policy: p, Algorithms: []Algorithm{ES256}, Wall: time.Now, Keeping: Keeping{Vault: v}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		stuck := make(chan struct{})
		var under atomic.Int32
		v.setFault(func(op, _ string) error {
			if op == "sign" {
				under.Add(1)
				<-stuck
			}
			return nil
		})
		for range 10 {
			time.Sleep(p.Poll)
			if err := r.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := r.usable(r.policy.R()); err != nil {
				t.Fatal("a vault that hangs makes the ring stale:", err)
			}
			if err := r.Ready(); !errors.Is(err, ErrSigning) {
				t.Fatal("ready while the vault hangs:", err)
			}
		}
		if n := under.Load(); n != 2 {
			t.Errorf("%d test signatures are under way, not one a key", n)
		}
		v.works()
		close(stuck)
		synctest.Wait()
		if err := r.Poll(t.Context()); err != nil || r.Ready() != nil {
			t.Error(err, r.Ready())
		}
	})
}

// A signature that fails has the replica look at ring and vault at once, however far off its next poll is; many do so once.
func TestVaultSignatureThatFailsMakesAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		store := newMemoryStore()
		p := short()
		p.Poll = 10 * time.Second
		p.PublishAhead, p.SigningPeriod, p.OutageAfter, p.AttendEvery = time.Hour, 2*time.Hour, 0, 0
		r, err := NewReplica(ReplicaConfig{ID: "r", Store: store, Sealer: testSealer(), Policy: p, Algorithms: []Algorithm{ES256}, Wall: time.Now, Keeping: Keeping{Vault: v}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.Run(ctx)
		synctest.Wait()
		o := Operator{Store: store, Sealer: testSealer(), Wall: time.Now, Keeping: Keeping{Vault: v}}
		if _, err := o.Revoke(t.Context(), store.ring(t).SigningKey(ES256).ID); err != nil {
			t.Fatal(err)
		}
		loads := store.loads
		for range 100 {
			if err := trySign(r, ES256); !errors.Is(err, ErrSigning) {
				break
			}
		}
		synctest.Wait()
		if err := trySign(r, ES256); err != nil {
			t.Error("the key that took over is not in use yet:", err)
		}
		v.fails("sign")
		time.Sleep(wakeEvery)
		for range 100 {
			_ = trySign(r, ES256)
			synctest.Wait()
		}
		if r.Ready() == nil {
			t.Error("ready, though nothing can be signed")
		}
		if n := store.loads - loads; n != 2 {
			t.Errorf("%d loads of the ring for two bursts of failures", n)
		}
	})
}

// What leaves the ring is destroyed, by whoever sees it leave; what is in the ring, and what may come back, never is.
func TestVaultErasesWhatLeavesTheRing(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	r, events := w.keeper(Keeping{Vault: v}, ES256)
	other, otherEvents := w.keeper(Keeping{Vault: v}, ES256)
	dropped := 0
	for range 400 {
		w.live(time.Second, r, other)
		ring := w.store.ring(t)
		for i := range ring.Keys {
			if !v.has(&ring.Keys[i]) {
				t.Fatalf("%s key %s is destroyed", ring.Keys[i].State, ring.Keys[i].ID)
			}
		}
		dropped = len(ring.Dropped)
	}
	if dropped < 3 {
		t.Fatalf("%d keys were dropped: nothing is shown", dropped)
	}
	destroyed := slices.Concat(told(events, EventKeyDestroyed), told(otherEvents, EventKeyDestroyed))
	slices.Sort(destroyed)
	if len(destroyed) != dropped || len(slices.Compact(destroyed)) != dropped {
		t.Errorf("%d keys were dropped, told of %d", dropped, len(destroyed))
	}

	ring := w.store.ring(t)
	operator := operator(w)
	operator.Keeping = Keeping{Vault: v}
	standby, _ := ring.Standby(ES256), ring.SigningKey(ES256)
	if _, err := operator.Revoke(t.Context(), standby.ID); err != nil {
		t.Fatal(err)
	}
	if v.has(standby) {
		t.Error("a revoked key is still in the vault")
	}
}

func TestVaultErasureIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	r, events := w.keeper(Keeping{Vault: v}, ES256)
	standby := w.store.ring(t).Standby(ES256)
	if _, err := operator(w).Revoke(t.Context(), standby.ID); !errors.Is(err, ErrKept) {
		t.Fatalf("a command without access to the vault makes a key in software: %v", err)
	}
	away := operator(w)
	away.Keeping = Keeping{Software: true}
	if _, err := away.Revoke(t.Context(), standby.ID); err != nil {
		t.Fatal(err)
	}
	v.fails("destroy")
	w.live(3*time.Second, r)
	if !v.has(standby) || !slices.Equal(told(events, EventKeyNotDestroyed), []string{standby.ID}) {
		t.Errorf("told %v", told(events, EventKeyNotDestroyed))
	}
	v.works()
	w.live(time.Second, r)
	if v.has(standby) || !slices.Equal(told(events, EventKeyDestroyed), []string{standby.ID}) {
		t.Errorf("told %v", told(events, EventKeyDestroyed))
	}
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
}

// A ring that went back lacks keys that may come again with the next restore.
func TestVaultKeepsWhatARestoredBackupLacks(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	r, _ := w.keeper(Keeping{Vault: v}, ES256)
	w.live(20*time.Second, r)
	backup := w.store.doc
	w.live(45*time.Second, r) // a promotion, and a new standby
	newest := w.store.ring(t).Standby(ES256)
	w.pass(time.Hour) // nobody is live
	w.store.doc = backup
	w.live(2*time.Second, r)
	if w.store.ring(t).Key(newest.ID) != nil {
		t.Fatal("the newest key is in the old ring")
	}
	if !v.has(newest) {
		t.Error("it was destroyed")
	}
}

// What was made for a ring that took another's is destroyed at the end, save what may be stored yet.
func TestVaultUnusedKeysAreDiscarded(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	one, two := w.replica(short(), 0, ES256), w.replica(short(), 0, ES256)
	for _, r := range []*Replica{one, two} {
		r.keeping = Keeping{Vault: v}
		r.pool.generate = r.makePair
		if enough, err := r.pool.want(t.Context(), map[Algorithm]int{ES256: 2}); err != nil || !enough {
			t.Fatal(err)
		}
	}
	if err := one.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll(t, two)
	if v.size() != 4 {
		t.Fatalf("%d keys", v.size())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	one.Run(ended)
	two.Run(ended)
	if v.size() != 2 {
		t.Errorf("%d keys, not the two of the ring", v.size())
	}
	ring := w.store.ring(t)
	for i := range ring.Keys {
		if !v.has(&ring.Keys[i]) {
			t.Error("a key of the ring is gone")
		}
	}

	// The ring is written, but nobody hears of it.
	w, v = newWorld(t), newVault(t)
	late, _ := w.keeper(Keeping{Vault: v}, ES256)
	w.live(59*time.Second, late)
	w.store.fault = func(op string) verdict {
		if op == "save" {
			return delayed
		}
		return works
	}
	w.pass(time.Second)
	_ = late.Poll(t.Context()) // the rotation: a new standby is made, and every save is under way still
	if v.size() != 3 {
		t.Fatalf("%d keys", v.size())
	}
	late.discardUnused(t.Context())
	w.store.applyLate()
	if ring = w.store.ring(t); len(ring.Keys) != 3 {
		t.Fatalf("%d keys in the ring that was saved late", len(ring.Keys))
	}
	for i := range ring.Keys {
		if !v.has(&ring.Keys[i]) {
			t.Error("a key that was saved late is gone")
		}
	}
}

// A setting that was forgotten does not bring new keys out of the vault.
func TestVaultForgottenMakesNoSoftwareKeys(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	kept, _ := w.keeper(Keeping{Vault: v}, ES256)
	w.live(40*time.Second, kept)
	without := w.replica(short(), 0, ES256)
	without.pool.generate = without.makePair
	if err := without.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := without.Ready(); !errors.Is(err, ErrKept) {
		t.Errorf("ready without the vault: %v", err)
	}
	version := w.store.doc.Version
	w.pass(25 * time.Second) // a rotation is due, which needs a new standby
	if err := without.Poll(context.Background()); !errors.Is(err, ErrKept) {
		t.Errorf("poll: %v", err)
	}
	if w.store.doc.Version != version {
		t.Error("a key was made in software")
	}
}

// The vault is lost for good: what was issued stays verifiable, and revoking its keys one by one brings others.
func TestVaultLostForGood(t *testing.T) {
	w := newWorld(t)
	r, _ := w.keeper(Keeping{Vault: newVault(t)}, ES256)
	token := signed(t, r, ES256)
	after, _ := w.keeper(Keeping{Software: true}, ES256)
	if _, err := after.Verify(token); err != nil {
		t.Error(err)
	}
	if after.Ready() == nil {
		t.Fatal("ready")
	}
	o := operator(w)
	o.Keeping = Keeping{Software: true}
	if _, err := o.RevokeAll(t.Context(), ES256); err != nil {
		t.Fatal(err)
	}
	w.live(time.Second, after)
	if err := after.Ready(); err != nil {
		t.Error(err)
	}
	signed(t, after, ES256)
}

func TestVaultReferencesAreRewrapped(t *testing.T) {
	w := newWorld(t)
	v := newVault(t)
	r, _ := w.keeper(Keeping{Vault: v}, ES256)
	sealer, err := NewSealer([]KEK{testKEK(2), testKEK(1)})
	if err != nil {
		t.Fatal(err)
	}
	o := operator(w)
	o.Sealer = sealer
	done, err := o.Rewrap(t.Context(), RewrapOptions{Force: true})
	if err != nil || done.Sealed == 0 {
		t.Fatal(done, err)
	}
	if err := r.sealer.Replace([]KEK{testKEK(2)}); err != nil {
		t.Fatal(err)
	}
	w.live(time.Second, r)
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
	signed(t, r, ES256)
}

func TestWhatWasUnsealedTellsItsKind(t *testing.T) {
	der, err := sealable(testPair(t, ES256, 0))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{string(der): "", "": "", ":": "", "pkcs11:x": "pkcs11", "11:x": "", "a b:x": "", "PKCS:x": "", "pkcs11": "",
		strings.Repeat("a", 40) + ":x": "", "memory:": "memory"} {
		if got, ok := schemeOf([]byte(text)); ok != (want != "") || ok && got != want {
			t.Errorf("%.20q is of scheme %q, %v", text, got, ok)
		}
	}
	if _, err := sealable(kept{testPair(t, ES256, 0), "no scheme"}); err == nil {
		t.Error("a reference without its scheme is sealed")
	}
	if _, err := (Keeping{Vault: newVault(t)}).open(t.Context(), []byte("pkcs11:x"), nil); !errors.Is(err, ErrKept) {
		t.Error("a key of another vault opens:", err)
	}
}
