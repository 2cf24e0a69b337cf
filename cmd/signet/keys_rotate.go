package main

import (
	"context"

	"github.com/spf13/cobra"

	"signet/keys"
)

const rotateLong = `Let the standby key sign as soon as every verifier has had it: at once if it has been
published long enough, else at the time that is printed. A second time changes nothing.

--to KID    that key instead: a standby, or one that a rollback withdrew
--now       at once, whether or not verifiers have had it. Refused when some have not, unless
            --accept-verification-failures: which ones then fail, and how long, is printed first`

func newKeysRotate(p *program) *cobra.Command {
	var (
		f           changeFlags
		alg, to     string
		now, accept bool
	)
	c := &cobra.Command{
		Use:   "rotate",
		Short: "let the standby key sign as soon as every verifier has had it, and say when",
		Long:  rotateLong,
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			algs, err := chosenAlgorithms(alg)
			switch {
			case err != nil:
				return err
			case to != "" && (now || alg != ""):
				return misused("--to names one key: --now and --alg do not go with it")
			case accept && !now:
				return misused("--accept-verification-failures goes with --now")
			}
			return p.changeRing(c, f, changing{name: "rotate", asks: accept, give: func(ctx context.Context, o keys.Operator) ([]keys.Change, error) {
				switch {
				case to != "":
					return o.RotateTo(ctx, to)
				case now:
					return o.RotateNow(ctx, algs, accept)
				}
				return o.Rotate(ctx, algs)
			}})
		},
	}
	flags := c.Flags()
	flags.StringVar(&alg, "alg", "", "only this algorithm: ES256 or RS256 (default: all)")
	flags.StringVar(&to, "to", "", "the kid of the key that is to sign next")
	flags.BoolVar(&now, "now", false, "at once")
	flags.BoolVar(&accept, "accept-verification-failures", false, "with --now: though verifiers fail that have not had the key")
	f.add(c)
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
