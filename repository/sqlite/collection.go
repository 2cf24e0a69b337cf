package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/issuer"
)

// collection is a table of documents of type T, by id.
type collection[T any] struct {
	table   string
	columns []string
	index   func(*T) []any // the values of the columns that lists need, made from the document
	// beside keeps what tables of their own hold of a document, in the operation that changes it; before is nil when it is new. nil for none.
	beside func(x *tx, before, after *T) error
	pack   func(*T) ([]byte, error)
	open   func(id, doc string) (T, error)

	insertSQL, selectSQL, updateSQL, deleteSQL string
}

// newCollection describes a table whose documents are stored as D, with columns beside them.
func newCollection[T, D any](table string, columns []string, index func(*T) []any, pack func(*T) D, open func(string, *D) T) *collection[T] {
	c := &collection[T]{table: table, columns: columns, index: index}
	c.pack = func(t *T) ([]byte, error) { return json.Marshal(pack(t)) }
	c.open = func(id, doc string) (t T, err error) {
		var d D
		if err := json.Unmarshal([]byte(doc), &d); err != nil {
			return t, fmt.Errorf("document %q of %s is damaged: %w", id, table, err)
		}
		return open(id, &d), nil
	}
	all := append(slices.Clone(columns), "doc")
	c.insertSQL = fmt.Sprintf("INSERT INTO %s (%s, id) VALUES (?%s) ON CONFLICT (id) DO NOTHING", table, strings.Join(all, ", "), strings.Repeat(", ?", len(all)))
	c.selectSQL = fmt.Sprintf("SELECT doc FROM %s WHERE id = ?", table)
	c.updateSQL = fmt.Sprintf("UPDATE %s SET doc = ?%%s WHERE id = ?", table)
	c.deleteSQL = fmt.Sprintf("DELETE FROM %s WHERE id = ?", table)
	return c
}

// read is one document, or issuer.ErrNotFound.
func (c *collection[T]) read(ctx context.Context, s *Store, id string) (t T, err error) {
	doc, found, err := readRow[string](ctx, s, c.selectSQL, id)
	if err != nil {
		return t, err
	}
	if !found {
		return t, fmt.Errorf("sqlite: %s %q: %w", c.table, id, issuer.ErrNotFound)
	}
	if t, err = c.open(id, doc); err != nil {
		return t, unknown(err)
	}
	return t, nil
}

// list is every document of a query for id and doc.
func (c *collection[T]) list(ctx context.Context, s *Store, query string, args ...any) (list []T, err error) {
	err = readRows(ctx, s, func(rows *sql.Rows) error {
		var id, doc string
		if err := rows.Scan(&id, &doc); err != nil {
			return err
		}
		t, err := c.open(id, doc)
		list = append(list, t)
		return err
	}, query, args...)
	return list, err
}

// listIDs is every id of a query for id.
func listIDs(ctx context.Context, s *Store, query string, args ...any) (ids []string, err error) {
	err = readRows(ctx, s, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, query, args...)
	return ids, err
}

// insert adds a document, or is issuer.ErrExists.
func (c *collection[T]) insert(ctx context.Context, s *Store, id string, t *T) error {
	doc, err := c.pack(t)
	if err != nil {
		return unknown(err)
	}
	args := append(c.index(t), string(doc), id)
	added, err := write(ctx, s.writer, func(x *tx) (int64, error) {
		added, err := x.exec(c.insertSQL, args...)
		if err != nil || added == 0 || c.beside == nil {
			return added, err
		}
		return added, c.beside(x, nil, t)
	})
	if err == nil && added == 0 {
		return fmt.Errorf("sqlite: %s %q: %w", c.table, id, issuer.ErrExists)
	}
	return err
}

// outcome is what a change came to.
type outcome[T any] struct {
	doc T
	hit bool
}

// update lets change decide on the document and alter it. The document after is returned with true; a change that returns false,
// or an absent document, is a miss. change runs in the writer, perhaps twice on different documents, and keeps no reference.
func (c *collection[T]) update(ctx context.Context, s *Store, id string, change func(*T) bool) (T, bool, error) {
	r, err := write(ctx, s.writer, func(x *tx) (r outcome[T], err error) {
		t, found, err := c.get(x, id)
		if err != nil || !found {
			return r, err
		}
		before := t
		columns := c.index(&t)
		if !change(&t) {
			return r, nil
		}
		if err := c.put(x, id, &t, columns); err != nil || c.beside == nil {
			return outcome[T]{t, true}, err
		}
		return outcome[T]{t, true}, c.beside(x, &before, &t)
	})
	return r.doc, r.hit, err
}

// upsert is update with a zero document where there is none, and after a miss it returns the document that is there.
func (c *collection[T]) upsert(ctx context.Context, s *Store, id string, change func(*T) bool) (T, bool, error) {
	r, err := write(ctx, s.writer, func(x *tx) (r outcome[T], err error) {
		t, found, err := c.get(x, id)
		if err != nil {
			return r, err
		}
		before := c.index(&t)
		if !change(&t) {
			return outcome[T]{t, false}, nil
		}
		if found {
			return outcome[T]{t, true}, c.put(x, id, &t, before)
		}
		doc, err := c.pack(&t)
		if err != nil {
			return r, err
		}
		_, err = x.exec(c.insertSQL, append(c.index(&t), string(doc), id)...)
		return outcome[T]{t, true}, err
	})
	return r.doc, r.hit, err
}

// remove deletes the document if it is there and may agrees.
func (c *collection[T]) remove(ctx context.Context, s *Store, id string, may func(*T) bool) (bool, error) {
	return write(ctx, s.writer, func(x *tx) (bool, error) {
		t, found, err := c.get(x, id)
		if err != nil || !found || !may(&t) {
			return false, err
		}
		_, err = x.exec(c.deleteSQL, id)
		return true, err
	})
}

func (c *collection[T]) get(x *tx, id string) (t T, found bool, err error) {
	var doc string
	found, err = x.row(&doc, c.selectSQL, id)
	if err != nil || !found {
		return t, false, err
	}
	if t, err = c.open(id, doc); err != nil {
		return t, false, unknown(err)
	}
	return t, true, nil
}

// put writes a document back, and those of the columns beside it that changed: each is in an index.
func (c *collection[T]) put(x *tx, id string, t *T, before []any) error {
	doc, err := c.pack(t)
	if err != nil {
		return unknown(err)
	}
	set, args := "", []any{string(doc)}
	for i, value := range c.index(t) {
		if value != before[i] {
			set, args = set+", "+c.columns[i]+" = ?", append(args, value)
		}
	}
	_, err = x.exec(fmt.Sprintf(c.updateSQL, set), append(args, id)...)
	return err
}

// millis is a time as it is stored: milliseconds since 1970, 0 for the zero time.
type millis int64

func stamp(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// cut is t as it comes back from the store.
func cut(t time.Time) time.Time { return stamp(t).time() }

// unless is the value of a column that is NULL rather than empty.
func unless(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// mark is the value of a column that is there only to be indexed where it is set.
func mark(set bool) any {
	if set {
		return int64(1)
	}
	return nil
}
