package mongodb_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"signet/issuer"
	"signet/keys"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

// spy keeps the commands that a store sends.
type spy struct {
	mu   sync.Mutex
	sent []bson.Raw
}

func (s *spy) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent = append(s.sent, append(bson.Raw{}, e.Command...))
	}}
}

// take returns what was sent since it was called last.
func (s *spy) take() []bson.Raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// elected is a store that takes the server for the primary of a replica set.
func elected(t *testing.T, uri string) (*relay, *mongodb.Store, *spy) {
	t.Helper()
	r := newRelay(t, uri)
	r.elect()
	var sent spy
	s := open(t, r.uri, mongodb.Options{Monitor: sent.monitor()})
	sent.take()
	return r, s, &sent
}

func linearizable(command bson.Raw) bool {
	level, _ := command.Lookup("readConcern", "level").StringValueOK()
	return level == "linearizable"
}

func TestRingOfReplicaSet(t *testing.T) {
	_, s, sent := elected(t, mongotest.URI(t))
	if _, err := s.LoadRing(t.Context()); err != nil {
		t.Fatal(err)
	}
	commands := sent.take()
	if len(commands) != 1 || !linearizable(commands[0]) {
		t.Errorf("the ring was read by %v", commands)
	}
	if within, ok := commands[0].Lookup("maxTimeMS").AsInt64OK(); !ok || within <= 0 || within > 5000 {
		t.Errorf("a linearizable read of the ring is bounded by %d ms", within)
	}
	if s.StaleReads() != 0 || s.EffectDelay() != 30*time.Second {
		t.Errorf("StaleReads = %v, EffectDelay = %v", s.StaleReads(), s.EffectDelay())
	}
	if _, err := s.User(t.Context(), "u"); !errors.Is(err, issuer.ErrNotFound) {
		t.Error(err)
	}
	if linearizable(sent.take()[0]) {
		t.Error("a user was read linearizably")
	}
}

func TestRingWhereLinearizableIsRefused(t *testing.T) {
	uri := mongotest.URI(t)
	r := newRelay(t, uri)
	r.elect()
	r.arm(linearizable, refuseReply)
	var sent spy
	s := open(t, r.uri, mongodb.Options{Monitor: sent.monitor()})
	if r.release() != 1 {
		t.Fatal("Open did not try")
	}
	if s.StaleReads() != 10*time.Second {
		t.Errorf("StaleReads = %v", s.StaleReads())
	}
	if saved, err := s.SaveRing(t.Context(), 0, keys.RingDocument{Version: 1, By: "a"}); !saved || err != nil {
		t.Fatal(saved, err)
	}
	sent.take()
	if d, err := s.LoadRing(t.Context()); d.Version != 1 || err != nil {
		t.Errorf("got %+v, %v", d, err)
	}
	if commands := sent.take(); len(commands) != 1 || linearizable(commands[0]) {
		t.Errorf("the ring was read by %v", commands)
	}
}

// TestRefusalAfterOpen: the bounds of the key ring do not allow for stale reads, so there must be none.
func TestRefusalAfterOpen(t *testing.T) {
	r, s, _ := elected(t, mongotest.URI(t))
	r.arm(linearizable, refuseReply)
	if d, err := s.LoadRing(t.Context()); !errors.Is(err, issuer.ErrUnknown) {
		t.Errorf("got %+v, %v", d, err)
	}
	if s.StaleReads() != 0 {
		t.Errorf("StaleReads = %v", s.StaleReads())
	}
}

// TestElectionDuringOpen: an election is no verdict on what the server can do, so Open may go on after it, or fail, but
// does not settle for stale reads.
func TestElectionDuringOpen(t *testing.T) {
	r := newRelay(t, mongotest.URI(t))
	r.elect()
	r.arm(linearizable, electReply)
	if s := open(t, r.uri, mongodb.Options{}); s.StaleReads() != 0 {
		t.Errorf("after an election: StaleReads = %v", s.StaleReads())
	}
	r.armAlways(linearizable, electReply)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := mongodb.Open(ctx, r.uri, mongodb.Options{}); !errors.Is(err, issuer.ErrUnknown) {
		t.Errorf("without a primary: %v", err)
	}
	if r.release() < 1 {
		t.Error("not struck")
	}
}

func TestSingleServer(t *testing.T) {
	s := open(t, mongotest.URI(t), mongodb.Options{})
	if retriesWrites(s) {
		t.Skip("the server is a replica set or cluster: no single server to test with")
	}
	if s.StaleReads() != 0 || s.EffectDelay() != 0 {
		t.Errorf("StaleReads = %v, EffectDelay = %v", s.StaleReads(), s.EffectDelay())
	}
}
