package mongodb_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

func TestConformance(t *testing.T) {
	mongotest.Server(t)
	substitute := mongotest.Substitute(t)
	if substitute {
		t.Log("callers of CountSource take turns, and pages of walks stop changes: this server answers with documents as they became after it found them")
	}
	opened := map[conformance.Store]struct {
		*mongodb.Store
		uri string
	}{}
	at := func(t *testing.T, uri string) (s conformance.Store) {
		m := open(t, uri, mongodb.Options{})
		s = m
		if substitute {
			s = &inTurns{Store: m}
		}
		opened[s] = struct {
			*mongodb.Store
			uri string
		}{m, uri}
		return s
	}
	conformance.Run(t, conformance.Harness{
		Open: func(t *testing.T) conformance.Store { return at(t, mongotest.URI(t)) },
		Reopen: func(t *testing.T, s conformance.Store) conformance.Store {
			before := opened[s]
			if err := before.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			return at(t, before.uri)
		},
	})
}

// inTurns is a store on a server that changes documents under those who read them. It may return a counter which others have raised since:
// to count what each caller was given there, they take turns. And it may answer a sorted page with a document that has moved on since it
// was found, so that whoever goes on after it passes over what lies between: there a page and a change exclude each other.
type inTurns struct {
	*mongodb.Store
	mu   sync.Mutex
	page sync.RWMutex
}

func (s *inTurns) SessionsActiveSince(ctx context.Context, since time.Time, after issuer.SessionCursor, limit int) ([]issuer.Session, error) {
	s.page.Lock()
	defer s.page.Unlock()
	return s.Store.SessionsActiveSince(ctx, since, after, limit)
}

func (s *inTurns) ListSessions(ctx context.Context, q issuer.SessionQuery, after issuer.Place, limit int) ([]issuer.Session, error) {
	s.page.Lock()
	defer s.page.Unlock()
	return s.Store.ListSessions(ctx, q, after, limit)
}

func (s *inTurns) ListUsers(ctx context.Context, q issuer.UserQuery, after issuer.Place, limit int) ([]issuer.User, error) {
	s.page.Lock()
	defer s.page.Unlock()
	return s.Store.ListUsers(ctx, q, after, limit)
}

func (s *inTurns) RevokeSession(ctx context.Context, sid string, r issuer.Revoking) (issuer.Session, bool, error) {
	s.page.RLock()
	defer s.page.RUnlock()
	return s.Store.RevokeSession(ctx, sid, r)
}

func (s *inTurns) UpdateProfile(ctx context.Context, id string, p issuer.ProfileChange) (issuer.User, bool, error) {
	s.page.RLock()
	defer s.page.RUnlock()
	return s.Store.UpdateProfile(ctx, id, p)
}

func (s *inTurns) ActOnUser(ctx context.Context, id string, a issuer.Act) (issuer.User, bool, error) {
	s.page.RLock()
	defer s.page.RUnlock()
	return s.Store.ActOnUser(ctx, id, a)
}

func (s *inTurns) RotateSession(ctx context.Context, r issuer.Rotation) (issuer.Session, bool, error) {
	s.page.RLock()
	defer s.page.RUnlock()
	return s.Store.RotateSession(ctx, r)
}

func (s *inTurns) CountSource(ctx context.Context, key string, expires time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.CountSource(ctx, key, expires)
}

// open opens a store and closes it when the test ends.
func open(t *testing.T, uri string, o mongodb.Options) *mongodb.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := mongodb.Open(ctx, uri, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

// TestCountSourceAtOnce: however a server answers callers at the same time, no more than n of them are told n or less, and
// each is counted.
func TestCountSourceAtOnce(t *testing.T) {
	s := open(t, mongotest.URI(t), mongodb.Options{})
	const callers = 32
	var mu sync.Mutex
	var told [callers + 1]int
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			n, err := s.CountSource(t.Context(), "k", noon)
			if err != nil || n < 1 || n > callers {
				t.Errorf("got %d, %v", n, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			told[n]++
		})
	}
	all.Wait()
	sum := 0
	for n, callers := range told {
		if sum += callers; sum > n {
			t.Errorf("%d callers were told %d or less", sum, n)
		}
	}
	if n, err := s.CountSource(t.Context(), "k", noon); n != callers+1 || err != nil {
		t.Errorf("then %d, %v", n, err)
	}
}

// TestClearReleaseAtOnce: two callers take the last two entries, and the marker is gone.
func TestClearReleaseAtOnce(t *testing.T) {
	uri := mongotest.URI(t)
	s := open(t, uri, mongodb.Options{})
	for round := range 50 {
		u := issuer.User{ID: string(rune('A' + round)), State: issuer.UserActive, Release: []string{"email:x", "name:y"}}
		if err := s.InsertUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, identifier := range u.Release {
			all.Go(func() {
				if ok, err := s.ClearRelease(t.Context(), u.ID, identifier, 0); !ok || err != nil {
					t.Errorf("%s: %v, %v", identifier, ok, err)
				}
			})
		}
		all.Wait()
	}
	if left, err := s.ReleasingUsers(t.Context(), "", 100); len(left) > 0 || err != nil {
		t.Errorf("still listed: %q, %v", left, err)
	}
}
