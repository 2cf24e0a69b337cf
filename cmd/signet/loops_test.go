package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFirstFailureEndsAllLoops(t *testing.T) {
	l := newLoops(context.Background())
	broken := errors.New("broken")
	l.run("patient", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	l.run("done", func(context.Context) error { return nil })
	l.run("failing", func(context.Context) error { return broken })
	<-l.ctx.Done()
	if cause := context.Cause(l.ctx); !errors.Is(cause, broken) || cause.Error() != "failing: broken" {
		t.Errorf("cause %v", cause)
	}
	l.stop(context.Background())
}

func TestStoppingLoopsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoops(context.Background())
		release := make(chan struct{})
		l.run("stuck", func(context.Context) error { <-release; return nil })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		l.stop(ctx)
		if took := time.Since(began); took != time.Second {
			t.Errorf("stopped after %s", took)
		}
		close(release)
	})
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 3500*time.Millisecond)
		defer cancel()
		acts := 0
		every(ctx, time.Second, func() { acts++ })
		if acts != 4 {
			t.Errorf("%d acts in 3.5 s, the first at once", acts)
		}
	})
}

// sweepStore counts what it is asked to delete.
type sweepStore struct{ left, asked int }

func (s *sweepStore) Sweep(_ context.Context, _ time.Time, limit int) (int, error) {
	s.asked++
	if s.asked == 2 {
		return 0, errors.New("busy")
	}
	n := min(limit, s.left)
	s.left -= n
	return n, nil
}

func TestSweepGoesOnInSmallBites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{config: &Config{}}
		st := &sweepStore{left: 3*sweepLimit + 1}
		ctx, cancel := context.WithTimeout(context.Background(), sweepEvery+time.Second)
		defer cancel()
		if err := s.sweepLoop(st, time.Now)(ctx); err != nil {
			t.Error(err)
		}
		// The first pass ends at the failure; the next goes on to the end.
		if st.left != 0 || st.asked != 5 {
			t.Errorf("%d left after %d bites", st.left, st.asked)
		}
	})
}
