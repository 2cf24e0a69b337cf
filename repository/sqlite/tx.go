package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// tx is what an operation sees of the transaction that it is part of. It knows no context: the driver would watch it
// with a goroutine for every statement.
type tx struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	broken   error // the first error of the database since the last begin
}

func (t *tx) prepare(query string) (*sql.Stmt, error) {
	if s := t.prepared[query]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.prepared[query] = s
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (changed int64, err error) {
	defer t.note(&err)
	s, err := t.prepare(query)
	if err != nil {
		return 0, err
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row into dest, or returns false.
func (t *tx) row(dest any, query string, args ...any) (found bool, err error) {
	defer t.note(&err)
	s, err := t.prepare(query)
	if err != nil {
		return false, err
	}
	err = s.QueryRow(args...).Scan(dest)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// rows passes the columns of each row to keep, which scans them.
func (t *tx) rows(keep func(scan func(...any) error) error, query string, args ...any) (err error) {
	defer t.note(&err)
	s, err := t.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.Query(args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := keep(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *tx) close() {
	for _, s := range t.prepared {
		_ = s.Close()
	}
}

func (t *tx) note(err *error) {
	if *err != nil && t.broken == nil {
		t.broken = *err
	}
}
