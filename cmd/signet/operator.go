package main

import (
	"context"
	"fmt"
	"time"

	"signet/keys"
)

// withStore opens the store that a command works on beside a running server, and closes it afterwards. Ctrl-C and the time limit end what
// the command waits for.
func withStore(ctx context.Context, c *Config, do func(context.Context, store) error) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
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

// commandTime bounds a command of the operator, so that a script never hangs.
const commandTime = time.Minute

// keyOperator is what changes the ring from the command line.
func keyOperator(c *Config, st keys.RingStore) (keys.Operator, error) {
	sealer, err := readSealer(c)
	if err != nil {
		return keys.Operator{}, err
	}
	return keys.Operator{Store: st, Sealer: sealer, Wall: time.Now}, nil
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
