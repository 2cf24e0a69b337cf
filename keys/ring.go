package keys

import (
	"slices"
	"time"
)

// State of a key. A key that is dropped is no longer among the ring's keys.
type State string

const (
	Published State = "published" // a standby: in the JWKS, has never signed
	Signing   State = "signing"   // every new token of its algorithm is signed by it
	Retired   State = "retired"   // in the JWKS for the tokens it signed; its private half is kept, sealed, for a rollback
)

// Sealed is a secret at rest and the id of the key-encryption key that opens it.
type Sealed struct {
	KEKID string `json:"kek_id"`
	Blob  []byte `json:"blob"`
}

// Key is a key pair of the ring. Times are the store's, to the millisecond; the zero time is "not yet".
type Key struct {
	ID          string        `json:"kid"` // RFC 7638 thumbprint, SHA-256
	Algorithm   Algorithm     `json:"alg"`
	State       State         `json:"state"`
	Private     Sealed        `json:"private"` // PKCS #8, or a reference into a vault (vault.go)
	Public      []byte        `json:"public"`  // PKIX
	PublishedAt time.Time     `json:"published_at"`
	WindowAt    time.Time     `json:"window_at"` // start of the uninterrupted publication that counts
	SignedAt    time.Time     `json:"signed_at,omitzero"`
	DueAt       time.Time     `json:"due_at,omitzero"` // when the schedule wants its successor
	StopsAt     time.Time     `json:"stops_at,omitzero"`
	DropsAt     time.Time     `json:"drops_at,omitzero"`
	TTL         time.Duration `json:"ttl,omitempty"`  // longest life ever allowed to what it signs, nanoseconds; never falls
	Prev        string        `json:"prev,omitempty"` // kid that it took over from
	Withdrawn   bool          `json:"withdrawn,omitempty"`
	Imported    bool          `json:"imported,omitempty"`
	Next        bool          `json:"next,omitempty"` // an operator wants it before every other standby
}

// Dropped is the public half of a key that left the JWKS, kept so that an expired id_token_hint can still be checked.
type Dropped struct {
	ID        string    `json:"kid"`
	Algorithm Algorithm `json:"alg"`
	Public    []byte    `json:"public"`
	DroppedAt time.Time `json:"dropped_at"`
}

// keepDropped is how long the public half of a dropped key is kept.
const keepDropped = 90 * day

// Lease is a setting as the ring carries it: raised at once by any replica whose own is higher, lowered only
// when nobody has asserted it for so long that nothing done under it can matter.
type Lease struct {
	Value      time.Duration `json:"value"` // nanoseconds
	AssertedAt time.Time     `json:"asserted_at"`
}

// Ring is the one document that says which keys are published and which of them signs. A Ring is never changed once
// it has been stored or handed out: the next version is made from a clone.
type Ring struct {
	Version    int64     `json:"-"` // the document's
	By         string    `json:"-"` // the document's: attempt that wrote it
	Keys       []Key     `json:"keys"`
	Secrets    []Secret  `json:"secrets"`
	AttendedAt time.Time `json:"attended_at"` // a replica was there; lifecycle time is never before it
	ResumedAt  time.Time `json:"resumed_at"`  // end of the last outage
	Ahead      Lease     `json:"ahead"`       // publish-ahead
	TTL        Lease     `json:"ttl"`         // longest token life
	Revoked    []string  `json:"revoked,omitempty"`
	Dropped    []Dropped `json:"dropped,omitempty"`
	Restarting string    `json:"restarting,omitempty"` // id of a restore that is not complete; nobody serves by the ring until it is
}

func (r *Ring) clone() *Ring {
	c := *r
	c.Keys = slices.Clone(r.Keys)
	c.Secrets = slices.Clone(r.Secrets)
	c.Revoked = slices.Clone(r.Revoked)
	c.Dropped = slices.Clone(r.Dropped)
	return &c
}

// Key finds a published key by its kid; nil when there is none.
func (r *Ring) Key(kid string) *Key {
	for i := range r.Keys {
		if r.Keys[i].ID == kid {
			return &r.Keys[i]
		}
	}
	return nil
}

// SigningKey is the key that signs; nil while an algorithm waits for its first.
func (r *Ring) SigningKey(alg Algorithm) *Key {
	for i := range r.Keys {
		if k := &r.Keys[i]; k.Algorithm == alg && k.State == Signing {
			return k
		}
	}
	return nil
}

// Standby is the key that signs next: the one that an operator chose, else an imported one, else the longest published; nil when
// there is none.
func (r *Ring) Standby(alg Algorithm) *Key {
	return r.firstStandby(alg, func(*Key) bool { return true })
}

// firstStandby is the first in that order of those that fit.
func (r *Ring) firstStandby(alg Algorithm, fits func(*Key) bool) *Key {
	var first *Key
	for i := range r.Keys {
		if k := &r.Keys[i]; k.Algorithm == alg && k.State == Published && fits(k) && (first == nil || k.goesBefore(first)) {
			first = k
		}
	}
	return first
}

func (k *Key) goesBefore(o *Key) bool {
	switch {
	case k.Next != o.Next:
		return k.Next
	case k.Imported != o.Imported:
		return k.Imported
	}
	return k.WindowAt.Before(o.WindowAt)
}

// oldestStandby is the one that the most verifiers have.
func (r *Ring) oldestStandby(alg Algorithm) *Key {
	var oldest *Key
	for i := range r.Keys {
		if k := &r.Keys[i]; k.Algorithm == alg && k.State == Published && (oldest == nil || k.WindowAt.Before(oldest.WindowAt)) {
			oldest = k
		}
	}
	return oldest
}

// Known says whether every verifier in the promise has had the key at now.
func (r *Ring) Known(k *Key, now time.Time) bool { return !now.Before(r.knownAt(k)) }

func (r *Ring) knownAt(k *Key) time.Time { return k.WindowAt.Add(r.Ahead.Value) }

// algorithms are those that the ring has keys of, in the order of their first key.
func (r *Ring) algorithms() []Algorithm {
	var algs []Algorithm
	for _, k := range r.Keys {
		if !slices.Contains(algs, k.Algorithm) {
			algs = append(algs, k.Algorithm)
		}
	}
	return algs
}

// everHeld says whether a kid is, or by the ring's memory was, a key of this ring.
func (r *Ring) everHeld(kid string) bool {
	return r.Key(kid) != nil || slices.Contains(r.Revoked, kid) || slices.ContainsFunc(r.Dropped, func(d Dropped) bool { return d.ID == kid })
}

// revoke takes a key out for ever, with both halves.
func (r *Ring) revoke(kid string) {
	r.remove(kid)
	r.Dropped = slices.DeleteFunc(r.Dropped, func(d Dropped) bool { return d.ID == kid })
	if !slices.Contains(r.Revoked, kid) {
		r.Revoked = append(r.Revoked, kid)
	}
}

// remove takes a key out without remembering it.
func (r *Ring) remove(kid string) {
	r.Keys = slices.DeleteFunc(r.Keys, func(k Key) bool { return k.ID == kid })
}
