package handlers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/keys"
)

type uncounted struct{}

func (uncounted) Request(string, string, int, time.Duration) {}

// benchJWKS is as long as a set of two keys of each algorithm.
func benchJWKS() *keys.PublishedSet {
	body := []byte(fmt.Sprintf(`{"keys":[%q]}`, make([]byte, 300)))
	return &keys.PublishedSet{Body: body, ETag: `"q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5h6j7k8l9z0x1c"`, CacheControl: "public, max-age=300, stale-if-error=3600"}
}

func benchHandler() http.Handler {
	return New(Config{
		Issuer: testIssuer, Provider: &scripted{}, Keys: &ring{set: benchJWKS()}, Store: &pinger{}, Observer: uncounted{},
		Log: zerolog.New(io.Discard).With().Timestamp().Logger(), AllowedOrigins: []string{testApp},
	})
}

// bareHandler writes the body that signet writes, and, with headers, the same headers: the same bytes on the wire.
func bareHandler(headers bool) http.Handler {
	set := benchJWKS()
	same := http.Header{"Content-Type": {"application/json"}}
	if headers {
		w := httptest.NewRecorder()
		benchHandler().ServeHTTP(w, httptest.NewRequest("GET", jwksPath, nil))
		same = w.Header()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, values := range same {
			h[name] = values
		}
		_, _ = w.Write(set.Body)
	})
}

const jwksPath = "/.well-known/jwks.json"

// BenchmarkJWKS asks for the key set over loopback, through the whole middleware and from bare net/http handlers, in turns.
// The ratios are medians of ten pairs: same-bytes to a handler that writes the same headers and body, same-body to one that
// writes no header but Content-Type.
func BenchmarkJWKS(b *testing.B) {
	ours, same, body := httptest.NewServer(benchHandler()), httptest.NewServer(bareHandler(true)), httptest.NewServer(bareHandler(false))
	defer ours.Close()
	defer same.Close()
	defer body.Close()
	n := max(b.N/30, 1)
	for _, s := range []*httptest.Server{ours, same, body} {
		storm(b, s, n)
	}
	b.ResetTimer()
	var toSame, toBody, rate []float64
	for range 10 {
		mine := storm(b, ours, n).Seconds()
		toSame = append(toSame, storm(b, same, n).Seconds()/mine)
		toBody = append(toBody, storm(b, body, n).Seconds()/mine)
		rate = append(rate, float64(n)/mine)
	}
	b.ReportMetric(median(toSame), "x-same-bytes")
	b.ReportMetric(median(toBody), "x-same-body")
	b.ReportMetric(median(rate), "req/s")
}

func median(of []float64) float64 {
	slices.Sort(of)
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// storm sends n requests over 32 connections and says how long that took. The client does as little as it can, so
// that it is the servers that are compared.
func storm(b *testing.B, s *httptest.Server, n int) time.Duration {
	const connections = 32
	request := []byte("GET " + jwksPath + " HTTP/1.1\r\nHost: id.example.org\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n")
	var wg sync.WaitGroup
	start := time.Now()
	for range connections {
		wg.Go(func() {
			c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.Listener.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			buf := make([]byte, 64<<10)
			want := 0
			for i := range n/connections + 1 {
				if _, err := c.Write(request); err != nil {
					b.Error(err)
					return
				}
				if i == 0 {
					want, err = c.Read(buf)
				} else {
					_, err = io.ReadFull(c, buf[:want])
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkJWKSHandler is the same without the network: what the middleware itself costs.
func BenchmarkJWKSHandler(b *testing.B) {
	for name, h := range map[string]http.Handler{"signet": benchHandler(), "bare": bareHandler(true)} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", jwksPath, nil)
			w := &discard{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				h.ServeHTTP(w, r)
			}
		})
	}
}

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
