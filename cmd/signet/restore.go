package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"signet/repository/sqlite"
)

const restoreLong = `Put a backup in the place of the embedded store, while no server runs, and make it fit to be
served. A restored store can't know what happened since the backup was made, so every session ends,
mailed codes and mails on their way are dropped, and keys that are known to be revoked stay so:
those that the store in place knows, and those named by --revoked. What is lost is printed before
you are asked. The key-encryption keys are not in a backup: without all that sealed it, it is refused.

--replace  move a store that is there aside (signet.db.replaced-TIME); without it, that is refused
--check    do the same with the configured store as it is: after mongorestore (docs/runbooks/backup.md),
           after a file was copied by hand, or to complete a restore that was interrupted`

// restoreFlags is the command line of restore.
type restoreFlags struct {
	check, replace, yes, asJSON bool
	revoked                     []string
}

func newRestore(p *program) *cobra.Command {
	var f restoreFlags
	c := &cobra.Command{
		Use:   "restore (FILE | --check)",
		Short: "put a backup back, or make a store that was put back fit to be served",
		Long:  restoreLong,
		Args:  upToOneArg,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case f.check && len(args) > 0:
				return misused("--check takes no file: it is for the configured store")
			case f.check && f.replace:
				return misused("--check replaces nothing")
			case !f.check && len(args) == 0:
				return misused("expected one argument, the backup's file, or --check")
			}
			for _, kid := range f.revoked {
				if !keyID.MatchString(kid) {
					return misused("--revoked: %.60q is no kid: it has 43 characters, as 'signet keys list' shows them", kid)
				}
			}
			l, err := p.configuration(c, ringSettings)
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(c.Context())
			defer stop()
			if f.check {
				return p.checkRestored(ctx, l, f)
			}
			return p.restoreFile(ctx, l, args[0], f)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.check, "check", false, "do what a restore does with the configured store as it is")
	flags.BoolVar(&f.replace, "replace", false, "move a store that is there aside")
	flags.StringArrayVar(&f.revoked, "revoked", nil, "kid of a key that was revoked since the backup; may be repeated")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.asJSON, "json", false, "as JSON")
	addSettings(c, ringSettings)
	return c
}

// keyID is what a kid looks like (RFC 7638, of SHA-256). A part of one would revoke nothing.
var keyID = regexp.MustCompile(`^[0-9A-Za-z_-]{43}$`)

// errRestoreElsewhere: MongoDB has tools of its own.
var errRestoreElsewhere = errors.New("the store is a MongoDB: restore it with mongorestore and then run 'signet restore --check', as docs/runbooks/backup.md tells")

// restoreFile is the restore of an embedded store (restore_place.go).
func (p *program) restoreFile(ctx context.Context, l *loaded, file string, f restoreFlags) error {
	c := &l.Config
	if c.MongoDBURI != "" {
		return errRestoreElsewhere
	}
	if _, err := os.Stat(file); err != nil {
		return err
	}
	if err := makeDataDir(c.DataDir); err != nil {
		return err
	}
	lock, err := holdStore(c)
	if err != nil {
		return err
	}
	defer lock.release()
	if err := c.mayPlace(ctx, f.replace); err != nil {
		return err
	}
	defer func() { _ = removeStore(c.restoringFile()) }()
	if err := copyBackup(file, c.restoringFile()); err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	done, err := p.restoreAt(ctx, l, c.restoringFile(), f, true)
	if err != nil {
		return err // and the store in place is as it was
	}
	if err := c.commitRestored(ctx); err != nil {
		return err
	}
	if done.Replaced, err = c.placeRestored(ctx); err != nil {
		return fmt.Errorf("%w; complete it with 'signet restore --check'", err)
	}
	return p.printRestored(done, f.asJSON)
}

// mayPlace says what keeps a restored store from being put in place.
func (c *Config) mayPlace(ctx context.Context, replace bool) error {
	if err := c.unplaced(); err != nil {
		return err
	}
	if _, err := os.Stat(c.embeddedFile()); err != nil {
		return nil
	}
	if !replace {
		return fmt.Errorf("there is a store at %s: give --replace to move it aside", c.embeddedFile())
	}
	if err := sqlite.FoldIn(ctx, c.embeddedFile()); errors.Is(err, sqlite.ErrInUse) {
		return errStoreInUse
	}
	return nil // one that is damaged is what restores are for
}

// restoreAt takes the database file at path through every step. replacing says that it will replace the store in place, whose knowledge counts.
func (p *program) restoreAt(ctx context.Context, l *loaded, path string, f restoreFlags, replacing bool) (done restoredStore, err error) {
	if err := sqlite.Check(ctx, path); err != nil {
		return done, err
	}
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return p.restoreStore(ctx, l, embedded{s, nil}, f, replacing)
}

// checkRestored is restore --check.
func (p *program) checkRestored(ctx context.Context, l *loaded, f restoreFlags) error {
	c := &l.Config
	if c.MongoDBURI != "" {
		st, err := openStore(ctx, c, false)
		if err != nil {
			return err
		}
		defer func() { _ = st.Close(context.WithoutCancel(ctx)) }()
		if err := nobodyServes(ctx, l, st); err != nil {
			return err
		}
		done, err := p.restoreStore(ctx, l, st.(restorable), f, false)
		if err != nil {
			return err
		}
		return p.printRestored(done, f.asJSON)
	}
	if _, err := os.Stat(c.DataDir); err != nil {
		return fmt.Errorf("SIGNET_DATA_DIR: %w", err)
	}
	lock, err := holdStore(c)
	if err != nil {
		return err
	}
	defer lock.release()
	if c.unplaced() != nil {
		return p.completePlacing(ctx, c, f.asJSON)
	}
	if _, err := os.Stat(c.embeddedFile()); err != nil {
		return err
	}
	if err := sqlite.FoldIn(ctx, c.embeddedFile()); errors.Is(err, sqlite.ErrInUse) {
		return errStoreInUse
	}
	done, err := p.restoreAt(ctx, l, c.embeddedFile(), f, false)
	if err != nil {
		return err
	}
	return p.printRestored(done, f.asJSON)
}

// completePlacing puts a store in place that went through every step before the restore was interrupted.
func (p *program) completePlacing(ctx context.Context, c *Config, asJSON bool) error {
	aside, err := c.placeRestored(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		done := noneRestored()
		done.Completed, done.Replaced = true, aside
		return writeJSON(p.out, done)
	}
	fmt.Fprintln(p.out, "the store of the restore that was interrupted is in place")
	if aside != "" {
		fmt.Fprintf(p.out, "the one before is kept at %s\n", aside)
	}
	return nil
}
