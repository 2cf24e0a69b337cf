package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"signet/issuer"
)

// operatorProvider is the use cases for an operator at the command line, by the store's clock. Without a key-encryption key it can change accounts but
// neither sign nor seal: a mail that follows from a change is left to a server's next poll. hasher is nil for commands that hash no password.
func (p *program) operatorProvider(ctx context.Context, c *Config, st store, hasher *issuer.Hasher) (*issuer.Provider, error) {
	at, err := st.StoreTime(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the store's time: %w", err)
	}
	began := time.Now()
	clock := storeClock{at: func() time.Time { return at.Add(time.Since(began)) }}
	return issuer.New(issuer.Deps{Settings: c.provider(), Store: st, Keys: clock, Hasher: hasher, Log: plainLog(p.err)}), nil
}

// storeClock tells the time to a provider that has no key-encryption key and so can't sign, verify, derive or open anything: the embedded interface is
// nil, and what an operator does asks for nothing but the time and, for a mail, Seal.
type storeClock struct {
	issuer.Keys
	at func() time.Time
}

// Now implements issuer.Keys.
func (c storeClock) Now() time.Time { return c.at() }

// Seal implements issuer.Keys.
func (storeClock) Seal([]byte, ...string) ([]byte, error) { return nil, issuer.ErrNoKeys }

// plainLog says what a use case could not do beside its work, such as writing the audit log, to the operator who is looking.
func plainLog(w io.Writer) zerolog.Logger {
	return zerolog.New(zerolog.ConsoleWriter{Out: w, NoColor: true, PartsOrder: []string{zerolog.LevelFieldName, zerolog.MessageFieldName}}).Level(zerolog.ErrorLevel)
}

// operate is what an operator's command does with the use cases, by pages or with one account.
type operate func(ctx context.Context, st store, provider *issuer.Provider) error

// operator runs do on the configured store, within the limit of time; 0 is none. hashes says whether it hashes a password.
func (p *program) operator(c *cobra.Command, uses []string, limit time.Duration, hashes bool, do operate) error {
	l, err := p.configuration(c, uses)
	if err != nil {
		return err
	}
	return withStoreFor(c.Context(), &l.Config, limit, func(ctx context.Context, st store) error {
		var hasher *issuer.Hasher
		if hashes {
			if hasher, err = issuer.NewHasher(l.hashing()); err != nil {
				return err
			}
		}
		provider, err := p.operatorProvider(ctx, &l.Config, st, hasher)
		if err != nil {
			return err
		}
		return plainRefusal(do(ctx, st, provider))
	})
}
