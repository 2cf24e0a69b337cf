package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/keys"
)

// verifyFlags is the command line of token verify.
type verifyFlags struct {
	jwks, issuer, audience, typ string
	leeway                      time.Duration
	asJSON                      bool
}

// verifySettings: the issuer says where the keys are and what iss must be, the type what typ must be, unless flags do.
var verifySettings = []string{"issuer", "access_typ"}

func newTokenVerify(p *program) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify TOKEN|-",
		Short: "check a token as a stranger would, and say everything that is wrong with it",
		Long: `Check a token as a stranger would, with published keys alone, and say everything that is
wrong with it. '-' reads the token from standard input, which keeps it out of the process list.`,
		Args: oneArg("the token"),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := p.configuration(c, verifySettings)
			if err != nil {
				return err
			}
			if f.issuer == "" && !c.Flags().Changed("issuer") {
				f.issuer = l.Issuer
			}
			if !c.Flags().Changed("type") {
				f.typ = l.AccessTyp
			}
			token, err := p.readToken(args[0])
			if err != nil {
				return err
			}
			return p.verifyToken(c.Context(), token, f)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.jwks, "jwks", "", "keys to check with: a URL or a file (default: the issuer's)")
	flags.StringVar(&f.issuer, "issuer", "", "iss that the token must have (default: SIGNET_ISSUER; none: any)")
	flags.StringVar(&f.audience, "audience", "", "aud that the token must hold (default: any)")
	flags.StringVar(&f.typ, "type", "", "typ that the token must have (default: SIGNET_ACCESS_TYP, which is at+jwt; empty: any)")
	flags.DurationVar(&f.leeway, "leeway", 0, "how wrong clocks may be")
	flags.BoolVar(&f.asJSON, "json", false, "as JSON")
	addSettings(c, verifySettings)
	return c
}

// verdict is the answer of token verify.
type verdict struct {
	Valid bool `json:"valid"`
	keys.Report
	JWKS    string   `json:"jwks"`
	Skipped []string `json:"jwks_skipped,omitempty"`
}

func (p *program) verifyToken(ctx context.Context, token string, f verifyFlags) error {
	from := f.jwks
	if from == "" {
		if f.issuer == "" {
			return misused("no keys to check with: give --jwks, or set SIGNET_ISSUER")
		}
		from = f.issuer + "/.well-known/jwks.json"
	}
	body, err := readJWKS(ctx, from)
	if err != nil {
		return fmt.Errorf("read the JWKS: %w", err)
	}
	set, err := keys.ParseJWKS(body)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	report := keys.Diagnose(token, set, keys.Expect{Issuer: f.issuer, Audience: f.audience, Type: f.typ, Now: time.Now(), Leeway: f.leeway})
	v := verdict{Valid: report.Valid(), Report: report, JWKS: from, Skipped: set.Skipped}
	if f.asJSON {
		if err := writeJSON(p.out, v); err != nil {
			return err
		}
	} else {
		p.printVerdict(v, f)
	}
	if !v.Valid {
		return errReported
	}
	return nil
}

// printVerdict says what a person wants to know first: good or not, and why.
func (p *program) printVerdict(v verdict, f verifyFlags) {
	if !v.Valid {
		fmt.Fprintln(p.out, "REFUSED")
		for _, problem := range v.Problems {
			fmt.Fprintf(p.out, "  %s\n", problem)
		}
	} else {
		fmt.Fprintf(p.out, "good: signed with %s by key %s\n", v.Algorithm, v.KeyID)
		now := time.Now()
		for _, name := range slices.Sorted(maps.Keys(v.Claims)) {
			fmt.Fprintf(p.out, "  %-10s %s%s\n", oneLine(name), compact(v.Claims[name]), readableTime(name, v.Claims[name], now))
		}
	}
	for _, claim := range []struct{ name, wanted string }{{"iss", f.issuer}, {"aud", f.audience}, {"typ", f.typ}} {
		if claim.wanted == "" {
			fmt.Fprintf(p.err, "note: %s was not checked\n", claim.name)
		}
	}
	for _, skipped := range v.Skipped {
		fmt.Fprintf(p.err, "note: the JWKS has an entry that can't be used: %s\n", skipped)
	}
}

const (
	jwksLimit = 1 << 20
	jwksTime  = 10 * time.Second
)

// readJWKS reads a key set from a URL or a file.
func readJWKS(ctx context.Context, from string) ([]byte, error) {
	if !strings.HasPrefix(from, "https://") && !strings.HasPrefix(from, "http://") {
		return readSmallFile(from, jwksLimit)
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, jwksTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", from, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, jwksLimit+1))
	if err == nil && len(body) > jwksLimit {
		err = fmt.Errorf("%s answers more than %d bytes", from, jwksLimit)
	}
	return body, err
}
