package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"signet/issuer"
	"signet/issuer/djangoimport"
)

// importFlags is the command line of users import.
type importFlags struct {
	format, model  string
	dryRun, asJSON bool
}

func newUsersImport(p *program) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "bring accounts over from Django, with their ids and passwords",
		Long: `Bring accounts over from Django, with their ids, roles and password hashes. FILE is what
'manage.py dumpdata auth.user --output FILE' writes (or that of a custom user model), or CSV with a
header, or JSON lines, with Django's names: id, email, username, password, first_name, last_name,
is_active, is_staff (the role staff), is_superuser (the role admin), date_joined, last_login.

Passwords are verified as they are at the first sign-in and then hashed anew. Addresses count as
unverified until the first code. Rows that can't be taken are left out and listed in
FILE.rejects.jsonl, and the exit status is then 1. Running it again goes on where it stopped: what is
there already is left as it is. Servers may run meanwhile.`,
		Args: oneArg("the file with the accounts"),
		RunE: func(c *cobra.Command, args []string) error {
			switch djangoimport.Format(f.format) {
			case djangoimport.Auto, djangoimport.Dumpdata, djangoimport.CSV, djangoimport.JSONL:
			default:
				return misused("--format is auto, dumpdata, csv or jsonl")
			}
			l, err := p.configuration(c, userSettings)
			if err != nil {
				return err
			}
			return withStoreFor(c.Context(), &l.Config, 0, func(ctx context.Context, st store) error {
				return p.importUsers(ctx, &l.Config, st, args[0], f)
			})
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.format, "format", "auto", "dumpdata, csv or jsonl, if the file's first character does not tell")
	flags.StringVar(&f.model, "model", "", "the user model of a dump, app.Model (default auth.user, or the first with password and last_login)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "write nothing to the store, and say what would be refused")
	flags.BoolVar(&f.asJSON, "json", false, "the summary as JSON")
	addSettings(c, userSettings)
	return c
}

// importUsers reads the whole file.
func (p *program) importUsers(ctx context.Context, c *Config, st store, path string, f importFlags) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	reader, err := djangoimport.NewReader(file, djangoimport.Options{Format: djangoimport.Format(f.format), Model: f.model})
	if err != nil {
		return fmt.Errorf("%s: %w", shownName(path), err)
	}
	hasher, err := issuer.NewHasher(c.hashing())
	if err != nil {
		return err
	}
	provider := issuer.New(issuer.Deps{Settings: c.provider(), Store: st, Keys: storeClock{at: time.Now}, Hasher: hasher, Log: zerolog.New(p.err)})
	rejects, err := openRejects(path)
	if err != nil {
		return err
	}
	run := newImportRun(provider, reader, rejects, f.dryRun)
	run.progress = newImportProgress(p.err, info.Size(), reader)
	audit := importAudit{store: st, run: newImportRunID(), skip: f.dryRun}
	if err := audit.started(ctx, reader.Format(), info.Size()); err != nil {
		return errors.Join(err, rejects.close())
	}
	failed := run.all(ctx)
	run.progress.end()
	failed = errors.Join(failed, rejects.close(), audit.ended(context.WithoutCancel(ctx), run.sum, failed))
	if failed == nil {
		run.sum.FailedSignIn, err = failedSignIn(ctx, st, hasher, run)
		failed = err
	}
	if err := p.printImport(run.sum, path, f); err != nil {
		return errors.Join(failed, err)
	}
	switch {
	case failed != nil:
		return fmt.Errorf("%s: %w; what is there stays, and running it again goes on", shownName(path), failed)
	case run.sum.Rejected > 0:
		return errReported
	case run.sum.Rows == 0:
		return fmt.Errorf("%s: %w", shownName(path), noAccounts(reader))
	}
	return nil
}

// noAccounts says why a file held none.
func noAccounts(r *djangoimport.Reader) error {
	if len(r.Skipped()) == 0 {
		return errors.New("there are no accounts in it")
	}
	return fmt.Errorf("there are no accounts in it, but %s: name the user model with --model", countedModels(r.Skipped()))
}

// failedSignIn measures what a failed sign-in takes of one core, now that there are hashes of other kinds.
func failedSignIn(ctx context.Context, st store, hasher *issuer.Hasher, run *importRun) (time.Duration, error) {
	kinds, err := st.HashKinds(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the kinds of password hashes: %w", err)
	}
	for kind := range run.sum.PasswordKinds {
		kinds = append(kinds, kind)
	}
	hasher.SetKinds(kinds)
	began := time.Now()
	_, err = hasher.Verify(ctx, "", "a password that is not one")
	return time.Since(began), err
}
