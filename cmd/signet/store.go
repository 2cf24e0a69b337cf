package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"signet/issuer"
	"signet/keys"
	"signet/repository/mongodb"
	"signet/repository/sqlite"
)

// store is what the commands need of a repository; both have it.
type store interface {
	issuer.Store
	keys.RingStore
	Ping(ctx context.Context) error
	Close(ctx context.Context) error
}

// sweeper is a store that deletes what has expired only when told to.
type sweeper interface {
	Sweep(ctx context.Context, now time.Time, limit int) (deleted int, err error)
}

// embedded closes the embedded store as the other is closed.
type embedded struct {
	*sqlite.Store
	lock *storeLock
}

func (e embedded) Close(context.Context) error {
	defer e.lock.release()
	return e.Store.Close()
}

// embeddedFile is the embedded store's file in the data folder.
func (c *Config) embeddedFile() string { return filepath.Join(c.DataDir, "signet.db") }

// storeName is the store as people call it, without secrets.
func (c *Config) storeName() string {
	if c.MongoDBURI != "" {
		return maskURL(c.MongoDBURI)
	}
	return c.embeddedFile()
}

// openStore opens the configured store. A server makes it and brings its schema up to date. A command (server false) does neither: it must not
// leave an empty one where the operator mistyped a name, nor lock older servers out.
func openStore(ctx context.Context, c *Config, server bool) (store, error) {
	if c.MongoDBURI != "" {
		s, err := mongodb.Open(ctx, c.MongoDBURI, mongodb.Options{AsIs: !server})
		if err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
		return s, nil
	}
	if !server {
		if _, err := os.Stat(c.embeddedFile()); errors.Is(err, fs.ErrNotExist) {
			if err := c.unplaced(); err != nil {
				return nil, fmt.Errorf("open the store: %w", err)
			}
			return nil, fmt.Errorf("there is no store at %s: set SIGNET_DATA_DIR or SIGNET_MONGODB_URI, or start the server once", c.embeddedFile())
		}
	}
	lock, err := shareStore(c)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s, err := sqlite.Open(ctx, c.embeddedFile(), sqlite.Options{AsIs: !server})
	if err != nil {
		lock.release()
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return embedded{s, lock}, nil
}
