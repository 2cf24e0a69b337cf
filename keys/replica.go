package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ReplicaConfig is what a Replica is made of.
type ReplicaConfig struct {
	ID         string // names its heartbeat; unique among running replicas
	Store      RingStore
	Sealer     *Sealer
	Policy     Policy
	Algorithms []Algorithm
	Wall       func() time.Time // the machine's clock: time.Now
	// Monotonic is the machine's monotonic clock; nil takes it from the readings of Wall.
	Monotonic func() time.Duration
	KEKFile   string      // read again when it changes; "" is never
	Keeping   Keeping     // where private halves are kept
	Events    func(Event) // called one at a time; nil is for nobody
}

// Replica is one process's live view of the ring: what requests sign, verify and publish with. Its invariant: it signs only by a
// version that the store confirmed within R, publishes only one confirmed within Q, and both only when the ring carries
// a publish-ahead and a token life no lower than its own. Safe for concurrent use; requests wait for no poll, but
// for those that name an unknown MAC secret.
type Replica struct {
	id      string
	store   RingStore
	sealer  *Sealer
	keeping Keeping
	policy  Policy
	life    Lifecycle
	clock   *clock
	pool    *pool
	keks    kekWatch
	view    atomic.Pointer[view]
	pulse   pulse
	counts  counts

	telling sync.Mutex
	events  func(Event)

	polling    chan struct{} // holds one while somebody loads, saves and swaps
	reloaded   instant       // when an unknown secret last made it load
	clockWrong bool
	unusable   string // the problem last told of
	erasing    []erasure
}

// view is what requests see, swapped whole.
type view struct {
	*opened
	confirmed instant // when the read began that confirmed it
}

// NewReplica checks the configuration, the policy's inequalities too. It does nothing yet.
func NewReplica(c ReplicaConfig) (*Replica, error) {
	if c.ID == "" || c.Store == nil || c.Sealer == nil || c.Wall == nil || len(c.Algorithms) == 0 {
		return nil, errors.New("key replica: ID, Store, Sealer, Wall and Algorithms are needed")
	}
	for _, a := range c.Algorithms {
		if a != RS256 && a != ES256 {
			return nil, fmt.Errorf("key replica: no algorithm %q", a)
		}
	}
	if _, err := c.Policy.Check(c.Store.StaleReads()); err != nil {
		return nil, err
	}
	p := c.Policy.Resolved()
	p.StaleReads = c.Store.StaleReads()
	r := &Replica{
		id: c.ID, store: c.Store, sealer: c.Sealer, keeping: c.Keeping, policy: p, events: c.Events,
		life:  Lifecycle{Policy: p, Algorithms: c.Algorithms},
		clock: newClock(c.Wall, c.Monotonic, p.Skew),
		keks:  kekWatch{path: c.KEKFile, sealer: c.Sealer}, counts: newCounts(),
		polling: make(chan struct{}, 1),
	}
	r.pool, r.pulse.wake = newPool(r.makePair), make(chan struct{}, 1)
	return r, nil
}

// Now is the store's time, as of the last poll plus the monotonic time since; to the millisecond, in UTC.
func (r *Replica) Now() time.Time { return r.clock.now() }

// Sign makes a compact JWS (RFC 7515, section 3.1) with the signing key of alg and header type typ. The claims are made from iat and exp,
// in seconds; exp is iat + ttl, or less where ttl is more than this replica's TokenTTL or than the ring carries yet. Errors: ErrStale,
// ErrNoKey, or that the claims don't encode.
func (r *Replica) Sign(alg Algorithm, typ string, now time.Time, ttl time.Duration, claims func(iat, exp int64) any) (string, error) {
	v, err := r.usable(r.policy.R())
	if err != nil {
		return "", err
	}
	s := v.signers[alg]
	if s == nil {
		return "", fmt.Errorf("%w: %s", ErrNoKey, alg)
	}
	life := min(ttl, r.policy.TokenTTL, s.ttl)
	iat := now.Unix()
	payload, err := json.Marshal(claims(iat, iat+int64(life/time.Second)))
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	token, err := s.compact(typ, payload)
	if err != nil {
		r.pulse.failedAt(r.clock.instant()) // perhaps its key was revoked a moment ago
	}
	return token, err
}

// JWKS is the set to publish; ErrStale when the ring was not confirmed within Q. No store is asked.
func (r *Replica) JWKS() (*PublishedSet, error) {
	v, err := r.usable(r.policy.Q())
	if err != nil {
		return nil, err
	}
	return v.set, nil
}

// MACSecret is the secret that derives what is made for a purpose now. Errors: ErrStale (a replica that has not seen the ring for longer
// than R may lack the secret that derives by now), ErrUnknownSecret when it does not open.
func (r *Replica) MACSecret(p MACPurpose) (MACSecret, error) {
	v, err := r.usable(r.policy.R())
	if err != nil {
		return MACSecret{}, err
	}
	if s := v.ring.DerivingSecret(p, r.Now()); s != nil {
		if open, ok := v.secrets[s.ID]; ok {
			return open, nil
		}
	}
	return MACSecret{}, fmt.Errorf("%w: none derives for %s", ErrUnknownSecret, p)
}

// MACSecretByID finds the secret that something was derived by, loading the ring (at most once a second) when it is unknown. Errors: ErrStale,
// ErrUnknownSecret, or the store's.
func (r *Replica) MACSecretByID(ctx context.Context, p MACPurpose, id string) (MACSecret, error) {
	find := func() (MACSecret, bool, error) {
		v, err := r.usable(r.policy.Q())
		if err != nil {
			return MACSecret{}, false, err
		}
		s, ok := v.secret(p, id)
		return s, ok, nil
	}
	if s, ok, err := find(); ok || err != nil {
		return s, err
	}
	if err := r.reload(ctx, func() bool { _, ok, err := find(); return ok || err != nil }); err != nil {
		return MACSecret{}, err
	}
	s, ok, err := find()
	if err == nil && !ok {
		err = ErrUnknownSecret
	}
	return s, err
}

func (v *view) secret(p MACPurpose, id string) (MACSecret, bool) {
	for _, s := range v.ring.Secrets {
		if s.ID == id && s.Purpose == p {
			open, ok := v.secrets[id]
			return open, ok
		}
	}
	return MACSecret{}, false
}

// Seal protects a secret at rest; context names what it is (purpose, document id).
func (r *Replica) Seal(plaintext []byte, context ...string) ([]byte, error) {
	return r.sealer.Seal(plaintext, context...)
}

// Open is the reverse of Seal. A KEK that is unknown has the KEK file read again once.
func (r *Replica) Open(sealed []byte, context ...string) ([]byte, error) {
	plaintext, err := r.sealer.Open(sealed, context...)
	if errors.Is(err, ErrUnknownKEK) && r.rereadKEKs() {
		return r.sealer.Open(sealed, context...)
	}
	return plaintext, err
}

// usable is the view, if it was confirmed within bound and the ring carries what this replica relies on.
func (r *Replica) usable(bound time.Duration) (*view, error) {
	v := r.view.Load()
	if v == nil {
		return nil, fmt.Errorf("%w: none was loaded yet", ErrStale)
	}
	if age := r.clock.instant().since(v.confirmed); age > bound {
		return nil, fmt.Errorf("%w: %s ago, more than %s", ErrStale, age.Round(time.Millisecond), bound)
	}
	if v.ring.Ahead.Value < r.policy.PublishAhead || v.ring.TTL.Value < r.policy.TokenTTL {
		return nil, fmt.Errorf("%w: it does not carry this replica's publish-ahead and token life yet", ErrStale)
	}
	return v, nil
}
