package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rs/zerolog"

	"signet/handlers"
	"signet/issuer"
	"signet/issuer/mail"
	"signet/keys"
)

// server is the issuer of one process.
type server struct {
	config *Config
	dev    bool
	log    zerolog.Logger
	main   net.Listener
	out    io.Writer // development: the banner and the mails
	brief  bool      // the log is for a developer at a terminal
	began  time.Time
	vault  hsm // keeps private keys; nil for none
}

// run wires everything together, serves until ctx ends or a part fails for good, and shuts down in order: requests, mails,
// background work, store.
func (s *server) run(ctx context.Context) error {
	c := s.config
	st, err := openStore(ctx, c, true)
	if err != nil {
		return err
	}
	defer s.closeStore(ctx, st)
	defer s.closeVault()
	ring, err := s.startKeys(ctx, st)
	if err != nil {
		return err
	}
	hasher, err := issuer.NewHasher(c.hashing())
	if err != nil {
		return err
	}
	post, err := s.newPost()
	if err != nil {
		return err
	}
	counts := newMetrics()
	counts.watch(ring, hasher)
	worker := mail.NewWorker(mail.WorkerConfig{Store: st, Keys: ring, Sender: post.sender, Composer: post.composer, Skew: c.ClockSkew, Poll: c.KeyPoll,
		Log: s.log, Observer: counts})
	provider := issuer.New(issuer.Deps{Settings: c.provider(), Store: st, Keys: ring, Hasher: hasher, Postman: worker, Observer: counts, Log: s.log})
	if err := prepare(ctx, provider); err != nil {
		return err
	}
	edge := handlers.Config{Issuer: c.Issuer, Provider: provider, Keys: ring, Store: st, Observer: counts, Log: s.log,
		AllowedOrigins: c.AllowedOrigins, AnyLoopbackOrigin: s.dev, TrustedProxies: c.TrustedProxies,
		Metrics: counts.handler(), OpsListener: c.OpsListen != "", AdminListener: c.AdminListen != "", SimpleJWT: c.SimpleJWTCompat, Mailbox: post.mailbox}
	front, err := s.listeners(ctx, edge)
	if err != nil {
		return err
	}

	background := newLoops(context.WithoutCancel(ctx))
	background.run("keys", func(ctx context.Context) error { ring.Run(ctx); return nil })
	background.run("mail", func(ctx context.Context) error { worker.Run(ctx); return nil })
	background.run("settle", s.settleLoop(provider))
	background.run("retention", retentionLoop(st, c.AuditRetention, ring.Now, s.log))
	background.run("tidy", tidyLoop(hasher))
	if expiring, ok := st.(sweeper); ok {
		background.run("sweep", s.sweepLoop(expiring, ring.Now))
	}
	for _, one := range front {
		background.run("http", one.serve)
	}
	s.announce(front)
	provider.RecordStart(ctx, s.recorded())
	started()

	select {
	case <-ctx.Done():
	case <-background.ctx.Done():
		err = context.Cause(background.ctx)
	}
	s.shutdown(ctx, front, background, provider, worker)
	s.log.Info().Str("event", "stopped").AnErr("error", err).Msg("stopped")
	return err
}

// prepare reads what a provider must know before it answers anybody: the clients, and what a failed sign-in has to cost.
func prepare(ctx context.Context, p *issuer.Provider) error {
	if err := p.LoadClients(ctx); err != nil {
		return fmt.Errorf("read the clients: %w", err)
	}
	if err := p.LoadHashKinds(ctx); err != nil {
		return fmt.Errorf("read the kinds of password hashes: %w", err)
	}
	return nil
}

// startKeys checks the policy against this store, prints the arithmetic, and makes the ring if there is none.
func (s *server) startKeys(ctx context.Context, st keys.RingStore) (*keys.Replica, error) {
	policy := s.config.keyPolicy()
	arithmetic, err := policy.Check(st.StaleReads())
	s.logPolicy(arithmetic)
	if err != nil {
		return nil, err
	}
	sealer, err := readSealer(s.config)
	if err != nil {
		return nil, err
	}
	keeping, err := s.startVault(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := keys.NewReplica(keys.ReplicaConfig{ID: replicaID(), Store: st, Sealer: sealer, Policy: policy, Algorithms: algorithms,
		Wall: time.Now, KEKFile: s.config.KEKFile, Keeping: keeping, Events: s.keyEvent})
	if err != nil {
		return nil, err
	}
	if err := ring.Start(ctx); err != nil {
		return nil, fmt.Errorf("start the key ring: %w", err)
	}
	return ring, nil
}

// algorithms are those that keys are published of at all times.
var algorithms = []keys.Algorithm{keys.ES256, keys.RS256}
