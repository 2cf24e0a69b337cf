package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"signet/issuer"
)

// accountInfo is everything about an account that a command shows.
type accountInfo struct {
	userInfo
	GivenName     string `json:"given_name"`
	FamilyName    string `json:"family_name"`
	Locale        string `json:"locale"`
	HasPassword   bool   `json:"has_password"`
	ResetRequired bool   `json:"password_reset_required"`
}

// aboutAccount is a command about one account that is looked up first.
func (p *program) aboutAccount(use, short string, do func(context.Context, *issuer.Provider, issuer.User, bool) error) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   use + " ID|EMAIL|USERNAME",
		Short: short,
		Args:  oneArg(oneAccount),
		RunE: func(c *cobra.Command, args []string) error {
			return p.operator(c, storeSettings, commandTime, false, func(ctx context.Context, st store, provider *issuer.Provider) error {
				u, err := findUser(ctx, st, args[0])
				if err != nil {
					return err
				}
				return do(ctx, provider, u, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, storeSettings)
	return c
}

func newUsersShow(p *program) *cobra.Command {
	return p.aboutAccount("show", "show one account", func(_ context.Context, _ *issuer.Provider, u issuer.User, asJSON bool) error {
		return p.showUser(u, asJSON)
	})
}

func (p *program) showUser(u issuer.User, asJSON bool) error {
	if asJSON {
		return writeJSON(p.out, accountInfo{userInfo: infoOf(u), GivenName: u.GivenName, FamilyName: u.FamilyName, Locale: u.Locale,
			HasPassword: u.PasswordHash != "", ResetRequired: u.ResetRequired})
	}
	verified, password := "not verified", "none"
	if u.EmailVerified {
		verified = "verified"
	}
	switch {
	case u.ResetRequired:
		password = "must be reset"
	case u.PasswordHash != "":
		password = "set"
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"ID", u.ID}, {"EMAIL", u.Email + " (" + verified + ")"}, {"USERNAME", u.Username}, {"NAME", strings.TrimSpace(u.GivenName + " " + u.FamilyName)},
		{"LOCALE", u.Locale}, {"STATE", string(u.State)}, {"ROLES", strings.Join(u.Roles, ", ")}, {"PASSWORD", password}, {"CREATED", when(&u.CreatedAt)},
		{"LAST SIGN-IN", when(&u.LastLoginAt)},
	} {
		fmt.Fprintf(table, "%s\t%s\n", line[0], dash(line[1]))
	}
	return table.Flush()
}
