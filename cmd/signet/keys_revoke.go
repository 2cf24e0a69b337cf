package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"signet/keys"
)

const revokeLong = `Take a key out of the ring at once and for ever. If it was the signing key, another takes over
in the same moment: a standby that every verifier has; else the key that signed last before it;
else the oldest standby; else a new key. Tokens that the revoked key signed fail at once, honest
ones too; how long which verifiers still believe it is printed before you are asked.

--all ALG                 every key of an algorithm: when the key-encryption key, or an open ring, leaked
--end-sessions-since T    besides, or alone, end every session created or refreshed since T (RFC 3339, or
                          36h, 2d: so long ago). Given alone it goes on with what was interrupted`

func newKeysRevoke(p *program) *cobra.Command {
	var (
		f          changeFlags
		all, since string
	)
	c := &cobra.Command{
		Use:   "revoke (KID | --all ALG | --end-sessions-since T)",
		Short: "take a key out at once and for ever, with everything that it signed",
		Long:  revokeLong,
		Args:  upToOneArg,
		RunE: func(c *cobra.Command, args []string) error {
			algs, err := chosenAlgorithms(all)
			switch {
			case all != "" && err != nil:
				return misused("--all is ES256 or RS256, not %q", all)
			case len(args) == 1 && all != "":
				return misused("give a kid or --all, not both")
			case len(args) == 0 && all == "" && since == "":
				return misused("expected one argument, the kid, or --all")
			}
			from, err := parseSince(since, time.Now())
			if err != nil {
				return err
			}
			if len(args) == 0 && all == "" {
				return p.endSessionsAlone(c, f, from)
			}
			do := changing{name: "revoke", asks: true, give: func(ctx context.Context, o keys.Operator) ([]keys.Change, error) {
				if all != "" {
					return o.RevokeAll(ctx, algs[0])
				}
				return o.Revoke(ctx, args[0])
			}}
			if since != "" {
				do.asksToo = "Every session created or refreshed since " + when(&from) + " UTC ends, too."
				do.then = func(ctx context.Context, l *loaded, st store, _ []keys.Change) error {
					return p.endSessionsAfter(ctx, l, st, from)
				}
			}
			return p.changeRing(c, f, do)
		},
	}
	c.Flags().StringVar(&all, "all", "", "every key of this algorithm: ES256 or RS256")
	c.Flags().StringVar(&since, "end-sessions-since", "", "end every session created or refreshed since then: RFC 3339, or so long ago")
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return misused("%v; a kid that begins with a hyphen goes last: signet keys revoke -- -KID", err)
	})
	f.add(c)
	addSettings(c, ringSettings)
	return c
}

// upToOneArg takes one argument or none.
func upToOneArg(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return misused("unexpected argument %q", args[1])
	}
	return nil
}
