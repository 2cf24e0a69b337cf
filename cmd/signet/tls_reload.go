package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// certificateFiles serves the certificate in two PEM files and reads them again when they change, so that a renewal needs no
// restart. A pair that doesn't fit (a renewal half written) changes nothing: the last good one goes on. Safe for concurrent use.
type certificateFiles struct {
	certFile, keyFile string
	log               zerolog.Logger
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]os.FileInfo // of the files that were read last, good or not
	checked time.Time
}

// certificateLook is how often the files are looked at, at most: once for many handshakes.
const certificateLook = time.Second

// openCertificate reads the pair, which must be good at the start.
func openCertificate(certFile, keyFile string, log zerolog.Logger) (*certificateFiles, error) {
	c := &certificateFiles{certFile: certFile, keyFile: keyFile, log: log, now: time.Now}
	seen, err := c.look()
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c.current, c.seen, c.checked = &pair, seen, c.now()
	return c, nil
}

// config is what the server uses: TLS 1.2 and later with the standard library's choice of ciphers.
func (c *certificateFiles) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

func (c *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= certificateLook {
		c.checked = now
		c.reload()
	}
	return c.current, nil
}

func (c *certificateFiles) reload() {
	seen, err := c.look()
	if err != nil {
		c.log.Error().Str("event", "tls.reload").Err(err).Msg("certificate not read again; the last good one goes on")
		return
	}
	if sameFiles(seen, c.seen) {
		return
	}
	c.seen = seen
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Error().Str("event", "tls.reload").Err(err).Msg("certificate not read again; the last good one goes on")
		return
	}
	c.current = &pair
	c.log.Info().Str("event", "tls.reload").Msg("certificate read again")
}

func (c *certificateFiles) look() (seen [2]os.FileInfo, err error) {
	for i, path := range []string{c.certFile, c.keyFile} {
		if seen[i], err = os.Stat(path); err != nil {
			return seen, fmt.Errorf("look at the certificate files: %w", err)
		}
	}
	return seen, nil
}

func sameFiles(a, b [2]os.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}
