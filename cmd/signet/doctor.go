package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// finding is the outcome of one check.
type finding struct {
	Check  string `json:"check"`
	Status status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // what to do; "" when all is well
}

type status string

const (
	statusOK   status = "ok"
	statusWarn status = "warn"
	statusFail status = "fail"
)

func ok(check, format string, args ...any) finding {
	return finding{Check: check, Status: statusOK, Detail: fmt.Sprintf(format, args...)}
}

func warn(check, remedy, format string, args ...any) finding {
	return finding{Check: check, Status: statusWarn, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

func fail(check, remedy, format string, args ...any) finding {
	return finding{Check: check, Status: statusFail, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

func newDoctor(p *program) *cobra.Command {
	var asJSON, dev bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "check configuration, keys, store, clock and mail server, and say what to do; changes nothing",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := p.configuration(c, nil)
			var wrong faults
			if err != nil && !errors.As(err, &wrong) {
				return err
			}
			ctx, stop := untilSignal(c.Context())
			defer stop()
			return p.reportFindings(examine(ctx, l, wrong, dev), asJSON)
		},
	}
	c.Flags().BoolVar(&dev, "dev", false, "as serve --dev would see it")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, nil)
	return c
}

// examine makes every check that the ones before it leave possible.
func examine(ctx context.Context, l *loaded, wrong faults, dev bool) []finding {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	found := checkConfiguration(l, wrong, dev)
	sealer, keks := checkKEKs(&l.Config)
	found = append(found, keks)
	found = append(found, checkStore(ctx, l, sealer)...)
	if !dev {
		found = append(found, checkMailServer(ctx, l.SMTPURL))
	}
	return append(found, checkIssuerAnswers(ctx, l.Issuer))
}

func (p *program) reportFindings(found []finding, asJSON bool) error {
	failed := false
	for _, f := range found {
		failed = failed || f.Status == statusFail
	}
	if asJSON {
		if err := writeJSON(p.out, found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			fmt.Fprintf(p.out, "%-4s  %-9s %s\n", f.Status, f.Check, f.Detail)
			if f.Remedy != "" {
				fmt.Fprintf(p.out, "                -> %s\n", f.Remedy)
			}
		}
	}
	if failed {
		return errReported
	}
	return nil
}
