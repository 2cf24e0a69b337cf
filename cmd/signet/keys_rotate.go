package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"signet/keys"
)

func newKeysRotate(p *program) *cobra.Command {
	var (
		asJSON bool
		alg    string
	)
	c := &cobra.Command{
		Use:   "rotate",
		Short: "let the standby key sign as soon as every verifier has had it, and say when",
		Long: `Let the standby key sign as soon as every verifier has had it: at once if it has been
published long enough, else at the time that is printed. A second time changes nothing.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			algs, err := chosenAlgorithms(alg)
			if err != nil {
				return err
			}
			l, err := p.configuration(c, ringSettings)
			if err != nil {
				return err
			}
			return withStore(c.Context(), &l.Config, func(ctx context.Context, st store) error {
				return p.rotateKeys(ctx, &l.Config, st, algs, asJSON)
			})
		},
	}
	c.Flags().StringVar(&alg, "alg", "", "only this algorithm: ES256 or RS256 (default: all)")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, ringSettings)
	return c
}

// chosenAlgorithms is what --alg names; none is all that the ring has.
func chosenAlgorithms(alg string) ([]keys.Algorithm, error) {
	switch keys.Algorithm(alg) {
	case "":
		return nil, nil
	case keys.ES256, keys.RS256:
		return []keys.Algorithm{keys.Algorithm(alg)}, nil
	}
	return nil, misused("--alg is ES256 or RS256, not %q", alg)
}

func (p *program) rotateKeys(ctx context.Context, c *Config, st store, algs []keys.Algorithm, asJSON bool) error {
	operator, err := keyOperator(c, st)
	if err != nil {
		return err
	}
	changes, err := operator.Rotate(ctx, algs)
	if err != nil {
		return err
	}
	if asJSON {
		if changes == nil {
			changes = []keys.Change{}
		}
		return writeJSON(p.out, changes)
	}
	for _, change := range changes {
		fmt.Fprintln(p.out, change)
	}
	return nil
}
