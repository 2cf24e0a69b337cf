package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Who has the embedded store open holds a shared lock on a file beside it, for as long as the process lives or the store is open; who puts another store in
// its place holds an exclusive one. The lock is the kernel's: a process that is killed holds none.
//
// Invariant: while a store is put in place nobody has the one before open, and nobody opens either.

var (
	errStoreInUse  = errors.New("the store is in use by a server or another command of signet: stop it first")
	errBeingPlaced = errors.New("a restore is at work on this store")
	errUnplaced    = errors.New("a restore stopped before its store was in place: complete it with 'signet restore --check'")
)

// storeLock is held until it is released.
type storeLock struct{ file *os.File }

// lockFile stands beside the store's own files.
func (c *Config) lockFile() string { return c.embeddedFile() + ".lock" }

// shareStore takes the lock of somebody who opens the store. It does not wait.
func shareStore(c *Config) (*storeLock, error) {
	if err := makeDataDir(c.DataDir); err != nil { // for a server; commands have seen the store in it
		return nil, err
	}
	l, err := takeLock(c.lockFile(), false)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, errBeingPlaced
	}
	if err := c.unplaced(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// unplaced is errUnplaced while a restored store waits to be put in place.
func (c *Config) unplaced() error {
	if _, err := os.Stat(c.restoredFile()); !errors.Is(err, fs.ErrNotExist) {
		return errUnplaced
	}
	return nil
}

// holdStore takes the lock of somebody who replaces the store. It does not wait.
func holdStore(c *Config) (*storeLock, error) {
	l, err := takeLock(c.lockFile(), true)
	if err == nil && l == nil {
		err = errStoreInUse
	}
	return l, err
}

// takeLock is nil when another one holds it.
func takeLock(path string, alone bool) (*storeLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	taken, err := tryLock(f, alone)
	if err != nil || !taken {
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock the store: %w", err)
		}
		return nil, nil
	}
	return &storeLock{f}, nil
}

// release lets go of it; nil holds nothing. The file stays, since removing it could take it from under somebody who has just opened it.
func (l *storeLock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}
