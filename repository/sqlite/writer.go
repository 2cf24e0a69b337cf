package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"sync"
	"time"
)

// The writer is one goroutine with one connection. It takes the operations that wait, runs them in one transaction, commits, and
// only then answers. Invariant: who was answered without an error finds what it wrote after any crash, and an operation
// is applied whole or not at all, whatever becomes of the others in its batch.
//
//  1. Operations read and decide in Go, then write with one statement, so that none leaves half of itself.
//  2. If the database fails one of them, the whole batch is rolled back and each is run again in a transaction of its own:
//     only the one that fails is hurt.
//  3. If the commit fails, nobody knows what became of it, and everybody is told so. The connection is made anew.
type writer struct {
	db    *sql.DB
	busy  time.Duration
	queue chan *operation

	closing   chan struct{} // closed when no more may come
	closeOnce sync.Once
	stopped   chan struct{} // closed when the queue is drained
	tx        *tx           // the open connection; nil while there is none

	stats writerStats
}

// maxBatch bounds how long the first of a batch waits for the last. A hundred changes take about as long as the sync.
const maxBatch = 128

type operation struct {
	ctx  context.Context
	run  func(*tx) error // may be called twice: it sets what it returns anew
	err  error
	done chan struct{} // closed when err is final
}

var errClosed = errors.New("the store is closed")

func startWriter(db *sql.DB, busy time.Duration) *writer {
	db.SetMaxOpenConns(1)
	w := &writer{db: db, busy: busy, queue: make(chan *operation, 2*maxBatch), closing: make(chan struct{}), stopped: make(chan struct{})}
	go w.loop()
	return w
}

// write runs an operation in the writer and returns what it made, once that is durable. When ctx ends first the operation
// may still be applied.
func write[R any](ctx context.Context, w *writer, run func(*tx) (R, error)) (R, error) {
	var none R
	result := new(R)
	o := &operation{ctx: ctx, done: make(chan struct{}), run: func(t *tx) (err error) {
		*result, err = run(t)
		return err
	}}
	if err := w.do(o); err != nil {
		return none, err
	}
	return *result, nil
}

// do returns after o.done, or with an unknown outcome; then the writer may still be using o.
func (w *writer) do(o *operation) error {
	if err := o.ctx.Err(); err != nil {
		return unknown(err)
	}
	select {
	case <-w.closing:
		return unknown(errClosed)
	default:
	}
	select {
	case w.queue <- o:
	case <-o.ctx.Done():
		return unknown(o.ctx.Err())
	case <-w.closing:
		return unknown(errClosed)
	}
	select {
	case <-o.done:
		return o.err
	case <-o.ctx.Done():
		return unknown(o.ctx.Err())
	case <-w.stopped: // queued too late, or answered as the last
		select {
		case <-o.done:
			return o.err
		default:
			return unknown(errClosed)
		}
	}
}

func (w *writer) close() error {
	w.closeOnce.Do(func() { close(w.closing) })
	<-w.stopped
	return w.db.Close()
}

func (w *writer) loop() {
	defer close(w.stopped)
	batch := make([]*operation, 0, maxBatch)
	for {
		select {
		case o := <-w.queue:
			batch = append(batch, o)
		case <-w.closing:
			select {
			case o := <-w.queue:
				batch = append(batch, o)
			default:
				w.disconnect(nil)
				return
			}
		}
		// Those who were just answered get to ask again, so that they share this sync rather than wait for the next.
		runtime.Gosched()
		batch = w.waiting(batch)
		w.commit(batch)
		for _, o := range batch {
			close(o.done)
		}
		clear(batch)
		batch = batch[:0]
	}
}

// waiting adds to batch what is in the queue now.
func (w *writer) waiting(batch []*operation) []*operation {
	for len(batch) < maxBatch {
		select {
		case o := <-w.queue:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// commit runs batch in one transaction and sets each operation's err.
func (w *writer) commit(batch []*operation) {
	start := time.Now()
	err := w.begin()
	if err != nil {
		w.fail(batch, err)
		return
	}
	for _, o := range batch {
		if err := o.ctx.Err(); err != nil {
			o.err = unknown(err) // nobody waits for it any more
			continue
		}
		o.err = o.run(w.tx)
		if err := w.tx.broken; err != nil {
			w.rollback()
			if len(batch) == 1 {
				w.fail(batch, err)
				return
			}
			for i := range batch {
				w.commit(batch[i : i+1])
			}
			return
		}
	}
	if _, err := w.tx.exec(`COMMIT`); err != nil {
		w.fail(batch, err)
		w.disconnect(err)
		return
	}
	w.stats.commits.Add(1)
	w.stats.operations.Add(uint64(len(batch)))
	w.stats.nanoseconds.Add(uint64(time.Since(start)))
}

func (w *writer) fail(batch []*operation, err error) {
	w.stats.failures.Add(1)
	for _, o := range batch {
		o.err = unknown(explain(err))
	}
}

// begin takes the write lock of the file. It asks often, because a busy writer of another process lets go of the lock only for
// microseconds at a time.
func (w *writer) begin() error {
	if w.tx == nil {
		if err := w.connect(); err != nil {
			return err
		}
	}
	err := patiently(context.Background(), w.busy, func() error {
		w.tx.broken = nil
		_, err := w.tx.exec(`BEGIN IMMEDIATE`)
		return err
	})
	if err != nil && code(err) != codeBusy {
		w.disconnect(err)
	}
	return err
}

func (w *writer) connect() error {
	conn, err := w.db.Conn(context.Background())
	if err != nil {
		return err
	}
	w.tx = &tx{conn: conn, prepared: map[string]*sql.Stmt{}}
	_, err = w.tx.exec(`PRAGMA busy_timeout=0`) // begin does the waiting
	if err != nil {
		w.disconnect(err)
	}
	return err
}

// rollback leaves the connection without a transaction, or lets go of it.
func (w *writer) rollback() {
	w.tx.broken = nil
	if _, err := w.tx.exec(`ROLLBACK`); err != nil {
		w.disconnect(err)
	}
}

// disconnect closes the connection; with an error, so that it isn't used again.
func (w *writer) disconnect(err error) {
	if w.tx == nil {
		return
	}
	w.tx.close()
	if err != nil {
		_ = w.tx.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = w.tx.conn.Close()
	w.tx = nil
}
