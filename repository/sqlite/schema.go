package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
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
	fill func(*tx) error           // what sql can't make; nil for nothing
}

// steps is the history of the schema: version n is what the first n steps make. A step that has been released never
// changes; a change is a new step at the end.
var steps = []step{
	{sql: tables},
	{sql: firstParty, args: func(now time.Time) []any { return []any{now.UnixMilli()} }},
	{sql: activeSessions},
	{sql: userLists, fill: fillUsers},
	{sql: sessionPages},
	{sql: auditPages},
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

// userLists finds users by what they begin with, by role and by state, and counts them; see user_lists.go. The documents are read in
// order of users_created, which nothing needs afterwards.
const userLists = `
ALTER TABLE users ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE users ADD COLUMN hash_kind TEXT;
CREATE INDEX users_hash_kind ON users (hash_kind) WHERE hash_kind IS NOT NULL;

CREATE TABLE user_lists (list TEXT NOT NULL, created_at INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (list, created_at, id)) STRICT, WITHOUT ROWID;
CREATE TABLE user_terms (chunk INTEGER NOT NULL, term TEXT NOT NULL, created_at INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (chunk, term, created_at, id)) STRICT, WITHOUT ROWID;
CREATE TABLE user_chunks (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, id TEXT NOT NULL, users INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX user_chunks_place ON user_chunks (at, id);
INSERT INTO user_chunks (n, at, id, users) VALUES (1, -9223372036854775808, '', 0);

CREATE TABLE counts (what TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counts (what, n) SELECT 'users ' || value, (SELECT count(*) FROM users WHERE doc ->> '$.state' = value) FROM json_each('["active", "disabled", "deleted"]');
UPDATE users SET state = doc ->> '$.state';
CREATE TRIGGER users_counted AFTER INSERT ON users BEGIN
	UPDATE counts SET n = n + 1 WHERE what = 'users ' || NEW.state;
END;
CREATE TRIGGER users_recounted AFTER UPDATE OF state ON users BEGIN
	UPDATE counts SET n = n - 1 WHERE what = 'users ' || OLD.state;
	UPDATE counts SET n = n + 1 WHERE what = 'users ' || NEW.state;
END;
`

// fillUsers makes what only Go can make of users who are there.
func fillUsers(x *tx) error {
	type row struct{ id, doc string }
	for at, id := int64(math.MinInt64), ""; ; {
		var page []row
		err := x.rows(func(scan func(...any) error) error {
			var r row
			err := scan(&r.id, &r.doc, &at)
			page = append(page, r)
			return err
		}, `SELECT id, doc, created_at FROM users WHERE (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT 1000`, at, id)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			_, err := x.exec(`DROP INDEX users_created`)
			return err
		}
		for _, r := range page {
			u, err := users.open(r.id, r.doc)
			if err != nil {
				return err
			}
			if _, err := x.exec(`UPDATE users SET hash_kind = ? WHERE id = ?`, kindOf(&u), r.id); err != nil {
				return err
			}
			if err := enlist(x, nil, &u); err != nil {
				return err
			}
			id = r.id
		}
	}
}

// sessionPages lists sessions in order of created_at, those that ended apart from the others, and counts them. ended is 0 while a session may be
// used, 1 once it was revoked, and 2 when nothing was heard of it for a day after it had expired, which only the sweep says. ends_hour
// is the hour in which it expires: it changes with active_hour, once an hour at most.
const sessionPages = `
ALTER TABLE sessions ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN ends_hour INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET created_at = coalesce(doc ->> '$.created_at', 0), ended = doc ->> '$.revoked' IS NOT NULL,
	ends_hour = min(coalesce(doc ->> '$.idle_at', 0), coalesce(doc ->> '$.abs_at', 0)) / 3600000;
CREATE INDEX sessions_user_page ON sessions (user_id, ended, created_at, id);
CREATE INDEX sessions_page ON sessions (ended, created_at, id);
CREATE INDEX sessions_ends ON sessions (ends_hour) WHERE ended = 0;

INSERT INTO counts (what, n) SELECT 'sessions ' || value, (SELECT count(*) FROM sessions WHERE ended = value) FROM json_each('[0, 1, 2]');
CREATE TRIGGER sessions_counted AFTER INSERT ON sessions BEGIN
	UPDATE counts SET n = n + 1 WHERE what = 'sessions ' || NEW.ended;
END;
CREATE TRIGGER sessions_recounted AFTER UPDATE OF ended ON sessions BEGIN
	UPDATE counts SET n = n - 1 WHERE what = 'sessions ' || OLD.ended;
	UPDATE counts SET n = n + 1 WHERE what = 'sessions ' || NEW.ended;
END;
CREATE TRIGGER sessions_discounted AFTER DELETE ON sessions BEGIN
	UPDATE counts SET n = n - 1 WHERE what = 'sessions ' || OLD.ended;
END;
`

// auditPages finds what somebody did, and what was done to somebody.
const auditPages = `
ALTER TABLE audit ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN actor TEXT;
ALTER TABLE audit ADD COLUMN target TEXT;
UPDATE audit SET type = coalesce(doc ->> '$.type', ''), actor = doc ->> '$.actor', target = doc ->> '$.target';
CREATE INDEX audit_actor ON audit (actor, at, id) WHERE actor IS NOT NULL;
CREATE INDEX audit_target ON audit (target, at, id) WHERE target IS NOT NULL;
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
		if s.fill != nil {
			if err := fill(conn, s.fill); err != nil {
				return fmt.Errorf("schema step %d: %w", version+1, err)
			}
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO schema_version (version, applied_at) VALUES (?, ?)`, version+1, now.UnixMilli()); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, `COMMIT`)
	return err
}

func fill(conn *sql.Conn, f func(*tx) error) error {
	x := &tx{conn: conn, prepared: map[string]*sql.Stmt{}}
	defer x.close()
	return f(x)
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
