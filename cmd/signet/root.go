package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

const rootLong = `signet is an identity provider: it checks a password, mails a code, and only then
issues tokens that anyone can verify offline with the keys it publishes.

Settings come from flags, over SIGNET_* variables, over a flat YAML file (--config):
SIGNET_KEY_POLL = --key-poll = key_poll. 'signet config' shows what is in force.`

func newRoot(p *program) *cobra.Command {
	root := group("signet", "a self-hosted identity provider",
		newServe(p),
		group("keys", "the signing keys", newKeysList(p), newKeysPlan(p), newKeysRotate(p), newKeysRollback(p), newKeysRevoke(p),
			newKeysImport(p), newKeysExport(p), newKeysRewrap(p)),
		group("users", "the accounts", newUsersCreate(p), newUsersImport(p), newUsersList(p), newUsersShow(p), newUsersDisable(p), newUsersEnable(p), newUsersSetPassword(p),
			newUsersSessions(p), newUsersLogout(p)),
		group("audit", "the log of who did what", newAuditTail(p), newAuditExport(p)),
		group("token", "look into a token", newTokenInspect(p), newTokenVerify(p)),
		newBackup(p), newRestore(p), newPurge(p), newMailTest(p),
		newDoctor(p),
		newConfigCommand(p),
		newVersion(p),
	)
	root.Long = rootLong
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return misuse{err} })
	return root
}

// group is a command that does nothing but hold others.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.ArbitraryArgs, // so that RunE gets to say what is unknown, as a misuse
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				c.SetOut(c.ErrOrStderr())
				_ = c.Help()
				return misused("a command is missing")
			}
			hint := ""
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return misused("unknown command %q%s", args[0], hint)
		},
		SuggestionsMinimumDistance: 2,
	}
	g.AddCommand(commands...)
	return g
}

// noArgs refuses arguments as a misuse.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused("unexpected argument %q", args[0])
	}
	return nil
}

// oneArg takes exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return misused("expected one argument, %s, and got %d", what, len(args))
		}
		return nil
	}
}

// writeJSON writes v for a machine, indented because people read it too.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
