package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/issuer"
)

func newUser(id string) issuer.User {
	return issuer.User{ID: id, State: issuer.UserActive, CreatedAt: benchNow}
}

// hold keeps the writer inside an operation until release is called, so that what is asked meanwhile makes one batch.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	began, end, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := write(context.Background(), s.writer, func(*tx) (int, error) { close(began); <-end; return 0, nil })
		ended <- err
	}()
	<-began
	return func() {
		close(end)
		if err := <-ended; err != nil {
			t.Errorf("the held operation: %v", err)
		}
	}
}

// queued waits until n operations wait in the queue.
func queued(t *testing.T, s *Store, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); s.Stats().Waiting < n; {
		if time.Now().After(end) {
			t.Fatalf("%d operations wait, want %d", s.Stats().Waiting, n)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func exists(t *testing.T, s *Store, id string) bool {
	t.Helper()
	_, err := s.User(context.Background(), id)
	if err != nil && !errors.Is(err, issuer.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// inOneBatch runs the operations in one transaction, in their order, and returns their errors.
func inOneBatch(t *testing.T, s *Store, ops ...func(*tx) (int64, error)) []error {
	t.Helper()
	release, errs := hold(t, s), make([]error, len(ops))
	var done sync.WaitGroup
	for i, op := range ops {
		done.Go(func() { _, errs[i] = write(context.Background(), s.writer, op) })
		queued(t, s, i+1)
	}
	release()
	done.Wait()
	return errs
}

func insertion(id string) func(*tx) (int64, error) {
	return func(x *tx) (int64, error) {
		return x.exec(`INSERT INTO users (id, created_at, doc) VALUES (?, 0, '{"state":"active"}')`, id)
	}
}

func TestConcurrentWritesShareACommit(t *testing.T) {
	s := openAt(t, fileIn(t))
	before := s.Stats()
	ops := make([]func(*tx) (int64, error), 20)
	for i := range ops {
		ops[i] = insertion(fmt.Sprint(i))
	}
	for i, err := range inOneBatch(t, s, ops...) {
		if err != nil || !exists(t, s, fmt.Sprint(i)) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if now := s.Stats(); now.Commits-before.Commits != 2 || now.Operations-before.Operations != 21 {
		t.Errorf("%d operations in %d commits, want 21 in 2: the held one, and one for all", now.Operations-before.Operations, now.Commits-before.Commits)
	}
}

func TestAFailingOperationHurtsNobodyElse(t *testing.T) {
	s := openAt(t, fileIn(t))
	errs := inOneBatch(t, s,
		insertion("before"),
		func(x *tx) (int64, error) {
			return x.exec(`INSERT INTO users (id, created_at, doc) VALUES (1, 'no number', '')`)
		},
		func(*tx) (int64, error) { return 0, issuer.ErrExists },
		insertion("after"),
	)
	if errs[0] != nil || errs[3] != nil || !exists(t, s, "before") || !exists(t, s, "after") {
		t.Errorf("the others: %v, %v", errs[0], errs[3])
	}
	if !errors.Is(errs[1], issuer.ErrUnknown) || exists(t, s, "1") {
		t.Errorf("the one that fails: %v", errs[1])
	}
	if !errors.Is(errs[2], issuer.ErrExists) || errors.Is(errs[2], issuer.ErrUnknown) {
		t.Errorf("an answer that is an error: %v", errs[2])
	}
}

func TestAFailedCommitIsUnknownToAll(t *testing.T) {
	s := openAt(t, fileIn(t))
	errs := inOneBatch(t, s,
		insertion("first"),
		func(x *tx) (int64, error) { return x.exec(`ROLLBACK`) }, // the transaction is gone under the others' feet
	)
	for i, err := range errs {
		if !errors.Is(err, issuer.ErrUnknown) {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	if exists(t, s, "first") {
		t.Error("the rollback kept something")
	}
	if err := s.InsertUser(t.Context(), newUser("later")); err != nil || !exists(t, s, "later") {
		t.Errorf("after the failure: %v", err)
	}
	if s.Stats().Failures == 0 {
		t.Error("the failure was not counted")
	}
}

func TestAFullDiskIsSaidAndGotOver(t *testing.T) {
	s := openAt(t, fileIn(t))
	pages := func(limit int64) {
		t.Helper()
		_, err := write(t.Context(), s.writer, func(x *tx) (n int64, err error) {
			_, err = x.row(&n, fmt.Sprintf(`PRAGMA max_page_count = %d`, limit))
			return n, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.InsertUser(t.Context(), newUser("small")); err != nil {
		t.Fatal(err)
	}
	pages(1) // as many as there are, and no more
	big := newUser("big")
	big.GivenName = strings.Repeat("x", 1<<20)
	err := s.InsertUser(t.Context(), big)
	if !errors.Is(err, issuer.ErrUnknown) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("on a full disk: %v", err)
	}
	if exists(t, s, "big") {
		t.Error("a part of it was kept")
	}
	if _, hit, err := s.RecordSignIn(t.Context(), "small", 0, benchNow); !hit || err != nil {
		t.Errorf("a write that needs no room: %v, %v", hit, err)
	}
	pages(1 << 30)
	if err := s.InsertUser(t.Context(), big); err != nil || !exists(t, s, "big") {
		t.Errorf("with room again: %v", err)
	}
}

func TestACallerWhoLeavesLearnsNothing(t *testing.T) {
	s := openAt(t, fileIn(t))
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- s.InsertUser(ctx, newUser("left")) }()
	queued(t, s, 1)
	cancel()
	if err := <-left; !errors.Is(err, issuer.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("who left was told %v", err)
	}
	release()
	if err := s.InsertUser(t.Context(), newUser("stayed")); err != nil {
		t.Error(err)
	}
	if exists(t, s, "left") {
		t.Error("a write was begun that nobody waited for")
	}
}

func TestACallerWhoLeavesAFullQueue(t *testing.T) {
	s := openAt(t, fileIn(t))
	release := hold(t, s)
	room := cap(s.writer.queue)
	errs := make(chan error, room)
	for i := range room {
		go func() { errs <- s.InsertUser(t.Context(), newUser(fmt.Sprint(i))) }()
	}
	queued(t, s, room)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.InsertUser(ctx, newUser("left")); !errors.Is(err, issuer.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who found no room was told %v", err)
	}
	release()
	for range room {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if exists(t, s, "left") {
		t.Error("who found no room was let in")
	}
}

func TestACallerWhoLeavesDuringTheCommit(t *testing.T) {
	s := openAt(t, fileIn(t))
	ctx, cancel := context.WithCancel(t.Context())
	began, end := make(chan struct{}), make(chan struct{})
	left := make(chan error)
	go func() {
		_, err := write(ctx, s.writer, func(x *tx) (int64, error) { close(began); <-end; return insertion("late")(x) })
		left <- err
	}()
	<-began
	cancel()
	if err := <-left; !errors.Is(err, issuer.ErrUnknown) {
		t.Errorf("who left was told %v", err)
	}
	close(end)
	if err := s.InsertUser(t.Context(), newUser("next")); err != nil { // behind it in the queue
		t.Error(err)
	}
	if !exists(t, s, "late") {
		t.Error("what had begun was dropped")
	}
}

func TestCloseAnswersWhatWasAsked(t *testing.T) {
	path := fileIn(t)
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, s)
	errs := make([]error, 200)
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() { errs[i] = s.InsertUser(t.Context(), newUser(fmt.Sprint(i))) })
	}
	queued(t, s, len(errs))
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	<-s.writer.closing
	release()
	done.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := s.InsertUser(t.Context(), newUser("late")); !errors.Is(err, issuer.ErrUnknown) {
		t.Errorf("a write after the end: %v", err)
	}
	if _, err := s.User(t.Context(), "0"); !errors.Is(err, issuer.ErrUnknown) {
		t.Errorf("a read after the end: %v", err)
	}
	s = openAt(t, path)
	for i, err := range errs {
		if err != nil || !exists(t, s, fmt.Sprint(i)) {
			t.Errorf("write %d: %v", i, err)
		}
	}
}
