package keys

import (
	"context"
	"fmt"
	"time"
)

// simStore is the store: one ring, a clock that may jump, and writes that fail in every way that they can.
type simStore struct {
	s       *simulator
	ring    *Ring
	off     time.Duration // store clock minus true time
	down    bool
	supply  Supply // names of keys to come; Step looks at nothing else of them
	named   int
	doc     RingDocument // ring, encoded when somebody loads it so
	noDoc   bool
	verdict func() verdict // of the next save
}

func newSimStore(s *simulator) *simStore {
	st := &simStore{s: s, ring: &Ring{}, verdict: func() verdict { return works }}
	st.stock()
	return st
}

func (st *simStore) time() time.Time { return t0.Add(st.s.now + st.off) }

// stock names new keys in place of those that were used.
func (st *simStore) stock() {
	st.supply = st.supply.without(st.ring)
	for _, a := range st.s.algs {
		n := 0
		for _, k := range st.supply.Keys {
			if k.Algorithm == a {
				n++
			}
		}
		for ; n < 3; n++ {
			st.supply.Keys = append(st.supply.Keys, st.newKey(a))
		}
	}
	if len(st.supply.Secrets) < len(macPurposes) {
		st.supply.Secrets = nil
		for _, p := range macPurposes {
			st.supply.Secrets = append(st.supply.Secrets, st.newSecret(p))
		}
	}
}

func (st *simStore) newKey(a Algorithm) Key {
	if st.s.real {
		pair, err := generate(a, 2048)
		if err == nil {
			var k Key
			if k, err = newKey(a, pair, testSealer()); err == nil {
				return k
			}
		}
		st.s.fatal("simulator: %v", err)
	}
	st.named++
	return Key{ID: fmt.Sprintf("%s-%d", a, st.named), Algorithm: a, Private: Sealed{Blob: []byte("sealed")}}
}

func (st *simStore) newSecret(p MACPurpose) Secret {
	if st.s.real {
		n, err := newSecret(p, testSealer())
		if err != nil {
			st.s.fatal("simulator: %v", err)
		}
		return n
	}
	st.named++
	return Secret{ID: fmt.Sprint(p, st.named), Purpose: p}
}

// put makes next the stored ring.
func (st *simStore) put(next *Ring) {
	before := st.ring
	st.ring, st.noDoc = next, true
	if !sameKeys(before, next) {
		st.s.noteChange(before, next)
		st.stock()
	}
}

// swap is the compare-and-set, with what the network makes of it.
func (st *simStore) swap(expected int64, next *Ring) (bool, error) {
	apply := func() bool {
		if st.ring.Version != expected {
			return st.ring.Version == next.Version && st.ring.By == next.By
		}
		st.put(next)
		return true
	}
	switch st.verdict() {
	case refused:
		return false, errStoreDown
	case unanswered:
		apply()
		return false, errStoreDown
	case delayed:
		st.s.edge(st.s.between(0, 2*st.s.policy.OutageAfter), func() {
			if !st.down {
				apply()
			}
		})
		return false, errStoreDown
	}
	return apply(), nil
}

// simLink is a machine's way to the store: cut or not, and answering with the error of the machine's clock.
type simLink struct {
	st    *simStore
	node  *simNode // nil: the operator's
	clock time.Duration
}

func (l simLink) fails() bool { return l.st.down || (l.node != nil && !l.node.reaches()) }

func (l simLink) LoadRing(context.Context) (RingDocument, error) {
	if l.fails() {
		return RingDocument{}, errStoreDown
	}
	if l.st.noDoc {
		doc, err := l.st.ring.encode()
		if err != nil {
			return doc, err
		}
		l.st.doc, l.st.noDoc = doc, false
	}
	return l.st.doc, nil
}

func (l simLink) SaveRing(_ context.Context, expected int64, next RingDocument) (bool, error) {
	if l.fails() {
		return false, errStoreDown
	}
	r, err := decodeRing(next)
	if err != nil {
		return false, err
	}
	return l.st.swap(expected, r)
}

func (l simLink) StoreTime(context.Context) (time.Time, error) {
	if l.fails() {
		return time.Time{}, errStoreDown
	}
	return l.st.time().Add(l.clock), nil
}

func (l simLink) StaleReads() time.Duration                       { return 0 }
func (l simLink) PutHeartbeat(context.Context, Heartbeat) error   { return nil }
func (l simLink) Heartbeats(context.Context) ([]Heartbeat, error) { return nil, nil }
func (l simLink) DeleteHeartbeat(context.Context, string) error   { return nil }
