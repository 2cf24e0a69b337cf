package conformance

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"signet/issuer"
)

// Fault is what goes wrong with one operation.
type Fault int

const (
	// None: the operation takes place and is answered.
	None Fault = iota
	// CrashBefore: the operation does not take place, and the caller gets an error that wraps issuer.ErrUnknown.
	CrashBefore
	// AnswerLost: the operation takes place, and the caller gets an error that wraps issuer.ErrUnknown.
	AnswerLost
	// Twice: the operation takes place twice, and the caller gets the second answer, as from a driver that resends.
	Twice
)

// ErrInjected is wrapped by every error that a Faulty store makes up.
var ErrInjected = errors.New("injected fault")

// Plan decides the fault of an operation. op is the name of the method, n numbers the operations on the wrapper from 1. It is
// called from one goroutine at a time.
type Plan func(op string, n int) Fault

// At is a plan that has one fault, of operation n.
func At(n int, f Fault) Plan {
	return func(_ string, i int) Fault {
		if i == n {
			return f
		}
		return None
	}
}

// From is a plan that has f from operation n on: From(n, CrashBefore) is a process that died there.
func From(n int, f Fault) Plan {
	return func(_ string, i int) Fault {
		if i >= n {
			return f
		}
		return None
	}
}

// Faulty returns a store that does what s does, but for the faults of plan. StaleReads and EffectDelay are no operations and have none.
func Faulty(s Store, plan Plan) Store { return &faulty{s: s, plan: plan} }

type faulty struct {
	s    Store
	mu   sync.Mutex
	n    int
	plan Plan
}

func (f *faulty) fault(op string) (Fault, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return f.plan(op, f.n), f.n
}

// run does one operation; call keeps its results.
func (f *faulty) run(op string, call func() error) error {
	fault, n := f.fault(op)
	if fault == CrashBefore {
		return fmt.Errorf("%w before operation %d, %s: %w", ErrInjected, n, op, issuer.ErrUnknown)
	}
	err := call()
	switch fault {
	case AnswerLost:
		return fmt.Errorf("%w after operation %d, %s: %w", ErrInjected, n, op, issuer.ErrUnknown)
	case Twice:
		return call()
	}
	return err
}

// one, two and three run an operation with that many results; a lost answer loses them all.
func (f *faulty) one(op string, call func() error) error { return f.run(op, call) }

func two[A any](f *faulty, op string, call func() (A, error)) (a A, err error) {
	err = f.run(op, func() (err error) { a, err = call(); return err })
	if errors.Is(err, ErrInjected) {
		a = *new(A)
	}
	return a, err
}

func three[A, B any](f *faulty, op string, call func() (A, B, error)) (a A, b B, err error) {
	err = f.run(op, func() (err error) { a, b, err = call(); return err })
	if errors.Is(err, ErrInjected) {
		a, b = *new(A), *new(B)
	}
	return a, b, err
}

// Counter is a store that counts what is asked of it.
type Counter struct {
	Store
	mu     sync.Mutex
	counts map[string]int
}

// Counting returns s with a count of its operations.
func Counting(s Store) *Counter {
	c := &Counter{counts: map[string]int{}}
	c.Store = Faulty(s, func(op string, _ int) Fault {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.counts[op]++
		return None
	})
	return c
}

// Operations is how often each method was called, by its name, since the last Reset.
func (c *Counter) Operations() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// Total is the number of operations since the last Reset.
func (c *Counter) Total() (n int) {
	for _, v := range c.Operations() {
		n += v
	}
	return n
}

// Reset begins a new count.
func (c *Counter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.counts)
}
