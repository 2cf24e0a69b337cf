package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/issuer"
)

// parseSince reads a moment: RFC 3339, or how long ago. "" is the zero time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		if at.After(now) {
			return time.Time{}, misused("--end-sessions-since lies in the future: %s", text)
		}
		return at, nil
	}
	if ago, ok := parseDuration(text); ok && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, misused("--end-sessions-since is a time (2030-01-31T09:00:00Z) or how long ago (36h, 2d), not %.60q", text)
}

// endSessionsAlone ends sessions without any change of the ring: what an interrupted revocation left.
func (p *program) endSessionsAlone(c *cobra.Command, f changeFlags, since time.Time) error {
	if err := checkReason(f.reason); err != nil {
		return err
	}
	l, err := p.configuration(c, ringSettings)
	if err != nil {
		return err
	}
	if !f.yes {
		fmt.Fprintf(p.err, "Every session created or refreshed since %s UTC ends.\n", when(&since))
		if err := p.confirm("Do this?"); err != nil {
			return err
		}
	}
	return withStoreFor(c.Context(), &l.Config, 0, func(ctx context.Context, st store) error {
		ended, err := p.endSessions(ctx, l, st, since)
		if err != nil {
			return err
		}
		if f.asJSON {
			return writeJSON(p.out, struct {
				Ended int `json:"sessions_ended"`
			}{ended})
		}
		return nil
	})
}

// endSessionsAfter ends sessions when no replica can sign by the revoked key any more: none uses a ring that it confirmed longer ago than R. It waits when the
// key was revoked before, too: perhaps a moment ago, by a command that was interrupted here.
func (p *program) endSessionsAfter(ctx context.Context, l *loaded, st store, since time.Time) error {
	wait := 4*l.KeyPoll + st.StaleReads() + l.ClockSkew
	fmt.Fprintf(p.err, "waiting %s, until every replica has heard of it\n", wait)
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return fmt.Errorf("the key is revoked, and no session was ended yet; go on with 'signet keys revoke --end-sessions-since %s': %w",
			since.UTC().Format(time.RFC3339), ctx.Err())
	}
	_, err := p.endSessions(ctx, l, st, since)
	return err
}

// endSessions tells of its progress, and how to go on when it is interrupted. Sessions have the times of their replicas: those wrong by the
// skew are ended with the rest.
func (p *program) endSessions(ctx context.Context, l *loaded, st store, since time.Time) (int, error) {
	at, err := st.StoreTime(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask the store's time: %w", err)
	}
	began := time.Now()
	now := func() time.Time { return at.Add(time.Since(began)) }
	ended, err := issuer.EndSessionsSince(ctx, st, since.Add(-l.ClockSkew), now, func(done int) {
		fmt.Fprintf(p.err, "%d sessions ended so far\n", done)
	})
	if err != nil {
		again := since.UTC().Format(time.RFC3339)
		return ended, fmt.Errorf("%d sessions ended, not all; go on with 'signet keys revoke --end-sessions-since %s': %s", ended, again, strings.TrimSpace(plainRefusal(err).Error()))
	}
	fmt.Fprintf(p.err, "%d sessions created or refreshed since %s UTC are ended\n", ended, when(&since))
	return ended, nil
}
