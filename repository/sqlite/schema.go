package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrNewerSchema: the file was written by a newer version, whose documents this one can't know how to keep.
var ErrNewerSchema = errors.New("the database was written by a newer version of signet")

// ErrOlderSchema: the file was written by an older version, and a command does not migrate it.
var ErrOlderSchema = errors.New("the database was written by an older version of signet: start this version's server once, which brings it up to date")

// step brings the schema from the version before it to the next. Each is applied once, in one transaction with its version.
type step struct {
	sql  string
	args func(now time.Time) []any // of the parameters in sql; nil for none
}

// steps is the history of the schema: version n is what the first n steps make. A step that has been released never
// changes; a change is a new step at the end.
var steps = []step{
	{sql: tables},
	{sql: firstParty, args: func(now time.Time) []any { return []any{now.UnixMilli()} }},
	{sql: activeSessions},
}

// The documents come last in a row, so that the columns of the lists are read without them.
const tables = `
CREATE TABLE users (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, pending INTEGER, releasing INTEGER, doc TEXT NOT NULL) STRICT;
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_pending ON users (id) WHERE pending IS NOT NULL;
CREATE INDEX users_releasing ON users (id) WHERE releasing IS NOT NULL;

CREATE TABLE identifiers (id TEXT PRIMARY KEY, open INTEGER, doc TEXT NOT NULL) STRICT;
CREATE INDEX identifiers_open ON identifiers (id) WHERE open IS NOT NULL;

CREATE TABLE challenges (id TEXT PRIMARY KEY, ttl_at INTEGER, doc TEXT NOT NULL) STRICT;
CREATE INDEX challenges_ttl ON challenges (ttl_at);

CREATE TABLE sessions (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, notice INTEGER, ttl_at INTEGER, doc TEXT NOT NULL) STRICT;
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_notice ON sessions (id) WHERE notice IS NOT NULL;
CREATE INDEX sessions_ttl ON sessions (ttl_at);

CREATE TABLE outbox (id TEXT PRIMARY KEY, due_at INTEGER NOT NULL, lease_until INTEGER NOT NULL, give_up_at INTEGER NOT NULL, ttl_at INTEGER, doc TEXT NOT NULL) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id);
CREATE INDEX outbox_give_up ON outbox (give_up_at);
CREATE INDEX outbox_ttl ON outbox (ttl_at);

CREATE TABLE throttles (id TEXT PRIMARY KEY, ttl_at INTEGER, doc TEXT NOT NULL) STRICT;
CREATE INDEX throttles_ttl ON throttles (ttl_at);

CREATE TABLE clients (id TEXT PRIMARY KEY, doc TEXT NOT NULL) STRICT;

CREATE TABLE audit (id TEXT PRIMARY KEY, at INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX audit_at ON audit (at, id);

CREATE TABLE keyring (id TEXT PRIMARY KEY, doc TEXT NOT NULL) STRICT;

CREATE TABLE heartbeats (id TEXT PRIMARY KEY, ttl_at INTEGER, doc TEXT NOT NULL) STRICT;
CREATE INDEX heartbeats_ttl ON heartbeats (ttl_at);
`

const firstParty = `
INSERT INTO clients (id, doc) VALUES ('first-party', json_object('name', 'First-party apps', 'first_party', json('true'), 'created_at', ?));
`

// activeSessions finds the sessions of an hour and later without reading the others.
const activeSessions = `
ALTER TABLE sessions ADD COLUMN active_hour INTEGER;
UPDATE sessions SET active_hour = max(coalesce(doc ->> '$.at', 0), coalesce(doc ->> '$.created_at', 0)) / 3600000;
CREATE INDEX sessions_active ON sessions (active_hour, id);
`

// prepareSchema makes sure that the file is ours and has every step, and that it is in WAL mode, which the file remembers.
func prepareSchema(ctx context.Context, db *sql.DB, o Options, steps []step) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return patiently(ctx, o.BusyTimeout, func() error {
		version, err := schemaVersion(ctx, conn)
		if err != nil {
			return err
		}
		if version > len(steps) {
			return fmt.Errorf("%w: its schema has version %d, and this one knows %d", ErrNewerSchema, version, len(steps))
		}
		if o.AsIs && version < len(steps) {
			return fmt.Errorf("%w (its schema has version %d, and this one knows %d)", ErrOlderSchema, version, len(steps))
		}
		var mode string
		if err := conn.QueryRowContext(ctx, `PRAGMA journal_mode=WAL`).Scan(&mode); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("the file system can't hold a write-ahead log (journal mode %q)", mode)
		}
		if version == len(steps) {
			return nil
		}
		return migrate(ctx, conn, o.Wall(), steps)
	})
}

// schemaVersion is 0 for an empty file.
func schemaVersion(ctx context.Context, conn *sql.Conn) (version int, err error) {
	var ours, all int
	err = conn.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE name = 'schema_version'), count(*) FROM sqlite_schema`).Scan(&ours, &all)
	if err != nil || all == 0 {
		return 0, err
	}
	if ours == 0 {
		return 0, errors.New("the file is the database of another program")
	}
	err = conn.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version)
	return version, err
}

// migrate applies the steps that are missing, all or none. Another process may have applied them since we looked.
func migrate(ctx context.Context, conn *sql.Conn, now time.Time, steps []step) (err error) {
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
		}
	}()
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	if version == 0 {
		if _, err := conn.ExecContext(ctx, `CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT`); err != nil {
			return err
		}
	}
	for ; version < len(steps); version++ {
		s, args := steps[version], []any(nil)
		if s.args != nil {
			args = s.args(now)
		}
		if _, err := conn.ExecContext(ctx, s.sql, args...); err != nil {
			return fmt.Errorf("schema step %d: %w", version+1, err)
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO schema_version (version, applied_at) VALUES (?, ?)`, version+1, now.UnixMilli()); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, `COMMIT`)
	return err
}

// patiently repeats f while another process holds the file, for no longer than busy.
func patiently(ctx context.Context, busy time.Duration, f func() error) error {
	wait := 200 * time.Microsecond
	for end := time.Now().Add(busy); ; {
		err := f()
		if code(err) != codeBusy || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait = min(2*wait, 2*time.Millisecond)
	}
}
