package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signet/keys"
)

// withStore opens the store that a command works on beside a running server, and closes it afterwards. Ctrl-C and the time limit end what
// the command waits for.
func withStore(ctx context.Context, c *Config, do func(context.Context, store) error) error {
	return withStoreFor(ctx, c, commandTime, do)
}

// withStoreFor is withStore with a limit of its own; 0 is none, for commands that take as long as there is much to do.
func withStoreFor(ctx context.Context, c *Config, limit time.Duration, do func(context.Context, store) error) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	st, err := openStore(ctx, c, false)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = st.Close(closing) // everything is durable already
	}()
	return do(ctx, st)
}

// Bounds of a command of the operator, so that a script never hangs; one that asks leaves people their time.
const (
	commandTime = time.Minute
	askingTime  = 15 * time.Minute
)

// keyOperator is what changes the ring from the command line.
func keyOperator(l *loaded, st keys.RingStore) (keys.Operator, error) {
	sealer, err := readSealer(&l.Config)
	if err != nil {
		return keys.Operator{}, err
	}
	vault, err := l.openVault()
	if err != nil {
		return keys.Operator{}, err
	}
	o := keyReader(l, st)
	o.Sealer, o.Keeping = sealer, l.keeping(vault)
	return o, nil
}

// keyReader is what looks at the ring, without any key-encryption key.
func keyReader(l *loaded, st keys.RingStore) keys.Operator {
	return keys.Operator{Store: st, Wall: time.Now, Policy: l.operatorPolicy()}
}

// operatorPolicy is as much of the server's policy as is known here. What nobody set is the ring's, or worked out from it.
func (l *loaded) operatorPolicy() keys.Policy {
	p := keys.DefaultPolicy()
	p.Poll, p.Skew, p.JWKSMaxAge, p.StaleIfError = l.KeyPoll, l.ClockSkew, l.JWKSMaxAge, l.JWKSStaleIfError
	p.RSABits, p.SigningPeriod = l.RSABits, 0
	if source := l.source["key_signing_period"]; source != "" && source != "default" {
		p.SigningPeriod = l.KeySigningPeriod
	}
	if source := l.source["jwks_stale_if_error"]; source == "" || strings.HasPrefix(source, "derived") {
		p.StaleIfError = keys.Derived
	}
	return p
}

func readSealer(c *Config) (*keys.Sealer, error) {
	keks, err := keys.ReadKEKFile(c.KEKFile)
	if err != nil {
		return nil, fmt.Errorf("SIGNET_KEK_FILE: %w", err)
	}
	sealer, err := keys.NewSealer(keks)
	if err != nil {
		return nil, fmt.Errorf("SIGNET_KEK_FILE: %w", err)
	}
	return sealer, nil
}
