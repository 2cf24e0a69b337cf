package main

import (
	"context"
	"fmt"
	"sync"
)

// loops owns the server's background work. The first to fail cancels the context of all. Each is waited for.
type loops struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wait   sync.WaitGroup
}

func newLoops(parent context.Context) *loops {
	l := &loops{}
	l.ctx, l.cancel = context.WithCancelCause(parent)
	return l
}

// run starts f, which works until its context ends. An error before that ends all.
func (l *loops) run(name string, f func(context.Context) error) {
	l.wait.Go(func() {
		if err := f(l.ctx); err != nil && l.ctx.Err() == nil {
			l.cancel(fmt.Errorf("%s: %w", name, err))
		}
	})
}

// stop ends all and waits for them, until ctx ends at most: a store that does not answer must not keep the process.
func (l *loops) stop(ctx context.Context) {
	l.cancel(context.Canceled)
	done := make(chan struct{})
	go func() {
		l.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
