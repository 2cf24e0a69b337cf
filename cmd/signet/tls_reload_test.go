package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// writeCertificate makes a certificate with that serial number and writes it as an operator's tool would, by renaming.
func writeCertificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: private}} {
		fresh := filepath.Join(dir, name+".new")
		if err := os.WriteFile(fresh, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificateIsReadAgainWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	var log bytes.Buffer
	files, err := openCertificate(filepath.Join(dir, "cert"), filepath.Join(dir, "key"), zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	files.now = func() time.Time { return now }
	serial := func() int64 {
		c, err := files.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.Int64()
	}
	first, _ := files.get(nil)
	writeCertificate(t, dir, 2)
	if got := serial(); got != 1 {
		t.Errorf("looked again at once: %d", got)
	}
	now = now.Add(certificateLook)
	if got := serial(); got != 2 {
		t.Errorf("serial %d after a change", got)
	}
	second, _ := files.get(nil)
	if now = now.Add(certificateLook); first == second || serial() != 2 {
		t.Error("nothing changed, and yet")
	}

	// A key that does not fit, a file that is gone: the last good pair goes on, and it is logged.
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if now = now.Add(certificateLook); serial() != 2 || !bytes.Contains(log.Bytes(), []byte("tls.reload")) {
		t.Errorf("log %s", log.String())
	}
	if err := os.Remove(filepath.Join(dir, "cert")); err != nil {
		t.Fatal(err)
	}
	if now = now.Add(certificateLook); serial() != 2 {
		t.Error("a missing file took the certificate away")
	}
	writeCertificate(t, dir, 3)
	if now = now.Add(certificateLook); serial() != 3 {
		t.Error("no recovery")
	}
}

func TestTLSServer(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	files, err := openCertificate(filepath.Join(dir, "cert"), filepath.Join(dir, "key"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), "SIGNET_LISTEN", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}), zerolog.Nop())
	ended := make(chan error, 1)
	go func() { ended <- serveOn(s, l, files.config()) }()
	dial := func(version uint16) (tls.ConnectionState, error) {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, NextProtos: []string{"h2"}}}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState(), nil
	}
	for version, allowed := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if state, err := dial(version); (err == nil) != allowed || allowed && state.NegotiatedProtocol != "h2" {
			t.Errorf("%s: %v, protocol %q", tls.VersionName(version), err, state.NegotiatedProtocol)
		}
	}
	if err := drainServer(context.Background(), s); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("served until %v", err)
	}
}

func TestServersHaveEveryBound(t *testing.T) {
	s := newServer(http.NotFoundHandler(), zerolog.Nop())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("%+v", s)
	}
	if _, err := listen(t.Context(), "SIGNET_OPS_LISTEN", "203.0.113.1:1"); err == nil {
		t.Error("listens on another machine's address")
	}
}
