package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

func newTokenInspect(p *program) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect TOKEN|-",
		Short: "print what a token says, without checking it ('-' reads standard input)",
		Args:  oneArg("the token"),
		RunE: func(_ *cobra.Command, args []string) error {
			token, err := p.readToken(args[0])
			if err != nil {
				return err
			}
			d, err := decodeToken(token)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(p.out, d)
			}
			printToken(p.out, d, time.Now())
			fmt.Fprintln(p.err, "Nothing of this was checked: 'signet token verify' does.")
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, []string{})
	return c
}

// printToken writes header and claims, each time also as people read it.
func printToken(w io.Writer, d decodedToken, now time.Time) {
	for _, part := range []struct {
		name   string
		fields map[string]any
	}{{"header", d.Header}, {"claims", d.Claims}} {
		fmt.Fprintln(w, part.name)
		for _, name := range slices.Sorted(maps.Keys(part.fields)) {
			fmt.Fprintf(w, "  %-10s %s%s\n", oneLine(name), compact(part.fields[name]), readableTime(name, part.fields[name], now))
		}
	}
}

// compact is a value as JSON on one line, without anything that a terminal would obey.
func compact(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	var b strings.Builder
	for _, r := range string(text) {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// oneLine is a name like that, without the quotes.
func oneLine(name string) string { return strings.Trim(compact(name), `"`) }

// readableTime explains a NumericDate (RFC 7519, section 2).
func readableTime(name string, value any, now time.Time) string {
	switch name {
	case "exp", "iat", "nbf", "auth_time":
	default:
		return ""
	}
	number, ok := value.(json.Number)
	if !ok {
		return ""
	}
	seconds, err := number.Int64()
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return ""
	}
	at := time.Unix(seconds, 0).UTC()
	if distance := now.Sub(at).Truncate(time.Second); distance >= 0 {
		return fmt.Sprintf("  %s, %s ago", at.Format(time.RFC3339), distance)
	} else {
		return fmt.Sprintf("  %s, in %s", at.Format(time.RFC3339), -distance)
	}
}
