package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestClientIP(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "203.0.113.5:1", nil, "203.0.113.5"},
		{"spoofed by a stranger", "203.0.113.5:1", []string{"198.51.100.1"}, "203.0.113.5"},
		{"through a proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"spoofed through a proxy", "10.0.0.1:1", []string{"127.0.0.1, 8.8.8.8, 198.51.100.1"}, "198.51.100.1"},
		{"through two", "10.0.0.1:1", []string{"8.8.8.8, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"in two lines", "10.0.0.1:1", []string{"8.8.8.8, 198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"all trusted", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage ends it", "10.0.0.1:1", []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"only garbage", "10.0.0.1:1", []string{"<script>"}, "10.0.0.1"},
		{"empty", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"with ports", "10.0.0.1:1", []string{"198.51.100.1:5000"}, "198.51.100.1"},
		{"IPv6", "[2001:db8::1]:1", []string{"2001:db9::5"}, "2001:db9::5"},
		{"IPv6 with port and zone", "[2001:db8::1]:1", []string{"[2001:db9::5%eth0]:99"}, "2001:db9::5"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"too deep", "10.0.0.1:1", []string{"198.51.100.1" + strings.Repeat(", 10.0.0.2", 100)}, "10.0.0.2"},
		{"not an address", "@", []string{"198.51.100.1"}, ""},
	} {
		e := newEdge(t, func(c *Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
		})
		r, _ := http.NewRequest("POST", "/api/v1/login", strings.NewReader(loginBody))
		r.Header["Content-Type"] = []string{"application/json"}
		r.Header["X-Forwarded-For"] = c.forwarded
		r.RemoteAddr = c.peer
		e.send(r)
		if e.provider.who.IP != c.want {
			t.Errorf("%s: %q, want %q", c.name, e.provider.who.IP, c.want)
		}
	}
}

func TestHSTSAndForwardedProto(t *testing.T) {
	for _, c := range []struct {
		peer, proto string
		want        bool
	}{
		{"10.0.0.1:1", "https", true}, {"10.0.0.1:1", "http", false}, {"10.0.0.1:1", "", true}, {"10.0.0.1:1", "https, http", false}, {"203.0.113.5:1", "http", true},
	} {
		e := newEdge(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
		r, _ := http.NewRequest("GET", "/healthz", nil)
		r.RemoteAddr = c.peer
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
		}
		if got := e.send(r).Header.Get("Strict-Transport-Security") != ""; got != c.want {
			t.Errorf("%s from %s: HSTS %v", c.proto, c.peer, got)
		}
	}
}

func TestHostIsNeverUsed(t *testing.T) {
	e := newEdge(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/nothing"} {
		r, _ := http.NewRequest("GET", path, nil)
		r.Host = "evil.example"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		res := e.send(r)
		var b strings.Builder
		_ = res.Write(&b)
		if strings.Contains(b.String(), "evil") {
			t.Errorf("%s: %s", path, b.String())
		}
	}
}

// The peer that the operator named as a proxy is no program of this machine, though its address is local.
func TestATrustedProxyIsNoLoopbackCaller(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for name, c := range map[string]struct {
		proxies []netip.Prefix
		want    int
	}{
		"no proxies":   {nil, http.StatusOK},
		"a local one":  {[]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, http.StatusForbidden},
		"one far away": {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, http.StatusOK},
	} {
		e := newEdge(t, func(x *Config) { x.Metrics, x.TrustedProxies = metrics, c.proxies })
		r := httptest.NewRequest("GET", "http://localhost/metrics", nil)
		r.RemoteAddr = "127.0.0.1:5000"
		w := httptest.NewRecorder()
		e.handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
}
