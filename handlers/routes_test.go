package handlers

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"signet/keys"
)

// served is every route of the API and the methods it takes.
var served = map[string]string{
	"/.well-known/jwks.json":                  "GET, HEAD",
	"/.well-known/openid-configuration":       "GET, HEAD",
	"/.well-known/oauth-authorization-server": "GET, HEAD",
	"/healthz":              "GET, HEAD",
	"/readyz":               "GET, HEAD",
	"/api/v1/register":      "POST",
	"/api/v1/login":         "POST",
	"/api/v1/login/verify":  "POST",
	"/api/v1/login/resend":  "POST",
	"/api/v1/token/refresh": "POST",
	"/api/v1/token/verify":  "POST",
	"/api/v1/logout":        "POST",
	"/api/v1/me":            "GET, HEAD, PATCH, DELETE",

	"/openapi.json":                              "GET, HEAD",
	"/api/v1/step-up":                            "POST",
	"/api/v1/step-up/verify":                     "POST",
	"/api/v1/password/forgot":                    "POST",
	"/api/v1/password/reset":                     "POST",
	"/api/v1/me/password":                        "POST",
	"/api/v1/me/email":                           "POST",
	"/api/v1/me/email/verify":                    "POST",
	"/api/v1/me/sessions":                        "GET, HEAD",
	"/api/v1/me/sessions/hunter2":                "DELETE",
	"/api/v1/admin/users":                        "GET, HEAD, POST",
	"/api/v1/admin/users/hunter2":                "GET, HEAD, PATCH, DELETE",
	"/api/v1/admin/users/hunter2/logout":         "POST",
	"/api/v1/admin/users/hunter2/password-reset": "POST",
	"/api/v1/admin/sessions":                     "GET, HEAD",
	"/api/v1/admin/sessions/hunter2":             "DELETE",
	"/api/v1/admin/audit":                        "GET, HEAD",
	"/api/v1/admin/stats":                        "GET, HEAD",
}

func TestMethods(t *testing.T) {
	for path, allowed := range served {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get"} {
			res := newEdge(t).do(method, path, "")
			if strings.Contains(allowed+",", method+",") {
				if res.StatusCode == 404 || res.StatusCode == 405 || res.StatusCode >= 500 {
					t.Errorf("%s %s: %d", method, path, res.StatusCode)
				}
				continue
			}
			wantProblem(t, res, 405, "method_not_allowed")
			if got := res.Header.Get("Allow"); got != allowed+", OPTIONS" {
				t.Errorf("%s %s: Allow %q, want %q and OPTIONS", method, path, got, allowed)
			}
		}
		res := newEdge(t).do("OPTIONS", path, "")
		if res.StatusCode != 204 || res.Header.Get("Allow") != allowed+", OPTIONS" {
			t.Errorf("OPTIONS %s: %d, Allow %q", path, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	for _, path := range []string{
		"/", "/nothing", "/api", "/api/v1", "/api/v1/", "/api/v2/login", "/api/v1/login/", "/api/v1//login", "//api/v1/login", "/api/v1/../v1/login", "/API/V1/LOGIN",
		"/api/v1/login%00", "/api/v1/me/sessions/", "/api/v1/me/sessions/a/b", "/api/v1/me/sessions/a%2Fb", "/api/v1/me/email/", "/api/v1/step-up/", "/api/v1/password",
		"/api/v1/admin", "/api/v1/admin/users/", "/api/v1/admin/users/a/b", "/api/v1/admin/users/a/sessions", "/openapi.yaml", "/openapi.json/", "/api/token", "/api/token/", "/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/", "/logout_token/", "/oauth2/authorize", "/oauth2/token",
		"/oauth2/userinfo", "/login", "/account", "/.well-known/", "/.well-known/webfinger", "/metrics", "/dev/mailbox", "//evil.example/%2e%2e",
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "DELETE"} {
			res := newEdge(t).do(method, path, "")
			wantProblem(t, res, 404, "not_found")
			if res.Header.Get("Location") != "" {
				t.Errorf("%s redirects to %s", path, res.Header.Get("Location"))
			}
		}
	}
}

func TestHEADHasNoBody(t *testing.T) {
	e := newEdge(t)
	s := e.listen()
	for _, size := range []int{10, countedByServer, countedByServer + 1, 20_000} {
		e.ring.set = &keys.PublishedSet{Body: make([]byte, size), ETag: `"x"`, CacheControl: "public"}
		for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
			get, err := http.Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			head, err := http.Head(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(head.Body); len(body) > 0 || head.StatusCode != 200 {
				t.Errorf("HEAD %s: %d %q", path, head.StatusCode, body)
			}
			if body, _ := io.ReadAll(get.Body); int64(len(body)) != get.ContentLength {
				t.Errorf("GET %s: %d bytes, Content-Length %d", path, len(body), get.ContentLength)
			}
			for _, h := range []string{"Content-Type", "Content-Length", "Etag", "Cache-Control", "Access-Control-Allow-Origin"} {
				if head.Header.Get(h) != get.Header.Get(h) || head.Header.Get(h) == "" {
					t.Errorf("HEAD %s: %s %q, of GET %q", path, h, head.Header.Get(h), get.Header.Get(h))
				}
			}
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	e := newEdge(t)
	for _, res := range []*http.Response{
		e.do("GET", "/.well-known/jwks.json", ""), e.do("GET", "/nothing", ""), e.do("POST", "/api/v1/login", loginBody), e.do("POST", "/api/v1/login", "{"),
		e.do("POST", "/api/v1/token/refresh", `{"refresh_token":"a"}`), e.do("DELETE", "/healthz", ""), e.do("OPTIONS", "/api/v1/me", ""),
		e.do("OPTIONS", "/api/v1/me", "", "Origin", testApp, "Access-Control-Request-Method", "PATCH"),
	} {
		for name, want := range map[string]string{
			"Strict-Transport-Security": "max-age=63072000", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			public := res.Header.Get("Etag") != "" && (name == "Referrer-Policy" || name == "Cross-Origin-Opener-Policy")
			if got := res.Header.Get(name); got != want && !public {
				t.Errorf("%s: %q", name, got)
			}
		}
		if cc := res.Header.Get("Cache-Control"); cc != "no-store" && res.Header.Get("Etag") == "" {
			t.Errorf("Cache-Control: %q", cc)
		}
	}
	plain := newEdge(t, func(c *Config) { c.Issuer = "http://localhost:8080" })
	if h := plain.do("GET", "/healthz", "").Header.Get("Strict-Transport-Security"); h != "" {
		t.Errorf("HSTS over http: %q", h)
	}
}

func TestOpsHandler(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	e := newEdge(t, func(c *Config) { c.Metrics, c.OpsListener = metrics, true })
	wantProblem(t, e.do("GET", "/metrics", ""), 404, "not_found")
	e.handler, e.contrived = OpsHandler(e.config), true // the document is not about this listener
	if res := e.do("GET", "/metrics", "", "X-Forwarded-For", "203.0.113.9"); res.StatusCode != 200 {
		t.Errorf("metrics: %d", res.StatusCode)
	}
	decoded(t, e.do("GET", "/healthz", ""), 200)
	decoded(t, e.do("GET", "/readyz", ""), 200)
	wantProblem(t, e.do("GET", "/.well-known/jwks.json", ""), 404, "not_found")
	wantProblem(t, e.do("POST", "/api/v1/login", loginBody), 404, "not_found")
}

func TestLoopbackOnly(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") })
	e := newEdge(t, func(c *Config) { c.Metrics, c.Mailbox = page, page })
	ask := func(path, peer, host string, headers ...string) *http.Response {
		r, _ := http.NewRequest("GET", path, nil)
		r.RemoteAddr, r.Host = peer, host
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return e.send(r)
	}
	for _, path := range []string{"/metrics", "/dev/mailbox"} {
		for _, peer := range []string{"127.0.0.1:9", "127.8.8.8:9", "[::1]:9", "[::ffff:127.0.0.1]:9"} {
			for _, host := range []string{"localhost:8080", "127.0.0.1", "[::1]:8080", "[::1]"} {
				if res := ask(path, peer, host); res.StatusCode != 200 {
					t.Errorf("%s from %s at %s: %d", path, peer, host, res.StatusCode)
				}
			}
		}
		for _, peer := range []string{"192.0.2.1:9", "[2001:db8::1]:9", "10.0.0.1:9", "@", ""} {
			wantProblem(t, ask(path, peer, "localhost"), 403, "forbidden")
		}
		for _, header := range forwardingHeaders {
			wantProblem(t, ask(path, "127.0.0.1:9", "localhost", header, "127.0.0.1"), 403, "forbidden")
		}
		for _, host := range []string{"id.example.org", "localhost.evil.example", "127.0.0.1.evil.example", "", "2130706433"} {
			wantProblem(t, ask(path, "127.0.0.1:9", host), 403, "forbidden")
		}
	}
}
