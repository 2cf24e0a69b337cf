package main

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/handlers"
	"signet/issuer"
	"signet/issuer/mail"
	"signet/keys"
	"signet/repository/conformance"
	"signet/repository/sqlite"
)

// The speed of the hot paths rests on how often they go to the store and how often they sign. That is counted here, on every run of the
// tests; what it comes to in time is measured by the benchmarks beside.

// counting is a server whose storage operations and signatures are counted. No background work runs in it.
type counting struct {
	url    string
	store  *conformance.Counter
	signed *atomic.Int64
	mails  *mail.Worker
}

// signingCounter counts the signatures of a key ring.
type signingCounter struct {
	*keys.Replica
	signed atomic.Int64
}

func (s *signingCounter) Sign(alg keys.Algorithm, typ string, now time.Time, ttl time.Duration, claims func(iat, exp int64) any) (string, error) {
	s.signed.Add(1)
	return s.Replica.Sign(alg, typ, now, ttl, claims)
}

func serveCounting(t *testing.T) *counting {
	t.Helper()
	l := mustLoad(t, input{environ: append(cheapHashes, "SIGNET_KEY_POLL=100ms", "SIGNET_DATA_DIR="+t.TempDir(), "SIGNET_ISSUER=http://127.0.0.1")})
	if err := keys.CreateKEKFile(l.KEKFile); err != nil {
		t.Fatal(err)
	}
	opened, err := sqlite.Open(t.Context(), l.embeddedFile(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	c := &counting{store: conformance.Counting(opened)}
	s := &server{config: &l.Config, dev: true, log: zerolog.Nop(), out: io.Discard}
	replica, err := s.startKeys(t.Context(), c.store)
	if err != nil {
		t.Fatal(err)
	}
	ring := &signingCounter{Replica: replica}
	c.signed = &ring.signed
	hasher, err := issuer.NewHasher(l.hashing())
	if err != nil {
		t.Fatal(err)
	}
	post, err := s.newPost()
	if err != nil {
		t.Fatal(err)
	}
	counts := newMetrics()
	c.mails = mail.NewWorker(mail.WorkerConfig{Store: c.store, Keys: ring, Sender: post.sender, Composer: post.composer, Skew: l.ClockSkew, Poll: l.KeyPoll,
		Log: s.log, Observer: counts})
	provider := issuer.New(issuer.Deps{Settings: l.provider(), Store: c.store, Keys: ring, Hasher: hasher, Postman: c.mails, Observer: counts, Log: s.log})
	if err := provider.LoadClients(t.Context()); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(handlers.New(handlers.Config{Issuer: l.Issuer, Provider: provider, Keys: ring, Store: opened, Observer: counts, Log: s.log,
		Mailbox: post.mailbox}))
	t.Cleanup(front.Close)
	c.url = front.URL
	return c
}

// signIn registers and waits until nothing of it is left to do; then everything counts from zero.
func (c *counting) signIn(t *testing.T) (refresh string) {
	t.Helper()
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.mails.Run(running)
	}()
	tokens, err := client{base: c.url}.register("ada@example.org", benchPassword)
	if err != nil {
		t.Error(err)
	}
	stop()
	<-ended
	ctx, cancel := context.WithTimeout(t.Context(), mailTime)
	defer cancel()
	if err := c.mails.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	c.reset()
	return tokens.text("refresh_token")
}

func (c *counting) reset() {
	c.store.Reset()
	c.signed.Store(0)
}

func (c *counting) want(t *testing.T, what string, operations map[string]int, signatures int64) {
	t.Helper()
	if got := c.store.Operations(); !maps.Equal(got, operations) {
		t.Errorf("%s: storage operations %v, want %v", what, got, operations)
	}
	if got := c.signed.Load(); got != signatures {
		t.Errorf("%s: %d signatures, want %d", what, got, signatures)
	}
	c.reset()
}

func TestHotPathsAreCountedInStorageOperationsAndSignatures(t *testing.T) {
	c := serveCounting(t)
	token := c.signIn(t)
	app := client{base: c.url}
	refresh := func() {
		t.Helper()
		if _, err := app.expect(http.StatusOK, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": token}); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	c.want(t, "refresh", map[string]int{"RotateSession": 1}, 1)
	refresh()
	c.want(t, "the same token again", map[string]int{"RotateSession": 1, "Session": 1}, 1)

	set, err := app.expect(http.StatusOK, "GET", keySetPath, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.want(t, "key set", nil, 0)
	r := httptest.NewRequest("GET", c.url+keySetPath, nil)
	r.RequestURI = ""
	r.Header.Set("If-None-Match", set.header.Get("ETag"))
	again, err := testHTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	if body, err := io.ReadAll(again.Body); again.StatusCode != http.StatusNotModified || len(body) > 0 || err != nil {
		t.Errorf("key set with its ETag: %s, %d bytes, %v", again.Status, len(body), err)
	}
	c.want(t, "key set with its ETag", nil, 0)
	if _, err := app.expect(http.StatusOK, "GET", "/.well-known/openid-configuration", "", nil); err != nil {
		t.Fatal(err)
	}
	c.want(t, "discovery", nil, 0)
}
