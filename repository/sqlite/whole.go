package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// ErrInUse: another connection has the database file open.
var ErrInUse = errors.New("the database is in use")

// Check reads the whole database file at path and says what is damaged in it.
func Check(ctx context.Context, path string) error {
	err := withFile(ctx, path, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, `PRAGMA integrity_check(10)`)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		var wrong []string
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			if line != "ok" {
				wrong = append(wrong, line)
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if len(wrong) > 0 {
			return fmt.Errorf("the database is damaged: %s", strings.Join(wrong, "; "))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqlite: check %s: %w", path, explain(err))
	}
	return nil
}

// FoldIn brings everything that stands in the write-ahead log into the file at path, so that the file alone is the database and can be moved. Errors:
// ErrInUse while any other connection has it open, in this process or another; the file is damaged. The next Open has a log again.
func FoldIn(ctx context.Context, path string) error {
	err := withFile(ctx, path, func(conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, `PRAGMA locking_mode=EXCLUSIVE`); err != nil {
			return err
		}
		var mode string
		err := conn.QueryRowContext(ctx, `PRAGMA journal_mode=DELETE`).Scan(&mode)
		if err == nil && mode != "delete" || code(err) == codeBusy {
			err = errors.Join(ErrInUse, err)
		}
		return err
	})
	switch {
	case errors.Is(err, ErrInUse):
		return fmt.Errorf("sqlite: %s: %w", path, ErrInUse)
	case err != nil:
		return fmt.Errorf("sqlite: %s: %w", path, explain(err))
	}
	return nil
}

// withFile opens one connection to an existing file.
func withFile(ctx context.Context, path string, do func(*sql.Conn) error) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(path, 0)+"&mode=rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return do(conn)
}
