package issuer

import (
	"context"
	"sync"
	"time"
)

// A rotation counts as superseding a token from the moment that its caller could have known. An answer that comes later than half the grace,
// or whose outcome was unknown, moves that moment to now:
//
//	{sid, Gen g+1, By att} -> At now, and the Recent entry of g
//
// A request whose time is up before the store says anything leaves this to the background, which goes on until the store has
// answered; until then nobody is called a thief over that session on this replica. Otherwise an outage longer than the grace would call every
// applied but unanswered refresh a theft. A process killed in that time costs its callers a sign-in.

const (
	redatePause    = 100 * time.Millisecond
	redateLastTry  = 30 * time.Minute
	mostUnanswered = 10_000 // beyond, a caller may have to sign in again
)

// late says whether the answer to a request that began then comes too late to be counted from then.
func (p *Provider) late(began time.Time) bool {
	return p.set.RefreshGrace > 0 && p.now().Sub(began) > p.set.RefreshGrace/2
}

// redate does it before the answer; what can't be done now is left to the background.
func (p *Provider) redate(ctx context.Context, s Session, att string) {
	if p.set.RefreshGrace == 0 {
		return
	}
	if _, err := again(ctx, func() (bool, error) { return p.store.RedateRotation(ctx, s.ID, s.Gen, att, p.now()) }); err != nil {
		p.redateLater(ctx, s.ID, s.Gen, att)
	}
}

// redateLater does it in the background, for a rotation that may or may not have been applied.
func (p *Provider) redateLater(ctx context.Context, sid string, gen int64, att string) {
	if p.set.RefreshGrace == 0 || !p.unanswered.add(sid) {
		return
	}
	go func() {
		defer p.unanswered.done(sid)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redateLastTry)
		defer cancel()
		for {
			if _, err := p.store.RedateRotation(ctx, sid, gen, att, p.now()); err == nil {
				return
			}
			select {
			case <-p.unanswered.closing():
				return
			case <-ctx.Done():
				return
			case <-time.After(redatePause):
			}
		}
	}()
}

// Drain lets what goes on in the background end: late answers are dated anew, or, when ctx ends first, given up.
func (p *Provider) Drain(ctx context.Context) {
	select {
	case <-p.unanswered.empty():
	case <-ctx.Done():
		p.unanswered.close()
	}
}

// unansweredRotations are the sessions with a rotation that is still to be dated anew, each with how often. Safe for concurrent use.
type unansweredRotations struct {
	mu     sync.Mutex
	of     map[string]int
	idle   chan struct{} // closed while there are none
	ending chan struct{}
	ended  bool
}

func newUnanswered() *unansweredRotations {
	u := &unansweredRotations{of: map[string]int{}, idle: make(chan struct{}), ending: make(chan struct{})}
	close(u.idle)
	return u
}

func (u *unansweredRotations) add(sid string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended || len(u.of) >= mostUnanswered {
		return false
	}
	if len(u.of) == 0 {
		u.idle = make(chan struct{})
	}
	u.of[sid]++
	return true
}

func (u *unansweredRotations) done(sid string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of[sid]--; u.of[sid] == 0 {
		delete(u.of, sid)
	}
	if len(u.of) == 0 {
		close(u.idle)
	}
}

func (u *unansweredRotations) has(sid string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.of[sid] > 0
}

func (u *unansweredRotations) empty() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.idle
}

func (u *unansweredRotations) closing() <-chan struct{} { return u.ending }

func (u *unansweredRotations) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		u.ended = true
		close(u.ending)
	}
}
