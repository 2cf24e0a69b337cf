package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signet/keys"
)

func newKeysList(p *program) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "list every published key: its state, age and last use, and what is planned for it",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := p.configuration(c, planSettings)
			if err != nil {
				return err
			}
			return withStore(c.Context(), &l.Config, func(ctx context.Context, st store) error {
				return p.listKeys(ctx, keyReader(l, st), asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, planSettings)
	return c
}

func (p *program) listKeys(ctx context.Context, operator keys.Operator, asJSON bool) error {
	list, err := operator.List(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(p.out, list)
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ALG\tSTATE\tAGE\tPUBLISHED\tSIGNS FROM\tLAST USED\tRETIRED\tDROPS\tKID")
	now := time.Now()
	for _, k := range list {
		used := when(k.LastUsedAt)
		if k.State == keys.Signing {
			used = "in use"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Algorithm, stateOf(k), lasted(now.Sub(k.PublishedAt)), when(&k.PublishedAt),
			when(k.SignsFrom), used, when(k.RetiredAt), when(k.DropsAt), k.ID)
	}
	return table.Flush()
}

// stateOf is the state with what is unusual about the key.
func stateOf(k keys.KeyInfo) string {
	marks := []string{string(k.State)}
	if k.Imported {
		marks = append(marks, "imported")
	}
	if k.Withdrawn {
		marks = append(marks, "withdrawn")
	}
	return strings.Join(marks, ",")
}

// lasted is a duration in its two largest units, as people say it.
func lasted(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size && u.size > time.Second {
			continue
		}
		text := fmt.Sprintf("%d%s", max(d, 0)/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				text += fmt.Sprintf("%d%s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0s"
}

// when writes a time that may not be known.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
