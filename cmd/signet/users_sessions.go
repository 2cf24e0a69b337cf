package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"signet/issuer"
)

// sessionInfo is a session as commands show it. What does not apply is null.
type sessionInfo struct {
	SID       string     `json:"sid"`
	ClientID  string     `json:"client_id"`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  time.Time  `json:"last_used_at"` // signed in or refreshed
	ExpiresAt time.Time  `json:"expires_at"`   // unless it is refreshed before
	UserAgent *string    `json:"user_agent"`
	IP        *string    `json:"ip"`
	RevokedAt *time.Time `json:"revoked_at"`
	Why       *string    `json:"revoked_reason"`
}

func sessionInfoOf(s issuer.Session) sessionInfo {
	i := sessionInfo{SID: s.ID, ClientID: s.ClientID, CreatedAt: s.CreatedAt.UTC(), LastUsed: s.At.UTC(), ExpiresAt: earlier(s.IdleAt, s.AbsAt).UTC(),
		UserAgent: textOrNull(s.UserAgent), IP: textOrNull(s.IP)}
	if s.Revoked != nil {
		at := s.Revoked.At.UTC()
		i.RevokedAt, i.Why = &at, textOrNull(string(s.Revoked.Why))
	}
	return i
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func newUsersSessions(p *program) *cobra.Command {
	var revoked bool
	c := p.aboutAccount("sessions", "list the sessions of an account", func(ctx context.Context, provider *issuer.Provider, u issuer.User, asJSON bool) error {
		return p.listSessions(ctx, provider, u, revoked, asJSON)
	})
	c.Flags().BoolVar(&revoked, "revoked", false, "those that were ended before their time, and why")
	return c
}

func (p *program) listSessions(ctx context.Context, provider *issuer.Provider, u issuer.User, revoked, asJSON bool) error {
	page := func(after issuer.Place) (issuer.Page[issuer.Session], error) {
		return provider.ListSessions(ctx, issuer.Operator(), u.ID, revoked, after, listPage)
	}
	list := jsonArray{w: p.out}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "SID\tCREATED\tLAST USED\tEXPIRES\tREVOKED\tFOR\tIP\tUSER AGENT")
	}
	err := eachOf(page, func(sessions []issuer.Session) error {
		for _, s := range sessions {
			i := sessionInfoOf(s)
			if asJSON {
				if err := list.add(i); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i.SID, when(&i.CreatedAt), when(&i.LastUsed), when(&i.ExpiresAt), when(i.RevokedAt), shown(i.Why),
				shown(i.IP), shown(i.UserAgent))
		}
		return table.Flush()
	})
	if err != nil || !asJSON {
		return err
	}
	return list.close()
}

// shown is a text that may be missing, or not fit for a terminal.
func shown(s *string) string {
	if s == nil {
		return "-"
	}
	return printable(*s)
}

// printable shows what a stranger has sent on a terminal, which must not obey it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
