package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"signet/issuer"
)

func newUsersDisable(p *program) *cobra.Command {
	return p.aboutAccount("disable", "refuse an account's sign-ins and end its sessions", func(ctx context.Context, provider *issuer.Provider, u issuer.User, asJSON bool) error {
		return p.setDisabled(ctx, provider, u, true, "is disabled; its sessions have ended", asJSON)
	})
}

func newUsersEnable(p *program) *cobra.Command {
	return p.aboutAccount("enable", "let a disabled account sign in again", func(ctx context.Context, provider *issuer.Provider, u issuer.User, asJSON bool) error {
		return p.setDisabled(ctx, provider, u, false, "is enabled", asJSON)
	})
}

func (p *program) setDisabled(ctx context.Context, provider *issuer.Provider, u issuer.User, disabled bool, done string, asJSON bool) error {
	u, err := provider.PatchUser(ctx, issuer.Operator(), u.ID, issuer.UserPatch{Disabled: &disabled})
	if err != nil {
		return err
	}
	return p.printAccount(u, done, asJSON)
}

func newUsersLogout(p *program) *cobra.Command {
	return p.aboutAccount("logout", "end every session of an account", func(ctx context.Context, provider *issuer.Provider, u issuer.User, asJSON bool) error {
		if err := provider.LogoutUser(ctx, issuer.Operator(), u.ID); err != nil {
			return err
		}
		return p.printAccount(u, "has no session any more", asJSON)
	})
}

func (p *program) printAccount(u issuer.User, done string, asJSON bool) error {
	if asJSON {
		return writeJSON(p.out, infoOf(u))
	}
	_, err := fmt.Fprintf(p.out, "%s (%s) %s\n", u.Email, u.ID, done)
	return err
}

func newUsersSetPassword(p *program) *cobra.Command {
	var fromInput, generate, asJSON bool
	c := &cobra.Command{
		Use:   "set-password ID|EMAIL|USERNAME (--password-stdin | --generate-password)",
		Short: "give an account another password, end its sessions and tell its owner",
		Args:  oneArg(oneAccount),
		RunE: func(c *cobra.Command, args []string) error {
			if fromInput == generate {
				return misused("give one of --password-stdin and --generate-password")
			}
			return p.operator(c, userSettings, commandTime, true, func(ctx context.Context, st store, provider *issuer.Provider) error {
				u, err := findUser(ctx, st, args[0])
				if err != nil {
					return err
				}
				return p.setPassword(ctx, provider, u, generate, asJSON)
			})
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.BoolVar(&fromInput, "password-stdin", false, "read the password from standard input")
	flags.BoolVar(&generate, "generate-password", false, "make a password and print it, once")
	flags.BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, userSettings)
	return c
}

func (p *program) setPassword(ctx context.Context, provider *issuer.Provider, u issuer.User, generate, asJSON bool) error {
	password, err := p.newPassword(generate)
	if err != nil {
		return err
	}
	if err := provider.SetPassword(ctx, issuer.Operator(), u.ID, password); err != nil {
		return err
	}
	if !generate {
		return p.printAccount(u, "has the new password; its sessions have ended", asJSON)
	}
	if asJSON {
		return writeJSON(p.out, struct {
			userInfo
			Password string `json:"password"`
		}{infoOf(u), password})
	}
	if err := p.printAccount(u, "has a new password; its sessions have ended", false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "password (not shown again): %s\n", password)
	return err
}
