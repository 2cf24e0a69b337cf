package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/repository/sqlite"
)

// purge deletes what has expired, and of the audit log what is older than its retention; what is needed stays.
func TestPurge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &Config{DataDir: filepath.Join(dir, "signet-data")}
	st, err := openStore(t.Context(), c, true)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, age := range []time.Duration{0, 20 * 24 * time.Hour, 30 * 24 * time.Hour} {
		expired := now.Add(-age)
		challenge := issuer.Challenge{ID: fmt.Sprint("c", i), State: issuer.ChallengeOpen, CreatedAt: expired, ExpiresAt: expired}
		if err := errors.Join(st.InsertChallenge(t.Context(), challenge), st.AppendAudit(t.Context(), issuer.AuditEvent{ID: fmt.Sprint("e", i), Type: "t", At: expired})); err != nil {
			t.Fatal(err)
		}
	}
	s := restoreStory{t, dir, []string{"SIGNET_AUDIT_RETENTION=25d"}} // beside the open store
	if out := s.must("purge"); !strings.Contains(out, "deleted 2 expired documents and 1 audit events") {
		t.Error(out)
	}
	if out := s.must("purge", "--json"); !strings.Contains(out, `"expired": 0`) || !strings.Contains(out, `"audit": 0`) {
		t.Error(out)
	}
	if out := s.must("purge", "--json", "--audit-retention", "0s"); !strings.Contains(out, `"audit": 0`) {
		t.Errorf("for ever is not for ever: %s", out)
	}
	if out := s.must("purge", "--json", "--audit-retention", "10d"); !strings.Contains(out, `"audit": 1`) {
		t.Error(out)
	}
	if _, err := st.Challenge(t.Context(), "c0"); err != nil {
		t.Errorf("what is needed is gone: %v", err)
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A server keeps the log for as long as it is told, in bites, and rests between them.
func TestRetentionLoop(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	for i := range retainLimit + 10 {
		if err := s.AppendAudit(t.Context(), issuer.AuditEvent{ID: fmt.Sprint(i), Type: "t", At: now.Add(-2 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AppendAudit(t.Context(), issuer.AuditEvent{ID: "young", Type: "t", At: now}); err != nil {
		t.Fatal(err)
	}
	rests := 0
	if n, err := purgeAudit(t.Context(), s, now.Add(-3*time.Hour), 0, func() { rests++ }); n != 0 || rests != 0 || err != nil {
		t.Errorf("too young: %d, %d rests, %v", n, rests, err)
	}
	if n, err := purgeAudit(t.Context(), s, now.Add(-time.Hour), 1, func() { rests++ }); n != retainLimit || rests != 0 || err != nil {
		t.Errorf("one bite: %d, %d rests, %v", n, rests, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	passes := atomic.Int32{}
	run := func(keep time.Duration) error {
		return retentionLoop(s, keep, func() time.Time { passes.Add(1); return now }, zerolog.Nop())(ctx)
	}
	if err := run(0); err != nil || passes.Load() != 0 {
		t.Errorf("for ever: %d passes, %v", passes.Load(), err)
	}
	ended := make(chan error)
	go func() { ended <- run(time.Hour) }()
	left := func() []issuer.AuditEvent {
		all, err := s.ListAudit(t.Context(), issuer.AuditQuery{}, issuer.Place{}, 100)
		if err != nil {
			t.Error(err)
		}
		return all
	}
	waitFor(t, "the old events to go", startTime, func() bool { return len(left()) == 1 })
	cancel()
	if err := <-ended; err != nil || left()[0].ID != "young" || passes.Load() != 1 {
		t.Errorf("%v, %v, %d passes", err, left(), passes.Load())
	}
}
