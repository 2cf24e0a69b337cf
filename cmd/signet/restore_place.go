package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"signet/repository/sqlite"
)

// Putting a restored store in place, on the embedded store:
//
//  1. The backup is copied to signet.db.restoring, checked, and taken through every step of a restore there (issuer/restore.go). The store in place is
//     only read. A crash, or an error, leaves it as it was; the next restore begins anew.
//  2. signet.db.restoring -> signet.db.restored: the commit. From here on nobody opens the store (store_lock.go) until it is in place.
//  3. What is in place is moved aside, its log first, and signet.db.restored -> signet.db. Each move is done if it was not yet.
//
// Invariant: at signet.db there is at every moment the store from before, nothing while signet.db.restored is there, or the restored one, whole.
// After a crash in 3, doing 3 again goes on.

func (c *Config) restoringFile() string { return c.embeddedFile() + ".restoring" }
func (c *Config) restoredFile() string  { return c.embeddedFile() + ".restored" }

// companions are the files that SQLite may have beside a database.
var companions = []string{"-wal", "-journal", "-shm"}

// copyBackup makes the working copy. A file with a log beside it is no backup but a store that is, or was, in use.
func copyBackup(from, to string) (err error) {
	for _, end := range companions[:2] {
		if info, err := os.Stat(from + end); err == nil && info.Size() > 0 {
			return fmt.Errorf("%s has a %s beside it: it is a store in use, or a copy of one, not what 'signet backup' wrote", from, filepath.Base(from)+end)
		}
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := removeStore(to); err != nil {
		return err
	}
	copied, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, source)
	return errors.Join(err, copied.Sync(), copied.Close())
}

// removeStore removes a database with what is beside it; none is fine.
func removeStore(path string) error {
	var failed []error
	for _, end := range append([]string{""}, companions...) {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// commitRestored is step 2.
func (c *Config) commitRestored(ctx context.Context) error {
	if err := sqlite.FoldIn(ctx, c.restoringFile()); err != nil {
		return err
	}
	f, err := os.OpenFile(c.restoringFile(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(c.restoringFile(), c.restoredFile()); err != nil {
		return err
	}
	return syncFolder(c.DataDir)
}

// placeRestored is step 3. It returns where the store from before is now, "" if there was none.
func (c *Config) placeRestored(ctx context.Context) (aside string, err error) {
	steps, aside, err := c.placing()
	if err != nil {
		return "", err
	}
	// What stands in the log of the one before goes into its file, if it can still be read.
	if err := sqlite.FoldIn(ctx, c.embeddedFile()); errors.Is(err, sqlite.ErrInUse) {
		return "", errStoreInUse
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return "", fmt.Errorf("put the restored store in place: %w", err)
		}
	}
	if _, err := os.Stat(aside); err != nil {
		return "", nil
	}
	return aside, nil
}

// placing are the moves of step 3. The name that the store from before gets is made from the restored one, so that it is the same however often they are
// begun.
func (c *Config) placing() (steps []func() error, aside string, err error) {
	info, err := os.Stat(c.restoredFile())
	if err != nil {
		return nil, "", err
	}
	place := c.embeddedFile()
	aside = place + ".replaced-" + info.ModTime().UTC().Format("20060102T150405.000Z")
	for _, end := range append(companions, "") {
		steps = append(steps, func() error { return moveIfThere(place+end, aside+end) })
	}
	return append(steps,
		func() error { return syncFolder(c.DataDir) },
		func() error { return os.Rename(c.restoredFile(), place) },
		func() error { return syncFolder(c.DataDir) },
	), aside, nil
}

// moveIfThere moves a file where none is.
func moveIfThere(from, to string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	return os.Rename(from, to)
}

// syncFolder makes names durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
