package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"signet/keys"
)

func newKeysPlan(p *program) *cobra.Command {
	var (
		asJSON bool
		svg    string
	)
	c := &cobra.Command{
		Use:   "plan",
		Short: "show the keys on a timeline, what happens next, and the arithmetic that makes it safe",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := p.configuration(c, planSettings)
			if err != nil {
				return err
			}
			return withStore(c.Context(), &l.Config, func(ctx context.Context, st store) error {
				plan, err := keyReader(l, st).Plan(ctx)
				if err != nil {
					return err
				}
				return p.showPlan(plan, svg, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().StringVar(&svg, "svg", "", "draw the timeline into this file")
	addSettings(c, planSettings)
	return c
}

func (p *program) showPlan(plan keys.Plan, svg string, asJSON bool) error {
	if svg != "" {
		var drawn bytes.Buffer
		drawPlan(&drawn, plan)
		if err := os.WriteFile(svg, drawn.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write the drawing: %w", err)
		}
	}
	if asJSON {
		return writeJSON(p.out, plan)
	}
	chartPlan(p.out, plan, p.width())
	fmt.Fprintln(p.out)
	printNext(p.out, plan)
	printPolicy(p.out, plan)
	printVerifiers(p.out, plan)
	return nil
}

// Bounds of a chart's width.
const (
	narrowest, usual, widest = 60, 100, 160
)

// width is the terminal's, or $COLUMNS, within what a chart can use.
func (p *program) width() int {
	wide := usual
	if f, ok := p.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			wide = columns
		}
	}
	for _, pair := range p.environ {
		if text, ok := strings.CutPrefix(pair, "COLUMNS="); ok {
			if columns, err := strconv.Atoi(text); err == nil {
				wide = columns
			}
		}
	}
	return min(max(wide, narrowest), widest)
}

func printNext(w io.Writer, plan keys.Plan) {
	fmt.Fprintln(w, "Next:")
	for _, e := range plan.Next {
		in := "now"
		if d := e.At.Sub(plan.Now); d > 0 {
			in = "in " + lasted(d)
		}
		fmt.Fprintf(w, "  %s  %-12s %s\n", when(&e.At), in, e.Text)
	}
}

func printPolicy(w io.Writer, plan keys.Plan) {
	fmt.Fprintln(w, "\nPolicy:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range plan.Policy {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", t.Symbol, t.Value, t.Name)
	}
	_ = table.Flush()
	fmt.Fprintln(w, "\nArithmetic:")
	for _, l := range plan.Arithmetic {
		fmt.Fprintf(w, "  %s\n", l.Text)
	}
	for _, warning := range plan.Warnings {
		fmt.Fprintf(w, "  warning: %s\n", warning)
	}
	if plan.Refused != "" {
		fmt.Fprintf(w, "  A server would not start: %s\n", strings.ReplaceAll(plan.Refused, "\n", "\n    "))
	}
}

func printVerifiers(w io.Writer, plan keys.Plan) {
	fmt.Fprintf(w, "\nVerifiers (V = %s):\n", time.Duration(plan.Allowance)*time.Second)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range plan.Verifiers {
		switch {
		case v.Needs == nil:
			fmt.Fprintf(table, "  %s\t-\tkeeps a set for ever: the JWKS must be reachable when it meets the new kid\n", v.Name)
		case v.Covered:
			fmt.Fprintf(table, "  %s\t%s\tcovered\n", v.Name, seconds(*v.Needs))
		default:
			fmt.Fprintf(table, "  %s\t%s\tNOT COVERED: raise SIGNET_KEY_PUBLISH_AHEAD by %s\n", v.Name, seconds(*v.Needs), seconds(*v.Needs-plan.Allowance))
		}
	}
	_ = table.Flush()
}

func seconds(n int64) string {
	if n < 0 {
		return "-" + seconds(-n)
	}
	return lasted(time.Duration(n) * time.Second)
}
