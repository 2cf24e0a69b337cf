package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/spf13/cobra"
)

// exportFlags is the command line of keys export.
type exportFlags struct {
	private, fromInput, yes, asJSON bool
	reason                          string
}

func newKeysExport(p *program) *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "print the public keys as a JWK set, or with --private all of them, encrypted",
		Long: `Print the public keys as they are published (a JWK set).

--private    the private halves too, as a JWK set encrypted under a passphrase, to be opened with
             'age --decrypt' (age-encryption.org). Whoever opens it signs in your name`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkReason(f.reason); err != nil {
				return err
			}
			switch {
			case f.fromInput && !f.private:
				return misused("--passphrase-stdin goes with --private")
			case f.private && f.asJSON:
				return misused("--private is encrypted: --json does not go with it")
			case !f.private:
				return p.exportPublic(c)
			}
			return p.exportPrivate(c, f)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.private, "private", false, "the private halves too, encrypted under a passphrase")
	flags.BoolVar(&f.fromInput, "passphrase-stdin", false, "read the passphrase from standard input instead of the terminal")
	flags.StringVar(&f.reason, "reason", "", "why, for the audit log")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.asJSON, "json", false, "as JSON, which the public set is in any case")
	addSettings(c, ringSettings)
	return c
}

func (p *program) exportPublic(c *cobra.Command) error {
	l, err := p.configuration(c, planSettings)
	if err != nil {
		return err
	}
	return withStore(c.Context(), &l.Config, func(ctx context.Context, st store) error {
		body, err := keyReader(l, st).ExportPublic(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s\n", body)
		return err
	})
}

// exportPrivate asks, then records that the keys leave, and then lets them: nobody gets them unrecorded.
func (p *program) exportPrivate(c *cobra.Command, f exportFlags) error {
	l, err := p.configuration(c, ringSettings)
	if err != nil {
		return err
	}
	if !f.yes {
		fmt.Fprintln(p.err, "Whoever opens the export can sign in this issuer's name until every key in it is revoked.")
		if err := p.confirm("Export the private keys?"); err != nil {
			return err
		}
	}
	passphrase, err := p.newPassphrase(f.fromInput)
	if err != nil {
		return err
	}
	return withStore(c.Context(), &l.Config, func(ctx context.Context, st store) error {
		operator, err := keyOperator(l, st)
		if err != nil {
			return err
		}
		e, err := operator.ExportPrivate(ctx)
		if err != nil {
			return err
		}
		sealed, err := underPassphrase(e.Body, passphrase)
		if err != nil {
			return err
		}
		id := fmt.Sprintf("keys.export:%d:%d", e.RingVersion, time.Now().UnixMilli())
		if err := auditCommand(ctx, st, id, "export", "", f.reason, fmt.Sprintf("private halves of %v", e.KeyIDs)); err != nil {
			return fmt.Errorf("the audit log can't be written, so that nothing is exported: %w", err)
		}
		for _, kid := range e.Left {
			fmt.Fprintf(p.err, "left out: key %s, whose private half is not in the ring\n", kid)
		}
		_, err = p.out.Write(sealed)
		return err
	})
}

// underPassphrase encrypts in the age format, armored: the key is scrypt's, the cipher ChaCha20-Poly1305.
func underPassphrase(plaintext []byte, passphrase string) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypt the export: %w", err)
	}
	var sealed bytes.Buffer
	armored := armor.NewWriter(&sealed)
	w, err := age.Encrypt(armored, recipient)
	if err != nil {
		return nil, fmt.Errorf("encrypt the export: %w", err)
	}
	_, err = io.Copy(w, bytes.NewReader(plaintext))
	if err := errors.Join(err, w.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("encrypt the export: %w", err)
	}
	return sealed.Bytes(), nil
}
