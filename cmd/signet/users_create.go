package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signet/issuer"
)

// userSettings are what making an account needs: the store and the cost of the password's hash.
var userSettings = append(slices.Clone(storeSettings), "issuer", "argon2_memory", "argon2_time", "argon2_threads")

// createFlags is the command line of users create.
type createFlags struct {
	email, username         string
	givenName, familyName   string
	roles                   []string
	verified                bool
	passwordStdin, generate bool
	ifMissing, asJSON       bool
}

func newUsersCreate(p *program) *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use:   "create --email ADDRESS (--password-stdin | --generate-password)",
		Short: "make an account",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case f.email == "":
				return misused("--email is missing")
			case f.passwordStdin == f.generate:
				return misused("give one of --password-stdin and --generate-password")
			}
			return p.operator(c, userSettings, commandTime, true, func(ctx context.Context, st store, provider *issuer.Provider) error {
				return p.createUser(ctx, st, provider, f)
			})
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.email, "email", "", "the address codes are mailed to")
	flags.StringVar(&f.username, "username", "", "another name to sign in with")
	flags.StringVar(&f.givenName, "given-name", "", "given name")
	flags.StringVar(&f.familyName, "family-name", "", "family name")
	flags.StringArrayVar(&f.roles, "role", nil, "a role, such as admin; may be repeated")
	flags.BoolVar(&f.verified, "verified", false, "the address is known to be the user's")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from standard input")
	flags.BoolVar(&f.generate, "generate-password", false, "make a password and print it, once")
	flags.BoolVar(&f.ifMissing, "if-missing", false, "change nothing and succeed when the address has an account")
	flags.BoolVar(&f.asJSON, "json", false, "as JSON")
	addSettings(c, userSettings)
	return c
}

// createdUser is the answer of users create. Password is there when it was made here.
type createdUser struct {
	userInfo
	Created  bool   `json:"created"`
	Password string `json:"password,omitempty"`
}

func (p *program) createUser(ctx context.Context, st store, provider *issuer.Provider, f createFlags) error {
	if f.ifMissing {
		u, found, err := accountOf(ctx, st, f.email)
		if err != nil {
			return err
		}
		if found {
			return p.printCreated(createdUser{userInfo: infoOf(u)}, f.asJSON)
		}
	}
	password, err := p.newPassword(f.generate)
	if err != nil {
		return err
	}
	u, err := provider.CreateUser(ctx, issuer.NewUser{Email: f.email, Username: f.username, Password: password, GivenName: f.givenName,
		FamilyName: f.familyName, Roles: f.roles, Verified: f.verified})
	if f.ifMissing && issuer.KindOf(err) == issuer.KindConflict { // perhaps made just now by somebody else
		if there, found, lookup := accountOf(ctx, st, f.email); lookup == nil && found {
			return p.printCreated(createdUser{userInfo: infoOf(there)}, f.asJSON)
		}
	}
	if err != nil {
		return err
	}
	made := createdUser{userInfo: infoOf(u), Created: true}
	if f.generate {
		made.Password = password
	}
	return p.printCreated(made, f.asJSON)
}

// accountOf finds the account that an address belongs to. A registration that stopped half-way has none: creating resolves it.
func accountOf(ctx context.Context, st store, email string) (issuer.User, bool, error) {
	if _, err := issuer.CanonicalEmail(email); err != nil {
		return issuer.User{}, false, fmt.Errorf("--email: %w", err)
	}
	return accountWithEmail(ctx, st, email)
}

// passwordLimit is what is read of standard input: more than any password may have, so that a longer one is refused, not cut.
const passwordLimit = 4 << 10

func (p *program) newPassword(generate bool) (string, error) {
	if generate {
		return rand.Text(), nil
	}
	data, err := io.ReadAll(io.LimitReader(p.in, passwordLimit))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if password == "" {
		return "", misused("the password on standard input is empty")
	}
	return password, nil
}

func (p *program) printCreated(u createdUser, asJSON bool) error {
	if asJSON {
		return writeJSON(p.out, u)
	}
	text := fmt.Sprintf("made %s: %s\n", u.Email, u.ID)
	if !u.Created {
		text = fmt.Sprintf("%s has an account: %s. Nothing was changed.\n", u.Email, u.ID)
	}
	if u.Password != "" {
		text += fmt.Sprintf("password (not shown again): %s\n", u.Password)
	}
	if _, err := io.WriteString(p.out, text); err != nil { // nobody has seen the password then
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// plainRefusal says a refusal in the words for the caller, field by field. nil stays nil.
func plainRefusal(err error) error {
	var e *issuer.Error
	if !errors.As(err, &e) {
		return err
	}
	text := e.Detail
	for _, f := range e.Fields {
		text += fmt.Sprintf(" %s: %s.", f.Field, f.Message)
	}
	if e.Cause != nil {
		return fmt.Errorf("%s: %s: %w", e.Kind, strings.TrimSpace(text), e.Cause)
	}
	return fmt.Errorf("%s: %s", e.Kind, strings.TrimSpace(text))
}
