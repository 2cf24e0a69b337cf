package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// purgeSettings are what purge needs.
var purgeSettings = append(slices.Clone(storeSettings), "audit_retention")

func newPurge(p *program) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "purge",
		Short: "delete what has expired, now",
		Long: `Delete what nobody has needed for a day: expired sessions, codes, mails and budgets; and audit events
older than SIGNET_AUDIT_RETENTION. Servers do so by themselves, at their leisure; this is for who wants
the space now. Servers may run.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := p.configuration(c, purgeSettings)
			if err != nil {
				return err
			}
			return withStoreFor(c.Context(), &l.Config, 0, func(ctx context.Context, st store) error {
				return p.purge(ctx, st, l.AuditRetention, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, purgeSettings)
	return c
}

// purgeRest lets servers in between two bites.
const purgeRest = 20 * time.Millisecond

func (p *program) purge(ctx context.Context, st store, keep time.Duration, asJSON bool) error {
	now, err := st.StoreTime(ctx)
	if err != nil {
		return fmt.Errorf("ask the store's time: %w", err)
	}
	var gone struct {
		Expired int `json:"expired"`
		Audit   int `json:"audit"`
	}
	gone.Expired, err = sweepAll(ctx, st, now)
	if err == nil && keep > 0 {
		gone.Audit, err = purgeAudit(ctx, st, now.Add(-keep), 0, func() { rest(ctx, purgeRest) })
	}
	if err != nil {
		return fmt.Errorf("%d expired documents and %d audit events are deleted, not all: %w", gone.Expired, gone.Audit, err)
	}
	if asJSON {
		return writeJSON(p.out, gone)
	}
	fmt.Fprintf(p.out, "deleted %d expired documents and %d audit events\n", gone.Expired, gone.Audit)
	return nil
}

// sweepAll deletes all that has expired.
func sweepAll(ctx context.Context, st store, now time.Time) (deleted int, err error) {
	expiring, ok := st.(sweeper)
	for ok && err == nil {
		var n int
		n, err = expiring.Sweep(ctx, now, sweepLimit)
		deleted += n
		if ok = n == sweepLimit; ok {
			rest(ctx, purgeRest)
		}
	}
	return deleted, err
}
