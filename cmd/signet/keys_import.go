package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"signet/keys"
)

func newKeysImport(p *program) *cobra.Command {
	var (
		f          changeFlags
		alg, kid   string
		publicOnly bool
	)
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "publish a key from outside as the next standby",
		Long: `Publish a key from outside as a standby: it waits like any other until every verifier has had
it, and then goes first. FILE is PEM (PKCS #8, PKCS #1 or SEC 1) or a JWK, readable by its owner
alone; RSA of 2048 to 4096 bits, or P-256. Its kid will be its RFC 7638 thumbprint.

--public    a public key alone, of a ring that was lost: what it signed verifies again`,
		Args: oneArg("the file with the key"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := chosenAlgorithms(alg); err != nil {
				return err
			}
			key, err := readKeyFile(args[0], kid, publicOnly)
			if err != nil {
				return err
			}
			if alg != "" && key.Algorithm != keys.Algorithm(alg) {
				return fmt.Errorf("%s: a key for %s, not %s", args[0], key.Algorithm, alg)
			}
			return p.changeRing(c, f, changing{name: "import", give: func(ctx context.Context, o keys.Operator) ([]keys.Change, error) {
				return o.Import(ctx, key, publicOnly)
			}})
		},
	}
	flags := c.Flags()
	flags.StringVar(&alg, "alg", "", "refuse a key that is not for this algorithm: ES256 or RS256")
	flags.StringVar(&kid, "kid", "", "which key of a JWK set")
	flags.BoolVar(&publicOnly, "public", false, "a public key alone: it is published for what it signed, and never signs")
	f.add(c)
	addSettings(c, ringSettings)
	return c
}

// readKeyFile reads a key to import. A private one that others can read is refused: it is nobody's secret any more.
func readKeyFile(path, kid string, publicOnly bool) (keys.Imported, error) {
	data, err := readSmallFile(path, keys.MaxImport)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return keys.Imported{}, fmt.Errorf("%s: %w", shownName(path), err)
	}
	key, err := keys.ParseImport(data, kid)
	switch {
	case err != nil:
		return keys.Imported{}, fmt.Errorf("%s: %w", shownName(path), err)
	case publicOnly && key.Private():
		return keys.Imported{}, fmt.Errorf("%s holds a private key, and --public is for public ones", shownName(path))
	case !publicOnly && !key.Private():
		return keys.Imported{}, fmt.Errorf("%s holds no private half, so that it can't sign; --public publishes it for what it has signed", shownName(path))
	case key.Private():
		info, err := os.Stat(path)
		if err != nil {
			return keys.Imported{}, fmt.Errorf("%s: %w", shownName(path), err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			return keys.Imported{}, fmt.Errorf("%s has mode %04o, so that others than its owner can get at the key: chmod 600 it, or import one that is still a secret", shownName(path), mode)
		}
	}
	return key, nil
}
