package main

import (
	"context"

	"github.com/spf13/cobra"

	"signet/keys"
)

func newKeysRollback(p *program) *cobra.Command {
	var (
		f   changeFlags
		alg string
	)
	c := &cobra.Command{
		Use:   "rollback",
		Short: "let the key sign again that signed before the present one",
		Long: `Let the key sign again that signed before the present one. Every verifier has it. The present
one stays published for what it signed and signs no more; 'rotate --to' would want it again.
Possible for two days after a rotation (the publish-ahead). The schedule goes on with the standby.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			algs, err := chosenAlgorithms(alg)
			if err != nil {
				return err
			}
			return p.changeRing(c, f, changing{name: "rollback", give: func(ctx context.Context, o keys.Operator) ([]keys.Change, error) {
				return o.Rollback(ctx, algs)
			}})
		},
	}
	c.Flags().StringVar(&alg, "alg", "", "only this algorithm: ES256 or RS256 (default: all)")
	f.add(c)
	addSettings(c, ringSettings)
	return c
}
