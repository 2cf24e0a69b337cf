package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// keySetConnections is how many verifiers fetch the key set at the same time.
const keySetConnections = 32

// keySetRig is signet and a handler of net/http that writes the same header and body.
type keySetRig struct {
	signet    *subject
	ask, bare []sender
}

func newKeySetRig(tb tester, p place, g generator) *keySetRig {
	tb.Helper()
	r := &keySetRig{signet: p.signet(tb, tb.TempDir())}
	r.ask = g.connect(tb, r.signet.addr, keySetPath, 0, keySetConnections)
	r.bare = g.connect(tb, p.bare(answerOf(tb, r.signet.url+keySetPath), tb), keySetPath, 0, keySetConnections)
	return r
}

// answerOf is the answer that a handler has to copy. net/http adds the date and the length to both.
func answerOf(tb tester, url string) bare {
	tb.Helper()
	got, err := http.Get(url)
	if err != nil {
		tb.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		tb.Fatal(got.Status, err)
	}
	got.Header.Del("Date")
	got.Header.Del("Content-Length")
	return bare{got.Header, body}
}

func keySetLoad(all []sender, stop func() bool) (measured, error) {
	return closedLoop(len(all), stop, func(i int) error { _, err := all[i].ok(""); return err })
}

// pairs loads both in turns, each for d, and returns the ratio of each pair and signet's rates. Which is first alternates.
func (r *keySetRig) pairs(n int, limit func() func() bool) (ratio, rate spread, err error) {
	sides := []struct {
		all  []sender
		rate spread
	}{{all: r.ask}, {all: r.bare}}
	for i := range n {
		for k := range sides {
			s := &sides[(k+i)%2]
			m, err := keySetLoad(s.all, limit())
			if err != nil {
				return nil, nil, err
			}
			s.rate = append(s.rate, m.rate)
		}
		ratio = append(ratio, sides[0].rate[i]/sides[1].rate[i])
	}
	return ratio, sides[0].rate, nil
}

// BenchmarkKeySet fetches the key set from the server as it is run, key ring, metrics and log included, and from a bare handler, in ten pairs.
func BenchmarkKeySet(b *testing.B) {
	for _, g := range []generator{ordinary, lean} {
		b.Run(strings.ReplaceAll(g.name, " ", "_"), func(b *testing.B) {
			r := newKeySetRig(b, here, g)
			if _, _, err := r.pairs(1, func() func() bool { return forTime(200 * time.Millisecond) }); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			ratio, rate, err := r.pairs(10, func() func() bool { return share(max(b.N/20, 1)) })
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(rate.median(), "req/s")
			b.ReportMetric(ratio.median(), "x-bare")
			b.ReportMetric(slices.Min(ratio), "x-bare-min")
			r.signet.end()
		})
	}
}
