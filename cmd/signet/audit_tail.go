package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signet/issuer"
)

// The log is read in order of the events' times, but an event can be written late: its time is when its request came, by the clock of its replica. So
// what follows the log looks again at the last overlap of it each time round, and remembers which events of that stretch it has shown.
//
// Invariant: an event that is written no later than overlap after its time is shown once; no event is shown twice.

const (
	tailEvery   = time.Second
	tailOverlap = 2 * time.Minute
	mostTail    = 100_000
	firstWindow = time.Hour // of the search for the last events; it grows from there
)

// tailFlags is the command line of audit tail.
type tailFlags struct {
	auditFlags
	lines  int
	follow bool
	asJSON bool
}

func newAuditTail(p *program) *cobra.Command {
	var f tailFlags
	c := &cobra.Command{
		Use:   "tail",
		Short: "show the last events of the audit log, and with -f those to come",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.lines < 0 || f.lines > mostTail {
				return misused("--lines is 0 to %d", mostTail)
			}
			q, err := f.query(time.Now())
			if err != nil {
				return err
			}
			return p.operator(c, storeSettings, 0, false, func(ctx context.Context, st store, provider *issuer.Provider) error {
				if err := lookUp(ctx, st, &q); err != nil {
					return err
				}
				t := tail{provider: provider, now: st.StoreTime, query: q, pause: tailEvery, shown: map[string]time.Time{}}
				return p.tailAudit(ctx, &t, f)
			})
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.IntVarP(&f.lines, "lines", "n", 20, "how many of the last events")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with those to come, until Ctrl-C")
	f.add(c)
	flags.BoolVar(&f.asJSON, "json", false, "as JSON: an array, or with -f one object a line")
	addSettings(c, storeSettings)
	return c
}

func (p *program) tailAudit(ctx context.Context, t *tail, f tailFlags) error {
	events, err := t.last(ctx, f.lines)
	if err != nil {
		return err
	}
	if f.asJSON && !f.follow {
		list := jsonArray{w: p.out}
		for _, e := range events {
			if err := list.add(eventInfoOf(e)); err != nil {
				return err
			}
		}
		return list.close()
	}
	show := func(e issuer.AuditEvent) error { return writeEvent(p.out, e, f.asJSON) }
	for _, e := range events {
		if err := show(e); err != nil {
			return err
		}
	}
	if !f.follow {
		return nil
	}
	return p.followAudit(ctx, t, show)
}

// followAudit ends with ctx. A store that is away for a while is said once.
func (p *program) followAudit(ctx context.Context, t *tail, show func(issuer.AuditEvent) error) error {
	away := false
	for {
		events, err := t.next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !away:
			fmt.Fprintf(p.err, "the store does not answer, trying again: %v\n", plainRefusal(err))
		}
		away = err != nil
		for _, e := range events {
			if err := show(e); err != nil {
				return err
			}
		}
		rest(ctx, t.pause)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// tail reads the end of the log.
type tail struct {
	provider *issuer.Provider
	now      func(context.Context) (time.Time, error) // the store's clock
	query    issuer.AuditQuery
	pause    time.Duration        // between looks
	from     time.Time            // where the next look begins
	shown    map[string]time.Time // events from there on that were shown: when, by id
}

// last is the n last events. They are looked for in a stretch before now that grows until it has as many: the log is long and the end is wanted.
func (t *tail) last(ctx context.Context, n int) ([]issuer.AuditEvent, error) {
	now, err := t.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the store's time: %w", err)
	}
	t.from = now.Add(-tailOverlap)
	for window := firstWindow; ; window *= 4 {
		q := t.query
		if window > 0 && window < 100*365*24*time.Hour {
			q.Since = now.Add(-window)
		} else {
			q.Since = time.Time{}
		}
		kept, err := t.read(ctx, q, n)
		if err != nil || len(kept) >= n || q.Since.IsZero() {
			return kept, err
		}
	}
}

// read keeps the last n of a query and remembers which events a look from t.from on would meet again.
func (t *tail) read(ctx context.Context, q issuer.AuditQuery, n int) ([]issuer.AuditEvent, error) {
	var kept []issuer.AuditEvent
	err := t.each(ctx, q, func(events []issuer.AuditEvent) error {
		for _, e := range events {
			if !e.At.Before(t.from) {
				t.shown[e.ID] = e.At
			}
		}
		kept = append(kept, events...)
		kept = kept[max(0, len(kept)-n):]
		return nil
	})
	return kept, err
}

// next is what came since the last look.
func (t *tail) next(ctx context.Context) (fresh []issuer.AuditEvent, err error) {
	now, err := t.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the store's time: %w", err)
	}
	q := t.query
	q.Since = t.from
	err = t.each(ctx, q, func(events []issuer.AuditEvent) error {
		for _, e := range events {
			if _, again := t.shown[e.ID]; !again {
				fresh, t.shown[e.ID] = append(fresh, e), e.At
			}
		}
		return nil
	})
	if err != nil {
		return fresh, err
	}
	t.from = now.Add(-tailOverlap)
	for id, at := range t.shown {
		if at.Before(t.from) {
			delete(t.shown, id)
		}
	}
	return fresh, nil
}

func (t *tail) each(ctx context.Context, q issuer.AuditQuery, do func([]issuer.AuditEvent) error) error {
	return eachOf(func(after issuer.Place) (issuer.Page[issuer.AuditEvent], error) {
		return t.provider.ListAudit(ctx, issuer.Operator(), q, after, listPage)
	}, do)
}
