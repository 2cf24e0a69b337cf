package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/issuer"
)

// memoryOutbox keeps mails and challenges under one lock: each method is the one conditional step that issuer.Outbox
// promises. after lets a test lose the answer of a step that was applied, before refuse one that wasn't.
type memoryOutbox struct {
	mu         sync.Mutex
	mails      map[string]issuer.Mail
	challenges map[string]issuer.Challenge
	before     func(method string) error
	after      func(method string) error
}

func newMemoryOutbox() *memoryOutbox {
	return &memoryOutbox{mails: map[string]issuer.Mail{}, challenges: map[string]issuer.Challenge{}}
}

func (o *memoryOutbox) step(method string, act func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.before != nil {
		if err := o.before(method); err != nil {
			return fmt.Errorf("%w: %w", issuer.ErrUnknown, err)
		}
	}
	act()
	if o.after != nil {
		if err := o.after(method); err != nil {
			return fmt.Errorf("%w: %w", issuer.ErrUnknown, err)
		}
	}
	return nil
}

func (o *memoryOutbox) InsertMail(_ context.Context, m issuer.Mail) error {
	return o.step("insert", func() { o.mails[m.ID] = m })
}

func (o *memoryOutbox) DueMails(_ context.Context, now time.Time, limit int) ([]string, error) {
	var due []issuer.Mail
	err := o.step("due", func() {
		for _, m := range o.mails {
			if !m.DueAt.After(now) && !m.LeaseUntil.After(now) && m.GiveUpAt.After(now) {
				due = append(due, m)
			}
		}
	})
	slices.SortFunc(due, func(a, b issuer.Mail) int { return a.DueAt.Compare(b.DueAt) })
	var ids []string
	for _, m := range due[:min(len(due), limit)] {
		ids = append(ids, m.ID)
	}
	return ids, err
}

func (o *memoryOutbox) ClaimMail(_ context.Context, id string, now, leaseUntil time.Time, by string) (m issuer.Mail, ok bool, err error) {
	err = o.step("claim", func() {
		m, ok = o.mails[id]
		ok = ok && !m.DueAt.After(now) && !m.LeaseUntil.After(now) && m.GiveUpAt.After(now)
		if ok {
			m.LeaseUntil, m.By, m.Tries = leaseUntil, by, m.Tries+1
			o.mails[id] = m
		}
	})
	return m, ok && err == nil, err
}

func (o *memoryOutbox) DeferMail(_ context.Context, id, by string, now, dueAt time.Time) (ok bool, err error) {
	err = o.step("defer", func() {
		m, there := o.mails[id]
		if ok = there && m.By == by; ok {
			m.LeaseUntil, m.DueAt = now, dueAt
			o.mails[id] = m
		}
	})
	return ok, err
}

func (o *memoryOutbox) DeleteMail(_ context.Context, id, by string) (ok bool, err error) {
	err = o.step("delete", func() {
		m, there := o.mails[id]
		if ok = there && m.By == by; ok {
			delete(o.mails, id)
		}
	})
	return ok, err
}

func (o *memoryOutbox) QueuedMails(_ context.Context, now time.Time) (n int64, err error) {
	err = o.step("count", func() {
		for _, m := range o.mails {
			if m.GiveUpAt.After(now) {
				n++
			}
		}
	})
	return n, err
}

func (o *memoryOutbox) Challenge(_ context.Context, id string) (c issuer.Challenge, err error) {
	found := false
	err = o.step("challenge", func() { c, found = o.challenges[id] })
	if err == nil && !found {
		err = issuer.ErrNotFound
	}
	return c, err
}

// change edits a challenge from outside of the worker.
func (o *memoryOutbox) change(id string, edit func(*issuer.Challenge)) {
	_ = o.step("edit", func() {
		c := o.challenges[id]
		edit(&c)
		o.challenges[id] = c
	})
}

func (o *memoryOutbox) mail(id string) (issuer.Mail, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.mails[id]
	return m, ok
}

// plainKeys is a clock and a seal that binds a letter to its id, as the real one does.
type plainKeys struct{ clock func() time.Time }

type plainSeal struct {
	Context []string
	Plain   []byte
}

func (k plainKeys) Now() time.Time { return k.clock() }

func (k plainKeys) Open(sealed []byte, context ...string) ([]byte, error) {
	var s plainSeal
	if err := json.Unmarshal(sealed, &s); err != nil {
		return nil, err
	}
	if !slices.Equal(s.Context, context) {
		return nil, errors.New("sealed for another context")
	}
	return s.Plain, nil
}

func seal(t testing.TB, l any, context ...string) []byte {
	t.Helper()
	plain, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := json.Marshal(plainSeal{Context: context, Plain: plain})
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// fakeClock moves when it is told to.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// counts is an Observer that remembers.
type counts struct {
	mu      sync.Mutex
	sent    int
	failed  map[Stage]int
	dropped map[DropReason]int
	waiting int64
	counted int
	changed chan struct{} // closed and replaced at each event
}

func newCounts() *counts {
	return &counts{failed: map[Stage]int{}, dropped: map[DropReason]int{}, changed: make(chan struct{})}
}

func (c *counts) MailSent(time.Duration) { c.note(func() { c.sent++ }) }
func (c *counts) MailFailed(s Stage)     { c.note(func() { c.failed[s]++ }) }
func (c *counts) MailDropped(r DropReason) {
	c.note(func() { c.dropped[r]++ })
}
func (c *counts) MailWaiting(n int64) { c.note(func() { c.waiting = n; c.counted++ }) }

func (c *counts) note(act func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	act()
	close(c.changed)
	c.changed = make(chan struct{})
}

// until waits for a condition on what was counted.
func (c *counts) until(t *testing.T, what string, holds func(*counts) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		c.mu.Lock()
		ok, changed := holds(c), c.changed
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			c.mu.Lock()
			defer c.mu.Unlock()
			t.Fatalf("waited in vain for %s: sent %d, failed %v, dropped %v", what, c.sent, c.failed, c.dropped)
		}
	}
}

// journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
