package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"signet/keys"
)

// A command that changes the ring, in order: configuration; store and key-encryption keys; the change, which is shown and asked about first where it
// takes something away from somebody; the audit log; what has changed and when.

// changeFlags are the flags that every such command has.
type changeFlags struct {
	asJSON, yes bool
	reason      string
}

func (f *changeFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.reason, "reason", "", "why, for the audit log")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.asJSON, "json", false, "as JSON")
}

// changing is one command's part.
type changing struct {
	name string // of the command, for the audit log: "rotate"
	asks bool   // shows what it will do, and asks, whatever it costs; the others do where it costs somebody something
	// asksToo is what else is asked about.
	asksToo string
	give    func(context.Context, keys.Operator) ([]keys.Change, error)
	then    func(context.Context, *loaded, store, []keys.Change) error // what follows the change of the ring; nil for nothing
}

// changeRing runs it.
func (p *program) changeRing(c *cobra.Command, f changeFlags, do changing) error {
	if err := checkReason(f.reason); err != nil {
		return err
	}
	l, err := p.configuration(c, ringSettings)
	if err != nil {
		return err
	}
	limit := commandTime
	if !f.yes {
		limit = askingTime
	}
	if do.then != nil {
		limit = 0
	}
	return withStoreFor(c.Context(), &l.Config, limit, func(ctx context.Context, st store) error {
		operator, err := keyOperator(l, st)
		if err != nil {
			return err
		}
		if !f.yes {
			operator.Agree = func(list []keys.Change) error {
				if !do.asks && !costly(list) {
					return nil
				}
				printChanges(p.err, list)
				if do.asksToo != "" {
					fmt.Fprintln(p.err, do.asksToo)
				}
				return p.confirm("Do this?")
			}
		}
		list, err := do.give(ctx, operator)
		if err != nil && list == nil {
			return err
		}
		audited := auditRing(ctx, st, do.name, f.reason, list)
		if printed := p.printChanged(list, f.asJSON); printed != nil {
			return printed
		}
		if audited != nil {
			audited = fmt.Errorf("this is done, but the audit log does not say so: %w", audited)
		}
		if err := errors.Join(err, audited); err != nil {
			return err
		}
		if do.then != nil {
			return do.then(ctx, l, st, list)
		}
		return nil
	})
}

// costly says whether somebody pays for a change.
func costly(list []keys.Change) bool {
	return slices.ContainsFunc(list, func(c keys.Change) bool { return len(c.Costs) > 0 })
}

func (p *program) printChanged(list []keys.Change, asJSON bool) error {
	if asJSON {
		if list == nil {
			list = []keys.Change{}
		}
		return writeJSON(p.out, list)
	}
	printChanges(p.out, list)
	return nil
}

// printChanges writes a line for each change, and one for each of its costs below it; what several have in common, once.
func printChanges(w io.Writer, list []keys.Change) {
	told := map[string]bool{}
	for _, change := range list {
		fmt.Fprintln(w, change)
		again := false
		for _, cost := range change.Costs {
			line := cost.String()
			if again = again || told[line]; !told[line] {
				fmt.Fprintf(w, "  - %s\n", line)
			}
			told[line] = true
		}
		if again {
			fmt.Fprintln(w, "  - and as above")
		}
	}
}
