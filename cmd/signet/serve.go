package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"signet/keys"
)

const serveLong = `Run the issuer. It needs an issuer URL, a file of key-encryption keys and a mail server,
and says everything that is missing or wrong at once.

With --dev it needs nothing: mails go to the terminal and to GET /dev/mailbox, and the
keys and the embedded store are made in the data folder. Unsafe, for this machine only.

SIGTERM or an interrupt lets requests and mails under way finish within
--shutdown-grace; a second one ends it at once.`

func newServe(p *program) *cobra.Command {
	var dev bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "run the issuer",
		Long:  serveLong,
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := p.loadFor(c, nil)
			var wrong faults
			if err != nil && !errors.As(err, &wrong) {
				return err
			}
			if wrong = l.checkServe(dev, wrong); len(wrong) > 0 {
				p.printWarnings(c, l)
				return wrong
			}
			ctx, stop := untilSignal(c.Context())
			defer stop()
			return p.serve(ctx, l, dev)
		},
	}
	c.Flags().BoolVar(&dev, "dev", false, "try signet on this machine; unsafe")
	addSettings(c, nil)
	return c
}

// untilSignal ends the context at the first SIGTERM or interrupt. By then signals have their usual effect again, so that a second one ends
// the process at once.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		cancel()
	}()
	return ctx, cancel
}

// serve makes what a development server may make, and runs until ctx ends.
func (p *program) serve(ctx context.Context, l *loaded, dev bool) error {
	began := time.Now()
	sink := p.err
	if !forPeople(p.err, l.LogFormat) {
		batch := &logBatch{out: p.err}
		defer batch.Flush()
		sink = batch
	}
	log := newLogger(sink, l.LogLevel, l.LogFormat)
	frugal()
	for _, w := range l.warnings {
		log.Warn().Str("event", "config.unknown").Msg(w)
	}
	if l.MongoDBURI == "" {
		if err := makeDataDir(l.DataDir); err != nil {
			return err
		}
		if dev {
			if err := keys.CreateKEKFile(l.KEKFile); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	main, err := listen(ctx, "SIGNET_LISTEN", l.Listen)
	if err != nil {
		return err
	}
	defer main.Close()
	if dev && l.Issuer == "" {
		l.Issuer, l.source["issuer"] = devIssuer(main, l.TLSCertFile != ""), "derived: --dev"
		l.derive()
	}
	s := &server{config: &l.Config, dev: dev, log: log, main: main, out: p.out, brief: dev && forPeople(p.err, l.LogFormat), began: began}
	return s.run(ctx)
}
