package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/issuer"
	"signet/keys"
)

func newKeysRewrap(p *program) *cobra.Command {
	var (
		f     changeFlags
		force bool
	)
	c := &cobra.Command{
		Use:   "rewrap",
		Short: "seal everything anew by the first key-encryption key",
		Long: `Seal everything in the store anew by the first key-encryption key (KEK) of SIGNET_KEK_FILE. Servers
may run. To change the KEK: give [old, new] to every replica, then [new, old], rewrap, then [new].
A second time does what is left to do.

--force    though a running replica has not loaded the first KEK: it is unready until it has`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkReason(f.reason); err != nil {
				return err
			}
			l, err := p.configuration(c, ringSettings)
			if err != nil {
				return err
			}
			return withStoreFor(c.Context(), &l.Config, 0, func(ctx context.Context, st store) error {
				return p.rewrap(ctx, l, st, f, force)
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "though a running replica has not loaded the first KEK")
	f.add(c)
	addSettings(c, ringSettings)
	return c
}

// rewrapped is the answer of rewrap.
type rewrapped struct {
	Ring  keys.Rewrapped `json:"ring"`
	Mails int            `json:"mails"` // in the outbox, sealed anew
}

func (p *program) rewrap(ctx context.Context, l *loaded, st store, f changeFlags, force bool) error {
	operator, err := keyOperator(l, st)
	if err != nil {
		return err
	}
	ring, err := operator.Rewrap(ctx, keys.RewrapOptions{Force: force, Waiting: func(replicas []string) {
		fmt.Fprintf(p.err, "waiting for replicas to load the first key-encryption key: %s\n", strings.Join(replicas, ", "))
	}})
	if err != nil {
		return err
	}
	mails, err := issuer.RewrapOutbox(ctx, st, operator.Sealer, func(done int) {
		if done > 0 {
			fmt.Fprintf(p.err, "%d mails sealed anew so far\n", done)
		}
	})
	if ring.Sealed > 0 || mails > 0 {
		id := fmt.Sprintf("keys.rewrap:%d:%s", ring.RingVersion, ring.KEKID)
		if mails > 0 {
			id = fmt.Sprintf("%s:%d", id, time.Now().UnixMilli())
		}
		what := fmt.Sprintf("%d things of the ring and %d mails sealed by KEK %s", ring.Sealed, mails, ring.KEKID)
		if err := auditCommand(ctx, st, id, "rewrap", ring.KEKID, f.reason, what); err != nil {
			return fmt.Errorf("the ring is sealed anew, but the audit log does not say so: %w", err)
		}
	}
	if err != nil {
		return fmt.Errorf("the ring is sealed anew, the outbox not all; give the command again: %w", err)
	}
	return p.printRewrapped(rewrapped{ring, mails}, f.asJSON)
}

func (p *program) printRewrapped(done rewrapped, asJSON bool) error {
	if asJSON {
		return writeJSON(p.out, done)
	}
	fmt.Fprintf(p.out, "key ring: %d sealed anew by KEK %s, %d were already\n", done.Ring.Sealed, done.Ring.KEKID, done.Ring.Already)
	fmt.Fprintf(p.out, "outbox: %d mails sealed anew\n", done.Mails)
	for _, replica := range done.Ring.Skipped {
		fmt.Fprintf(p.out, "replica %s has not loaded this KEK: it is unready until it has\n", replica)
	}
	return nil
}
