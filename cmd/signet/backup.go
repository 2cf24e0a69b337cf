package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func newBackup(p *program) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "write the embedded store into one file, beside a running server",
		Long: `Write what the embedded store holds at one moment into a new file, of its owner alone. Servers may
run. Secrets in it are sealed by the key-encryption keys, which are not in it: keep SIGNET_KEK_FILE
elsewhere, or the backup can't be restored. A MongoDB is backed up by its own tools, as
docs/runbooks/backup.md tells.`,
		Args: oneArg("the file to write"),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := p.configuration(c, storeSettings)
			if err != nil {
				return err
			}
			if l.MongoDBURI != "" {
				return errors.New("the store is a MongoDB: back it up with mongodump, as docs/runbooks/backup.md tells")
			}
			return withStoreFor(c.Context(), &l.Config, 0, func(ctx context.Context, st store) error {
				return p.backup(ctx, st.(embedded), args[0], asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, storeSettings)
	return c
}

func (p *program) backup(ctx context.Context, st embedded, file string, asJSON bool) error {
	began := time.Now()
	if err := st.Backup(ctx, file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if asJSON {
		path, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		return writeJSON(p.out, struct {
			File   string    `json:"file"`
			Bytes  int64     `json:"bytes"`
			MadeAt time.Time `json:"made_at"`
			Took   float64   `json:"ms"`
		}{path, info.Size(), began.UTC().Truncate(time.Second), float64(took.Microseconds()) / 1000})
	}
	fmt.Fprintf(p.out, "%s: %d bytes, in %s; keep SIGNET_KEK_FILE elsewhere, without it this can't be restored\n", file, info.Size(), took.Round(time.Millisecond))
	return nil
}
