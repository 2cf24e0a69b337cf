package mail

import (
	"context"
	"sync"

	"signet/issuer"
)

// slots bounds how many tries run at once. Mail fresh from a request and mail found by the poll have places of their own, so
// that neither a backlog that a stalling server holds up nor a storm of sign-ins shuts the other out.
//
// Invariant: after close has returned, no try begins, and idle is closed when the last one has ended.
type slots struct {
	mu      sync.Mutex
	fresh   int // running from requests
	busy    int // running in all
	limit   int // of fresh
	waiting []issuer.Mail
	retries chan struct{} // holds a token for each running from the poll
	closed  bool
	idle    chan struct{}
}

// waitingLimit is how many fresh mails wait in memory for a place; further ones are left to the poll.
const waitingLimit = 256

func newSlots(fresh, retries int) *slots {
	return &slots{limit: fresh, retries: make(chan struct{}, retries), idle: make(chan struct{})}
}

// offer takes a fresh mail: run says that the caller has a place for it now, kept that it waits for one.
func (s *slots) offer(m issuer.Mail) (run, kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return false, false
	case s.fresh < s.limit:
		s.fresh++
		s.busy++
		return true, true
	case len(s.waiting) < waitingLimit:
		s.waiting = append(s.waiting, m)
		return false, true
	}
	return false, false
}

// next hands the place of an ended fresh try to the mail that has waited longest; false gives the place up.
func (s *slots) next() (issuer.Mail, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		m := s.waiting[0]
		s.waiting = s.waiting[1:]
		return m, true
	}
	s.fresh--
	s.leave()
	return issuer.Mail{}, false
}

// enterRetry waits for a place for a mail of the poll; false when ctx ended or the slots closed first.
func (s *slots) enterRetry(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case s.retries <- struct{}{}:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.retries
		return false
	}
	s.busy++
	return true
}

func (s *slots) leaveRetry() {
	<-s.retries
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
}

// leave is called with mu held.
func (s *slots) leave() {
	s.busy--
	if s.closed && s.busy == 0 {
		close(s.idle)
	}
}

// close lets no further try begin and returns the mails that waited for one. Again is a no-op.
func (s *slots) close() []issuer.Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.busy == 0 {
		close(s.idle)
	}
	waiting := s.waiting
	s.waiting = nil
	return waiting
}

// closing says whether close was called.
func (s *slots) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
