//go:build pkcs11 && linux

package pkcs11

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"signet/keys"
	"signet/keys/pkcs11/softhsm"
)

// A key ring whose keys are in a token: the real replica and commands, the real token, and a store in memory.

type ringStore struct {
	mu    sync.Mutex
	doc   keys.RingDocument
	ahead time.Duration // of its clock: lifecycle time passes as a test says
}

func (s *ringStore) LoadRing(context.Context) (keys.RingDocument, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doc, nil
}

func (s *ringStore) SaveRing(_ context.Context, expected int64, next keys.RingDocument) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doc.Version != expected {
		return false, nil
	}
	s.doc = next
	return true, nil
}

func (s *ringStore) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *ringStore) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

func (s *ringStore) StaleReads() time.Duration                            { return 0 }
func (s *ringStore) StoreTime(context.Context) (time.Time, error)         { return s.now(), nil }
func (s *ringStore) PutHeartbeat(context.Context, keys.Heartbeat) error   { return nil }
func (s *ringStore) Heartbeats(context.Context) ([]keys.Heartbeat, error) { return nil, nil }
func (s *ringStore) DeleteHeartbeat(context.Context, string) error        { return nil }

var both = []keys.Algorithm{keys.ES256, keys.RS256}

type ringWorld struct {
	t      *testing.T
	hsm    *softhsm.HSM
	token  *Token
	store  *ringStore
	sealer *keys.Sealer

	mu     sync.Mutex
	events []keys.Event
}

func newRingWorld(t *testing.T) *ringWorld {
	h := softhsm.New(t)
	w := &ringWorld{t: t, hsm: h, token: newToken(t, h), store: &ringStore{}}
	w.sealer = w.seal(1)
	return w
}

func (w *ringWorld) seal(first ...byte) *keys.Sealer {
	w.t.Helper()
	var list []keys.KEK
	for _, n := range first {
		k, err := keys.NewKEK([]byte(strings.Repeat(string(rune(n)), 32)))
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, k)
	}
	s, err := keys.NewSealer(list)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// start makes a replica with a policy of minutes.
func (w *ringWorld) start(keeping keys.Keeping) *keys.Replica {
	w.t.Helper()
	p := keys.DefaultPolicy()
	p.PublishAhead, p.SigningPeriod, p.Poll, p.Skew, p.JWKSMaxAge, p.StaleIfError = 10*time.Minute, 12*time.Minute, 10*time.Second, time.Second, time.Second, time.Second
	p.TokenTTL, p.OutageAfter, p.AttendEvery = time.Minute, time.Hour, time.Minute
	r, err := keys.NewReplica(keys.ReplicaConfig{ID: "r", Store: w.store, Sealer: w.sealer, Policy: p, Algorithms: both, Wall: w.store.now, Keeping: keeping,
		Events: func(e keys.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := r.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// rotate lets a signing period pass.
func (w *ringWorld) rotate(r *keys.Replica) {
	w.t.Helper()
	before := r.Status().RingVersion
	w.store.pass(13 * time.Minute)
	again(w.t, "rotate", func() error { // an RSA key may take longer than a poll waits
		if err := r.Poll(w.t.Context()); err != nil {
			return err
		}
		for _, a := range r.Status().Algorithms {
			if a.DueAt.Before(r.Now()) {
				return errors.New("not yet")
			}
		}
		return nil
	})
	if r.Status().RingVersion == before {
		w.t.Fatal("nothing was rotated")
	}
}

func (w *ringWorld) sign(r *keys.Replica) error {
	for _, alg := range both {
		token, err := r.Sign(alg, "at+jwt", r.Now(), time.Minute, func(iat, exp int64) any { return map[string]int64{"iat": iat, "exp": exp} })
		if err != nil {
			return err
		}
		if _, err := r.Verify(token); err != nil {
			return err
		}
	}
	return nil
}

func (w *ringWorld) told(kind keys.EventKind) (kids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			kids = append(kids, e.KeyID)
		}
	}
	return kids
}

func (w *ringWorld) operator() keys.Operator {
	return keys.Operator{Store: w.store, Sealer: w.sealer, Wall: w.store.now, Keeping: keys.Keeping{Vault: w.token}}
}

func TestPKCS11RingRotatesInTheToken(t *testing.T) {
	w := newRingWorld(t)
	r := w.start(keys.Keeping{})
	if err := w.sign(r); err != nil {
		t.Fatal(err)
	}
	r = w.start(keys.Keeping{Vault: w.token}) // from now on in the token: by the ordinary lifecycle
	if len(w.hsm.Objects()) != 0 {
		t.Error("keys were made before they are needed")
	}
	for range 4 {
		w.rotate(r)
		if err := errors.Join(w.sign(r), r.Ready()); err != nil {
			t.Fatal(err)
		}
	}
	destroyed := w.told(keys.EventKeyDestroyed)
	if len(destroyed) == 0 {
		t.Error("no key that left the ring was destroyed in the token")
	}
	if published, objects := r.Status().Published, len(w.hsm.Objects()); objects != 2*published {
		t.Errorf("%d objects for %d keys, all of them of the token by now", objects, published)
	}
}

// Rewrapped, exported, revoked: a reference is sealed like any private half, never comes out, and what is revoked is gone from the token.
func TestPKCS11RingCommands(t *testing.T) {
	w := newRingWorld(t)
	r := w.start(keys.Keeping{Vault: w.token})
	if n := len(w.hsm.Objects()); n != 8 {
		t.Fatalf("%d objects for four keys", n)
	}
	old := w.sealer
	w.sealer = w.seal(2, 1)
	done, err := w.operator().Rewrap(t.Context(), keys.RewrapOptions{Force: true})
	if err != nil || done.Sealed < 4 {
		t.Fatal(done, err)
	}
	k2, _ := keys.NewKEK([]byte(strings.Repeat("\x02", 32)))
	if err := old.Replace([]keys.KEK{k2}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Poll(t.Context()), r.Ready(), w.sign(r)); err != nil {
		t.Error("after a rewrap:", err)
	}
	if _, err := w.operator().ExportPrivate(t.Context()); err == nil {
		t.Error("private halves were exported")
	}
	signing := r.Status().Algorithms[0].SigningKey
	if _, err := w.operator().Revoke(t.Context(), signing); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Poll(t.Context()), r.Ready(), w.sign(r)); err != nil {
		t.Error("after a revocation:", err)
	}
	if published := r.Status().Published; len(w.hsm.Objects()) != 2*published {
		t.Errorf("%d objects for %d keys", len(w.hsm.Objects()), published)
	}
}

func TestPKCS11StandbyGoneMakesTheReplicaUnready(t *testing.T) {
	w := newRingWorld(t)
	r := w.start(keys.Keeping{Vault: w.token})
	standby := r.Status().Algorithms[0].Standby
	// The token's own tools know it by its label.
	err := w.token.do(t.Context(), w.token.config.Timeout, func(s *session) error {
		return s.destroyLabeled("signet " + string(r.Status().Algorithms[0].Algorithm) + " " + standby)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(); err == nil || !strings.Contains(err.Error(), standby) {
		t.Errorf("ready: %v", err)
	}
	if err := w.sign(r); err != nil {
		t.Error("keys already open go on:", err)
	}
	if len(w.told(keys.EventKeyUnusable)) != 1 {
		t.Error("nobody was told")
	}
	// A new one takes its place.
	if _, err := w.operator().Revoke(t.Context(), standby); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Poll(t.Context()), r.Ready()); err != nil {
		t.Error(err)
	}
}

func TestPKCS11TokenAwayMakesTheReplicaUnready(t *testing.T) {
	w := newRingWorld(t)
	r := w.start(keys.Keeping{Vault: w.token})
	w.hsm.Remove()
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Ready() == nil {
		t.Error("ready without the token")
	}
	if err := w.sign(r); !errors.Is(err, keys.ErrSigning) {
		t.Error(err)
	}
	if _, err := r.JWKS(); err != nil {
		t.Error("the JWKS needs no token:", err)
	}
	late := w.start(keys.Keeping{Vault: w.token}) // it starts all the same
	if _, err := late.JWKS(); err != nil || late.Ready() == nil {
		t.Error(err, late.Ready())
	}
	w.hsm.Insert()
	for _, one := range []*keys.Replica{r, late} {
		again(t, "ready when the token is back", func() error { return errors.Join(one.Poll(t.Context()), one.Ready()) })
		if err := w.sign(one); err != nil {
			t.Error(err)
		}
	}
}

func TestPKCS11HangMakesTheReplicaUnready(t *testing.T) {
	w := newRingWorld(t)
	w.token.config.Timeout = 200 * time.Millisecond
	r := w.start(keys.Keeping{Vault: w.token})
	release := w.hsm.Hang()
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(); !errors.Is(err, ErrNoAnswer) && !errors.Is(err, keys.ErrSigning) {
		t.Error(err)
	}
	if err := w.sign(r); !errors.Is(err, keys.ErrSigning) {
		t.Error(err)
	}
	release()
	w.token.config.Timeout = 10 * time.Second
	again(t, "ready when the module returns", func() error { return errors.Join(r.Poll(t.Context()), r.Ready()) })
}

// Replicas that share a token and start at once leave nothing in it that the ring does not have.
func TestPKCS11LosersLeaveNothing(t *testing.T) {
	w := newRingWorld(t)
	var ended []context.CancelFunc
	var running sync.WaitGroup
	var starting sync.WaitGroup
	replicas := make([]*keys.Replica, 3)
	for i := range replicas {
		starting.Go(func() { replicas[i] = w.start(keys.Keeping{Vault: w.token}) })
	}
	starting.Wait()
	for _, r := range replicas {
		ctx, cancel := context.WithCancel(t.Context())
		ended = append(ended, cancel)
		running.Go(func() { r.Run(ctx) })
	}
	for _, cancel := range ended {
		cancel()
	}
	running.Wait()
	if n := len(w.hsm.Objects()); n != 8 {
		t.Errorf("%d objects for the ring's four keys", n)
	}
	if err := w.sign(w.start(keys.Keeping{Vault: w.token})); err != nil {
		t.Error(err)
	}
}

// destroyLabeled destroys by label, as people do.
func (s *session) destroyLabeled(label string) error {
	if err := s.FindObjectsInit(s.handle, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)}); err != nil {
		return err
	}
	found, _, err := s.FindObjects(s.handle, 4)
	if err != nil {
		return err
	}
	if err := s.FindObjectsFinal(s.handle); err != nil {
		return err
	}
	if len(slices.Compact(found)) != 2 {
		return errors.New("not the two halves of one key")
	}
	for _, handle := range found {
		if err := s.DestroyObject(s.handle, handle); err != nil {
			return err
		}
	}
	return nil
}
