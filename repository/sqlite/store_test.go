package sqlite

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

func TestTheHostsClockIsTheStores(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	s, err := Open(t.Context(), fileIn(t), Options{Wall: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if got, err := s.StoreTime(t.Context()); !got.Equal(now) || got.Location() != time.UTC || err != nil {
		t.Errorf("the store's time is %v, %v, want %v", got, err, now)
	}
	if list, err := s.AllClients(t.Context()); err != nil || !list[0].CreatedAt.Equal(now.Truncate(time.Millisecond)) {
		t.Errorf("the first client was made at %v, %v", list, err)
	}
}

func TestPingAndStats(t *testing.T) {
	s := openAt(t, fileIn(t))
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	d := benchSession(1)
	if err := s.InsertSession(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	if hit, err := rotateOnce(s, d.ID, d.Gen, "att"); !hit || err != nil {
		t.Fatal(hit, err)
	}
	now := s.Stats()
	if now.Commits-before.Commits != 1 || now.Operations-before.Operations != 1 || now.CommitTime <= before.CommitTime {
		t.Errorf("a rotation is one operation in one commit: %+v, then %+v", before, now)
	}
	if now.Waiting != 0 || now.Failures != 0 || now.FileBytes == 0 || now.LogBytes == 0 {
		t.Errorf("stats %+v", now)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store answers a ping")
	}
}

// TestEveryListHasAnIndex asks SQLite how it would run each query that the store has prepared. Tables that stay small may be read whole.
func TestEveryListHasAnIndex(t *testing.T) {
	s, ctx := openAt(t, fileIn(t)), t.Context()
	for _, list := range []func() error{
		func() error { return s.Ping(ctx) },
		func() error { _, err := s.PendingUsers(ctx, "a", 5); return err },
		func() error { _, err := s.ReleasingUsers(ctx, "a", 5); return err },
		func() error { _, err := s.ListUsers(ctx, issuer.UserQuery{}, issuer.Place{}, 5); return err },
		func() error { _, err := s.HashKinds(ctx); return err },
		func() error { _, err := s.ListIdentifiers(ctx, "a", 5); return err },
		func() error { _, err := s.OpenIdentifiers(ctx, "a", 5); return err },
		func() error { _, err := s.SessionsOf(ctx, "u", "a", 5); return err },
		func() error { _, err := s.NoticeSessions(ctx, "a", 5); return err },
		func() error { _, err := s.DueMails(ctx, benchNow, 5); return err },
		func() error { _, err := s.QueuedMails(ctx, benchNow); return err },
		func() error { _, err := s.Mails(ctx, "a", 5); return err },
		func() error {
			_, err := s.SessionsActiveSince(ctx, benchNow, issuer.SessionCursor{}, 5)
			return err
		},
		func() error {
			_, err := s.ListAudit(ctx, issuer.AuditQuery{Since: benchNow}, issuer.Place{}, 5)
			return err
		},
		func() error { _, err := s.AllClients(ctx); return err },
		func() error { _, err := s.Heartbeats(ctx); return err },
	} {
		if err := list(); err != nil {
			t.Fatal(err)
		}
	}
	s.readers.mu.Lock()
	var queries []string
	for q := range s.readers.prepared {
		queries = append(queries, q)
	}
	s.readers.mu.Unlock()
	for _, table := range swept {
		queries = append(queries, sweepQuery(table))
	}
	if len(queries) < 14 {
		t.Fatalf("only %d queries", len(queries))
	}
	for _, q := range queries {
		plan := ""
		err := readRows(ctx, s, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan += detail + "\n"
			return err
		}, "EXPLAIN QUERY PLAN "+q, make([]any, strings.Count(q, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		plan = strings.ReplaceAll(plan, "SCAN kinds\n", "") // the recursive list of kinds itself, which is as long as there are kinds
		small := strings.Contains(q, "FROM clients") || strings.Contains(q, "SELECT id, doc FROM heartbeats")
		if strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "SCAN") && !small {
			t.Errorf("%s\nis run as\n%s", q, plan)
		}
	}
}

func TestABudgetOfNone(t *testing.T) {
	s := openAt(t, fileIn(t))
	for _, limit := range []int{0, -1} {
		counted, until, err := s.TakeBudget(t.Context(), "key", "att", limit, time.Minute, benchNow)
		if counted || !until.Equal(benchNow.Add(time.Minute)) || err != nil {
			t.Errorf("limit %d: %v until %v, %v", limit, counted, until, err)
		}
	}
}
