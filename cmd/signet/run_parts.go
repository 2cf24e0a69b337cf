package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"signet/handlers"
	"signet/issuer"
	"signet/issuer/mail"
	"signet/keys"
)

// post is how mails leave.
type post struct {
	sender   mail.Sender
	composer mail.Composer
	mailbox  http.Handler // development; nil otherwise
}

// newPost sends to the mail server, or in development to the terminal and the mailbox.
func (s *server) newPost() (post, error) {
	composer, err := mail.NewComposer(s.config.Issuer, s.config.MailTemplates)
	if err != nil {
		return post{}, err
	}
	if s.dev {
		box := &mail.Mailbox{}
		return post{sender: mail.NewConsole(s.out, box), composer: composer, mailbox: mailboxHandler(box)}, nil
	}
	sender, err := mail.NewSMTP(mail.SMTPConfig{URL: s.config.SMTPURL, From: s.config.MailFrom})
	return post{sender: sender, composer: composer}, err
}

// front is one address that is served.
type front struct {
	name     string // "main", "admin" or "ops"
	listener net.Listener
	server   *http.Server
	tls      *tls.Config
}

func (f *front) serve(context.Context) error { return serveOn(f.server, f.listener, f.tls) }

// listeners prepares the main address and, where there are such, the administrators' and the operators'. Tokens pass over the first two, so that both
// have TLS or neither has.
func (s *server) listeners(ctx context.Context, edge handlers.Config) ([]*front, error) {
	main := &front{name: "main", listener: s.main, server: newServer(handlers.New(edge), s.log)}
	if s.config.TLSCertFile != "" {
		files, err := openCertificate(s.config.TLSCertFile, s.config.TLSKeyFile, s.log)
		if err != nil {
			return nil, err
		}
		main.tls = files.config()
	}
	all := []*front{main}
	if s.config.AdminListen != "" {
		l, err := listen(ctx, "SIGNET_ADMIN_LISTEN", s.config.AdminListen)
		if err != nil {
			return nil, err
		}
		all = append(all, &front{name: "admin", listener: l, server: newServer(handlers.AdminHandler(edge), s.log), tls: main.tls})
	}
	if s.config.OpsListen != "" {
		l, err := listen(ctx, "SIGNET_OPS_LISTEN", s.config.OpsListen)
		if err != nil {
			return nil, err
		}
		all = append(all, &front{name: "ops", listener: l, server: newServer(handlers.OpsHandler(edge), s.log)})
	}
	return all, nil
}

// announce says where it listens, one line an address, and in development what to type next.
func (s *server) announce(all []*front) {
	for _, f := range all {
		s.log.Info().Str("event", "listening").Str("listener", f.name).Str("addr", f.listener.Addr().String()).Str("issuer", s.config.Issuer).
			Bool("tls", f.tls != nil).Str("store", s.config.storeName()).Msg("listening")
	}
	if u, err := url.Parse(s.config.Issuer); err == nil && s.config.OpsListen == "" && !isLoopbackHost(u.Hostname()) {
		s.log.Warn().Str("event", "metrics.shared").Msg("/metrics is on the main address, for this machine alone: set SIGNET_OPS_LISTEN, or name a local reverse proxy in SIGNET_TRUSTED_PROXIES, so that it can't pass strangers on")
	}
	if s.dev {
		if s.config.SMTPURL != "" {
			s.log.Warn().Str("event", "dev.mail").Msg("SIGNET_SMTP_URL is not used with --dev: mails stay here")
		}
		s.log.Warn().Str("event", "dev.unsafe").Msg("UNSAFE: development mode; never expose this server")
		arithmetic, _ := s.config.keyPolicy().Check(0) // refused ones have ended the start
		devBanner(s.out, s.config.Issuer, s.config.storeName(), policyBrief(arithmetic))
	}
	s.log.Info().Str("event", "started").Float64("ms", float64(time.Since(s.began).Microseconds())/1000).Msg("started")
}

// recorded is what the audit log is told of a start: nothing in it is a secret.
func (s *server) recorded() string {
	mode := "serve"
	if s.dev {
		mode = "serve --dev"
	}
	return fmt.Sprintf("%s: signet %s, issuer %s, store %s", mode, buildVersion().Version, s.config.Issuer, s.config.storeName())
}

// shutdown lets requests under way finish, ends the background work, and lets mails finish, all within the grace. The requests get two
// thirds of it at most, because a mail that is cut stays in the outbox.
func (s *server) shutdown(ctx context.Context, all []*front, background *loops, provider *issuer.Provider, worker *mail.Worker) {
	grace := s.config.ShutdownGrace
	s.log.Info().Str("event", "stopping").Str("grace", formatDuration(grace)).Msg("finishing what is under way")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	s.drainRequests(ctx, time.Duration(float64(grace)*requestsPart), all)
	provider.Drain(ctx)
	background.stop(ctx)
	if err := worker.Drain(ctx); err != nil {
		s.log.Warn().Str("event", "stopping").AnErr("error", err).Msg("mails stay in the outbox")
	}
}

func (s *server) drainRequests(ctx context.Context, most time.Duration, all []*front) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var drained sync.WaitGroup
	for _, f := range all {
		drained.Go(func() {
			if err := drainServer(ctx, f.server); err != nil {
				s.log.Warn().Str("event", "stopping").Str("listener", f.name).AnErr("error", err).Msg("requests were cut")
			}
		})
	}
	drained.Wait()
}

// closeStore is the last thing; a store that does not answer must not keep the process.
func (s *server) closeStore(ctx context.Context, st store) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := st.Close(ctx); err != nil {
		s.log.Warn().Str("event", "store.close").AnErr("error", err).Msg("store not closed cleanly")
	}
}

// replicaID names this process among the replicas, for people as well.
func replicaID() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "host"
	}
	var unique [6]byte
	_, _ = rand.Read(unique[:]) // never fails, see crypto/rand
	return strings.ToLower(host[:min(len(host), 63)]) + "-" + hex.EncodeToString(unique[:])
}

var _ handlers.KeySet = (*keys.Replica)(nil)
