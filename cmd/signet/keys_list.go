package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signet/keys"
)

func newKeysList(p *program) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "list every published key, and what is planned for it",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := p.configuration(c, storeSettings)
			if err != nil {
				return err
			}
			return withStore(c.Context(), &l.Config, func(ctx context.Context, st store) error {
				return p.listKeys(ctx, st, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, storeSettings)
	return c
}

func (p *program) listKeys(ctx context.Context, st store, asJSON bool) error {
	list, err := keys.Operator{Store: st, Wall: time.Now}.List(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(p.out, list)
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ALG\tSTATE\tPUBLISHED\tSIGNS FROM\tRETIRED\tDROPS\tKID")
	for _, k := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Algorithm, k.State, when(&k.PublishedAt), when(k.SignsFrom), when(k.RetiredAt), when(k.DropsAt), k.ID)
	}
	return table.Flush()
}

// when writes a time that may not be known.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
