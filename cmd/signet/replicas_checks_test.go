//go:build linux

package main

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// checks verifies every token three times with every verifier: as it is issued, in the middle of its life, and shortly before its end.
type checks struct {
	queues []chan issued
	wait   sync.WaitGroup

	mu  sync.Mutex
	all []issued

	done, late, revoked atomic.Int64
}

// issued is a token that a replica answered with.
type issued struct {
	token, kid string
	exp        time.Time
	replica    int
	notBefore  time.Time // it can't have been signed before
	received   time.Time
}

// ages are the moments of a token's life at which it is checked, before its end.
var ages = []time.Duration{fleetTTL, fleetTTL / 2, 1200 * time.Millisecond}

func (f *fleet) startChecks() *checks {
	f.t.Helper()
	oidc, err := newGoOIDC(f.front.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	options, err := json.Marshal(map[string]int64{"cacheMaxAge": strictAge.Milliseconds(), "cooldownDuration": time.Hour.Milliseconds()})
	if err != nil {
		f.t.Fatal(err)
	}
	jose, err := newJoseWith(f.t, f.front.URL, string(options))
	if err != nil && os.Getenv("CI") != "" {
		f.t.Fatalf("jose is not to be had, and CI is set: %v", err)
	}
	if err != nil {
		f.t.Skipf("jose is not to be had: %v", err)
	}
	c := &checks{}
	for name, v := range map[string]verifier{"go-oidc": oidc, "jose": &oneAtATime{verifier: jose}} {
		for _, age := range ages {
			queue := make(chan issued, 1<<17)
			c.queues = append(c.queues, queue)
			c.wait.Go(func() {
				for token := range queue {
					time.Sleep(time.Until(token.exp.Add(-age)))
					c.check(f, name, v, token)
				}
			})
		}
	}
	return c
}

type oneAtATime struct {
	mu sync.Mutex
	verifier
}

func (o *oneAtATime) verify(token string) (kid, sub string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.verifier.verify(token)
}

func (c *checks) check(f *fleet, name string, v verifier, token issued) {
	kid, sub, err := v.verify(token.token)
	c.done.Add(1)
	switch {
	case err == nil && kid == token.kid && sub != "":
	case time.Now().After(token.exp):
		c.late.Add(1)
	case f.isRevoked(token.kid):
		c.revoked.Add(1)
	default:
		f.fault("%s refuses a token by %s of replica %d, %s after it came: %v", name, token.kid, token.replica, time.Since(token.received), err)
	}
}

// isRevoked says whether a key was revoked, or is about to be.
func (f *fleet) isRevoked(kid string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.revoked, kid)
}

// add takes a token that has just come.
func (c *checks) add(f *fleet, m *member, token string, notBefore time.Time) {
	n := issued{token: token, replica: m.index, notBefore: notBefore, received: time.Now()}
	d, err := decodeToken(token)
	if err != nil {
		f.fault("a token that is none: %v", err)
		return
	}
	n.kid, _ = d.Header["kid"].(string)
	exp, err := strconv.ParseInt(string(mustNumber(f.t, d.Claims["exp"])), 10, 64)
	f.fault1(err)
	n.exp = time.Unix(exp, 0)
	c.mu.Lock()
	c.all = append(c.all, n)
	c.mu.Unlock()
	for _, q := range c.queues {
		q <- n
	}
}

func mustNumber(t *testing.T, value any) json.Number {
	t.Helper()
	n, ok := value.(json.Number)
	if !ok {
		t.Errorf("%v is no number", value)
	}
	return n
}

// finish waits until every token has been checked for the last time.
func (c *checks) finish() {
	for _, q := range c.queues {
		close(q)
	}
	c.wait.Wait()
}

func (c *checks) tokens() []issued {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}
