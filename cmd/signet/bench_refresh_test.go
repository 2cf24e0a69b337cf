package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// refreshConnections is how many apps refresh at the same time.
const refreshConnections = 64

// refresher is a connection with a session of its own. Each refresh is that of the token that the last one gave.
type refresher struct {
	send   sender
	token  string
	answer []byte
}

const refreshBody = `{"refresh_token":"%s"}`

var tokenField = []byte(`"refresh_token":"`)

func (r *refresher) refresh() (err error) {
	if r.answer, err = r.send.ok(fmt.Sprintf(refreshBody, r.token)); err != nil {
		return err
	}
	_, rest, found := bytes.Cut(r.answer, tokenField)
	if !found || len(rest) < len(r.token) {
		return errors.New("an answer without a refresh token")
	}
	next := string(rest[:len(r.token)])
	if next == r.token {
		return errors.New("the token was not rotated")
	}
	r.token = next
	return nil
}

// signIn registers n accounts and returns a refresh token of each.
func signIn(tb tester, url, name string, n int) []string {
	tb.Helper()
	tokens, fails := make([]string, n), make([]error, n)
	slots := make(chan struct{}, 8)
	var wait sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			var a answer
			a, fails[i] = client{base: url}.register(fmt.Sprintf("%s%d@example.org", name, i), benchPassword)
			tokens[i] = a.text("refresh_token")
		})
	}
	wait.Wait()
	if err := errors.Join(fails...); err != nil {
		tb.Fatal(err)
	}
	return tokens
}

const benchPassword = "violet-otter-plays-cello"

// refreshers are n connections with sessions.
func refreshers(tb tester, s *subject, g generator, n int) []*refresher {
	tb.Helper()
	tokens := signIn(tb, s.url, "refresher", n)
	all := make([]*refresher, n)
	for i, send := range g.connect(tb, s.addr, "/api/v1/token/refresh", len(fmt.Sprintf(refreshBody, tokens[0])), n) {
		all[i] = &refresher{send: send, token: tokens[i]}
	}
	return all
}

// refreshRig is signet and a bare handler of the same request and an answer of the same length.
type refreshRig struct {
	dir     string
	signet  *subject
	callers []*refresher
	bare    []sender
	body    string // of a request to bare
}

func newRefreshRig(tb tester, p place, g generator, alg string) *refreshRig {
	tb.Helper()
	r := &refreshRig{dir: tb.TempDir()}
	r.signet = p.signet(tb, r.dir, slices.Concat(unlimited, cheapHashes, []string{"SIGNET_ACCESS_ALG=" + alg})...)
	r.callers = refreshers(tb, r.signet, g, refreshConnections)
	if err := r.callers[0].refresh(); err != nil {
		tb.Fatal(err)
	}
	answer := bare{Header: http.Header{"Content-Type": {"application/json"}}, Body: bytes.Repeat([]byte("x"), len(r.callers[0].answer))}
	r.body = fmt.Sprintf(refreshBody, r.callers[0].token)
	r.bare = g.connect(tb, p.bare(answer, tb), "/", len(r.body), refreshConnections)
	return r
}

func (r *refreshRig) refresh(stop func() bool) (measured, error) {
	return closedLoop(len(r.callers), stop, func(i int) error { return r.callers[i].refresh() })
}

func (r *refreshRig) bareLoad(stop func() bool) (measured, error) {
	return closedLoop(len(r.bare), stop, func(i int) error { _, err := r.bare[i].ok(r.body); return err })
}

// syncs is how long a write and a sync take in dir when nothing else runs: what a commit can't be faster than.
func syncs(tb tester, dir string, n int) measured {
	tb.Helper()
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		tb.Fatal(err)
	}
	defer os.Remove(filepath.Clean(f.Name()))
	defer f.Close()
	page := make([]byte, 64<<10) // about the log of a full commit
	m, err := closedLoop(1, counted(n), func(int) error {
		if _, err := f.Write(page); err != nil {
			return err
		}
		return f.Sync()
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// counted stops a load of one caller after n.
func counted(n int) func() bool {
	return func() bool { n--; return n < 0 }
}

// rawRSA is how many RSA-2048 signatures a second the cores make when they do nothing else.
func rawRSA(tb tester, d time.Duration) float64 {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256([]byte("a token's header and payload"))
	m, err := closedLoop(runtime.GOMAXPROCS(0), forTime(d), func(int) error {
		_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m.rate
}

// BenchmarkRefresh refreshes over 64 connections, durably, in turns with a bare handler. Everything is in this process, so that -cpuprofile
// shows where the time goes.
func BenchmarkRefresh(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		for _, g := range []generator{ordinary, lean} {
			b.Run(alg+"/"+strings.ReplaceAll(g.name, " ", "_"), func(b *testing.B) { benchRefresh(b, g, alg) })
		}
	}
}

func benchRefresh(b *testing.B, g generator, alg string) {
	r := newRefreshRig(b, here, g, alg)
	const turns = 5
	var ratio, rate, bareRate, raw spread
	var times []time.Duration
	b.ResetTimer()
	for range turns {
		ours, err := r.refresh(share(b.N / turns))
		if err != nil {
			b.Fatal(err)
		}
		theirs, err := r.bareLoad(share(b.N / turns))
		if err != nil {
			b.Fatal(err)
		}
		rate, bareRate, ratio = append(rate, ours.rate), append(bareRate, theirs.rate), append(ratio, ours.rate/theirs.rate)
		times = append(times, ours.times...)
		if alg == "RS256" {
			raw = append(raw, ours.rate/rawRSA(b, time.Second/2))
		}
	}
	slices.Sort(times)
	all := measured{times: times}
	b.ReportMetric(rate.median(), "refresh/s")
	b.ReportMetric(bareRate.median(), "bare/s")
	b.ReportMetric(ratio.median(), "x-bare")
	b.ReportMetric(milliseconds(all.quantile(0.5)), "p50-ms")
	b.ReportMetric(milliseconds(all.quantile(0.99)), "p99-ms")
	b.ReportMetric(milliseconds(syncs(b, r.dir, 300).quantile(0.99)), "fsync-p99-ms")
	if alg == "RS256" {
		b.ReportMetric(raw.median(), "x-raw-rsa")
	}
	r.signet.end()
}

// share stops a load of many callers after n in all.
func share(n int) func() bool {
	var mu sync.Mutex
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		n--
		return n < 0
	}
}
