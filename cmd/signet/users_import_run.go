package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"signet/issuer"
	"signet/issuer/djangoimport"
)

// Many rows are imported at a time, so that the store can make their writes durable together, but what becomes of each is what would have
// become of it had they gone one by one, in the file's order: a row waits for those before it that have its id, its address or its username.
// So it does not depend on chance which of two rows is refused, and a dry run can tell.

const (
	importWorkers = 128 // as many operations as the embedded store makes durable at once
	importWindow  = 2 * importWorkers
	importRowTime = time.Minute // for one row; a store that is away for longer ends the run
)

// importRun is one pass over a file. Only its own goroutine touches it; the workers see a row each.
type importRun struct {
	read     func() (djangoimport.Row, error)
	judge    func(context.Context, issuer.ImportedUser) (issuer.ImportOutcome, error)
	rejects  *rejectsFile
	progress *importProgress
	sum      importSummary
	dry      *dryImport // nil unless nothing is to be written

	window []*importItem // under way, in the file's order
	busy   map[string]bool
	model  func() string
}

// importItem is a row under way.
type importItem struct {
	row     djangoimport.Row
	user    issuer.ImportedUser
	keys    importKeys
	outcome issuer.ImportOutcome
	err     error
	done    chan struct{}
}

func newImportRun(p *issuer.Provider, r *djangoimport.Reader, rejects *rejectsFile, dry bool) *importRun {
	run := &importRun{read: r.Next, judge: p.ImportUser, rejects: rejects, busy: map[string]bool{}, model: r.Model,
		sum: importSummary{Format: r.Format(), DryRun: dry, PasswordKinds: map[string]int64{}, Skipped: r.Skipped(), began: time.Now()}}
	if dry {
		run.judge, run.dry = p.CheckImport, newDryImport()
	}
	return run
}

// all imports until the file ends. After an error what was under way has ended too.
func (r *importRun) all(ctx context.Context) error {
	jobs := make(chan *importItem)
	var workers sync.WaitGroup
	for range importWorkers {
		workers.Go(func() {
			for i := range jobs {
				r.work(ctx, i)
			}
		})
	}
	err := r.feed(ctx, jobs)
	for len(r.window) > 0 {
		if failed := r.settle(); err == nil {
			err = failed
		}
	}
	close(jobs)
	workers.Wait()
	r.sum.Model, r.sum.Seconds = r.model(), time.Since(r.sum.began).Seconds()
	return err
}

// feed gives the rows to the workers, one by one.
func (r *importRun) feed(ctx context.Context, jobs chan<- *importItem) error {
	for ctx.Err() == nil {
		row, err := r.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		i := &importItem{row: row, user: importedUser(row), done: make(chan struct{})}
		i.keys = keysOf(i.user)
		for len(r.window) >= importWindow || r.waits(i.keys) {
			if err := r.settle(); err != nil {
				return err
			}
		}
		for _, key := range i.keys {
			r.busy[key] = true
		}
		r.window = append(r.window, i)
		jobs <- i
		r.progress.tell(time.Now(), &r.sum)
	}
	return errors.New("interrupted")
}

func (r *importRun) waits(keys importKeys) bool {
	return slices.ContainsFunc(keys[:], func(key string) bool { return key != "" && r.busy[key] })
}

// work is a worker's part: an interrupted run finishes the rows that it has begun.
func (r *importRun) work(ctx context.Context, i *importItem) {
	defer close(i.done)
	if len(i.row.Faults) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), importRowTime)
	defer cancel()
	i.outcome, i.err = r.judge(ctx, i.user)
}

// settle waits for the oldest row and notes what became of it. An error ends the run: it is not the row's.
func (r *importRun) settle() error {
	i := r.window[0]
	r.window = r.window[1:]
	<-i.done
	for _, key := range i.keys {
		delete(r.busy, key)
	}
	if r.dry != nil {
		r.dry.see(i)
	}
	faults, err := faultsOf(i)
	if err != nil {
		return err
	}
	r.sum.add(i)
	if len(faults) == 0 {
		return nil
	}
	r.sum.Rejected++
	return r.rejects.add(i.row, faults)
}

// faultsOf is why a row was refused, in the words of the file's columns; nil when it was not. An error says that the store failed.
func faultsOf(i *importItem) ([]djangoimport.Fault, error) {
	if len(i.row.Faults) > 0 || i.err == nil {
		return i.row.Faults, nil
	}
	var e *issuer.Error
	if !errors.As(i.err, &e) || (e.Kind != issuer.KindInvalidRequest && e.Kind != issuer.KindConflict) {
		return nil, fmt.Errorf("line %d: %w", i.row.Line, plainRefusal(i.err))
	}
	var faults []djangoimport.Fault
	for _, f := range e.Fields {
		reason := f.Message
		if i.outcome != "" {
			reason += "; the account is there, without it"
		}
		faults = append(faults, djangoimport.Fault{Field: columnOf(f.Field), Reason: reason})
	}
	return faults, nil
}

// columnOf is Django's name of a field.
func columnOf(field string) string {
	switch field {
	case "given_name":
		return "first_name"
	case "family_name":
		return "last_name"
	case "created_at":
		return "date_joined"
	case "last_login_at":
		return "last_login"
	}
	return field
}
