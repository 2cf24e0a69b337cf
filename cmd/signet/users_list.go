package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"signet/issuer"
)

// listFlags is the command line of users list.
type listFlags struct {
	query, role string
	disabled    bool
	asJSON      bool
}

func newUsersList(p *program) *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "list the accounts, oldest first",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q := issuer.UserQuery{Prefix: f.query, Role: f.role}
			if c.Flags().Changed("disabled") {
				q.Disabled = &f.disabled
			}
			return p.operator(c, storeSettings, 0, false, func(ctx context.Context, _ store, provider *issuer.Provider) error {
				return p.listUsers(ctx, provider, q, f.asJSON)
			})
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.query, "query", "", "only those whose id, address, username or name begins like this")
	flags.StringVar(&f.role, "role", "", "only those with this role")
	flags.BoolVar(&f.disabled, "disabled", false, "only disabled ones; --disabled=false: only those that are not")
	flags.BoolVar(&f.asJSON, "json", false, "as JSON")
	addSettings(c, storeSettings)
	return c
}

func (p *program) listUsers(ctx context.Context, provider *issuer.Provider, q issuer.UserQuery, asJSON bool) error {
	page := func(after issuer.Place) (issuer.Page[issuer.User], error) {
		return provider.ListUsers(ctx, issuer.Operator(), q, after, listPage)
	}
	if asJSON {
		list := jsonArray{w: p.out}
		err := eachOf(page, func(users []issuer.User) error {
			for _, u := range users {
				if err := list.add(infoOf(u)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return list.close()
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tEMAIL\tUSERNAME\tSTATE\tROLES\tCREATED\tLAST SIGN-IN")
	return eachOf(page, func(users []issuer.User) error {
		for _, u := range users {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.ID, u.Email, dash(u.Username), u.State, dash(strings.Join(u.Roles, ",")),
				when(&u.CreatedAt), when(&u.LastLoginAt))
		}
		return table.Flush() // columns are as wide as this page needs; nothing is kept
	})
}

// dash stands for what there is none of.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
