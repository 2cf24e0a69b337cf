package handlers

import (
	"net/http"
	"testing"
)

func TestCORSForListedOrigins(t *testing.T) {
	e := newEdge(t)
	for _, res := range []*http.Response{
		e.do("POST", "/api/v1/login", loginBody, "Origin", testApp),
		e.do("POST", "/api/v1/login", `{`, "Origin", testApp), // errors can be read as well
		e.do("GET", "/api/v1/nothing", "", "Origin", testApp),
		e.do("DELETE", "/api/v1/login", "", "Origin", testApp),
		e.do("GET", "/api/v1/me", "", "Origin", testApp),
	} {
		h := res.Header
		if h.Get("Access-Control-Allow-Origin") != testApp || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
			t.Errorf("%d: %v", res.StatusCode, h)
		}
		if got := h.Get("Access-Control-Expose-Headers"); got != "retry-after,www-authenticate,x-request-id" {
			t.Errorf("exposed: %s", got)
		}
	}
}

func TestCORSPreflight(t *testing.T) {
	for _, path := range []string{"/api/v1/me", "/api/v1/login", "/api/v1/nothing"} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			res := newEdge(t).do("OPTIONS", path, "", "Origin", testApp, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "authorization,content-type,x-request-id")
			h := res.Header
			if res.StatusCode/100 != 2 || h.Get("Access-Control-Allow-Origin") != testApp || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Max-Age") != "600" ||
				h.Get("Access-Control-Allow-Headers") == "" || (method != "GET" && method != "POST" && h.Get("Access-Control-Allow-Methods") != method) {
				t.Errorf("%s %s: %d %v", method, path, res.StatusCode, h)
			}
		}
	}
}

func TestCORSDenied(t *testing.T) {
	e := newEdge(t)
	for _, origin := range []string{"https://evil.example", "null", "http://app.example.org", testApp + ":444", "https://xapp.example.org", "https://app.example.org.evil.example", "http://localhost:3000"} {
		for _, res := range []*http.Response{
			e.do("POST", "/api/v1/login", loginBody, "Origin", origin),
			e.do("OPTIONS", "/api/v1/login", "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"),
		} {
			for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods"} {
				if got := res.Header.Get(name); got != "" {
					t.Errorf("%s: %s: %s", origin, name, got)
				}
			}
		}
	}
	for _, ask := range [][2]string{{"PUT", "content-type"}, {"POST", "x-evil"}} {
		res := e.do("OPTIONS", "/api/v1/login", "", "Origin", testApp, "Access-Control-Request-Method", ask[0], "Access-Control-Request-Headers", ask[1])
		if res.StatusCode < 400 && (res.Header.Get("Access-Control-Allow-Methods") == "PUT" || res.Header.Get("Access-Control-Allow-Headers") != "") {
			t.Errorf("%v is allowed: %v", ask, res.Header)
		}
	}
}

func TestCORSWithoutOrigins(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.AllowedOrigins = nil })
	res := e.do("POST", "/api/v1/login", loginBody, "Origin", testApp)
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != "" || res.StatusCode != 200 {
		t.Errorf("%d, allows %s", res.StatusCode, got)
	}
}

func TestCORSOfPublicDocuments(t *testing.T) {
	e := newEdge(t)
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/openapi.json"} {
		for _, headers := range [][]string{nil, {"Origin", "https://anyone.example"}, {"Origin", "null"}} {
			h := e.do("GET", path, "", headers...).Header
			if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %v", path, h)
			}
		}
	}
	for _, path := range []string{"/healthz", "/metrics", "/nothing"} {
		if got := e.do("GET", path, "", "Origin", testApp).Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s allows %s", path, got)
		}
	}
}

func TestCheckOrigin(t *testing.T) {
	for origin, good := range map[string]bool{
		"https://app.example.org": true, "https://app.example.org:8443": true, "http://localhost:3000": true, "http://127.0.0.1": true, "http://[::1]:9": true,
		"": false, "*": false, "null": false, "https://*.example.org": false, "http://localhost:*": false, "https://app.example.org/": false, "https://app.example.org:443": false,
		"https://App.example.org": false, "http://app.example.org": false, "app.example.org": false, "ftp://app.example.org": false, "https://a@b.example": false,
		"https://app.example.org?x": false, "https://bücher.example": false,
	} {
		if err := CheckOrigin(origin); (err == nil) != good {
			t.Errorf("%s: %v", origin, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes an origin that CheckOrigin refuses")
		}
	}()
	New(Config{Issuer: testIssuer, AllowedOrigins: []string{"https://*.example.org"}})
}
