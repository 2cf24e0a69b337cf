package handlers

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/issuer"
)

func TestOneLineARequest(t *testing.T) {
	e := newEdge(t)
	decoded(t, e.do("POST", "/api/v1/login/verify", `{"challenge_id":"a","code":"1"}`, "X-Request-Id", "req-1"), 200)
	decoded(t, e.do("GET", "/api/v1/me", "", "Authorization", "Bearer at.1"), 200)
	decoded(t, e.do("POST", "/api/v1/login", `{"email":"a","password":"b","client_id":"spa"}`), 200)
	wantProblem(t, e.do("BREW", "/nothing/here", ""), 404, "not_found")
	lines := e.lines()
	if len(lines) != 4 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for i, want := range []map[string]any{
		{"event": "login_verify", "request_id": "req-1", "sub": "user-1", "sid": "sid-1", "status": 200.0, "method": "POST", "route": "/api/v1/login/verify", "ip": "192.0.2.1"},
		{"event": "me", "sub": "user-1", "sid": "sid-1", "client_id": "first-party", "status": 200.0},
		{"event": "login", "client_id": "spa", "status": 200.0},
		{"status": 404.0, "method": "other", "route": "other", "code": "not_found"},
	} {
		want["level"], want["message"] = "info", "request"
		for k, v := range want {
			if lines[i][k] != v {
				t.Errorf("line %d: %s is %v, want %v", i, k, lines[i][k], v)
			}
		}
		for _, k := range []string{"time", "request_id", "ms"} {
			if lines[i][k] == nil {
				t.Errorf("line %d has no %s", i, k)
			}
		}
	}
	if want := []string{"POST /api/v1/login/verify OK", "GET /api/v1/me OK", "POST /api/v1/login OK", "other other Not Found"}; !slices.Equal(e.counted.seen, want) {
		t.Errorf("observed %q", e.counted.seen)
	}
}

// TestSecretsAreNotLogged puts a secret in every place of a request that can hold one, and every outcome.
func TestSecretsAreNotLogged(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.AllowedOrigins, c.SimpleJWT = nil, true })
	e.contrived = true
	everything := maps.Clone(served)
	for _, path := range simpleJWTPaths {
		everything[path] = "POST"
	}
	outcomes := []error{nil}
	for code := range statuses {
		outcomes = append(outcomes, &issuer.Error{Kind: issuer.Kind(code), Cause: errors.New("told by the issuer")})
	}
	headers := []string{
		"Authorization", "Bearer at.hunter2", "Cookie", refreshHost + "=srt_hunter2; " + deviceHost + "=sdt_hunter2", "User-Agent", "hunter2", "Referer", "https://x/?hunter2",
		"X-Request-Id", "hunter2\n{}", "X-Forwarded-For", "hunter2", "Accept-Language", "hunter2", "Origin", "https://hunter2.example", "Content-Type", "application/json",
	}
	sent := 0
	for _, err := range outcomes {
		e.provider.err = err
		for _, auth := range []error{nil, err} {
			e.provider.auth = auth
			for path, methods := range everything {
				for _, body := range []string{
					`{"email":"hunter2","password":"hunter2","device_token":"hunter2"}`, `{"challenge_id":"hunter2","code":"hunter2"}`, `{"challenge_id":"hunter2","code":"hunter2","cookie":true}`,
					`{"refresh_token":"hunter2"}`, `{"token":"hunter2"}`, `{"all":true}`, `{"username":"hunter2"}`, `{"x":"hunter2"}`, `{"email":"hunter2`, `hunter2`,
					`{"password":"hunter2"}`, `{"current_password":"hunter2","new_password":"hunter2"}`, `{"new_email":"hunter2","password":"hunter2"}`, `{"email":"hunter2"}`,
					`{"challenge_id":"hunter2","code":"hunter2","new_password":"hunter2"}`, `{"given_name":"hunter2","roles":["hunter2"]}`, `{"refresh":"hunter2"}`,
				} {
					for _, method := range slices.DeleteFunc(strings.Split(methods, ", "), func(m string) bool { return m == "HEAD" }) {
						r, _ := http.NewRequest(method, path+[]string{"?token=hunter2", "?cursor=hunter2", ""}[sent%3], strings.NewReader(body))
						sent++
						for i := 0; i < len(headers); i += 2 {
							r.Header.Add(headers[i], headers[i+1])
						}
						if res := e.send(r); strings.Contains(fmt.Sprint(res.Header), "hunter2") {
							t.Fatalf("%s %s: %v", method, path, res.Header)
						}
					}
				}
			}
		}
	}
	e.do("GET", "/hunter2/x?hunter2", "")
	for _, secret := range []string{"hunter2", "srt_secret2", "at.secret", "sdt_secret3", "chal-secret"} {
		if i := strings.Index(e.log.String(), secret); i >= 0 {
			t.Errorf("logged: %s", e.log.String()[max(0, i-200):min(e.log.Len(), i+50)])
		}
	}
	if n := len(e.lines()); n != len(e.counted.seen) || n < 1000 {
		t.Errorf("%d lines of %d requests", n, len(e.counted.seen))
	}
}

func TestRequestID(t *testing.T) {
	for sent, kept := range map[string]bool{
		"abc": true, "A-1_b.C": true, strings.Repeat("a", 128): true, "0194f3c0-9d5c-7b1e-8f00-000000000000": true,
		"": false, strings.Repeat("a", 129): false, "a b": false, "a\nb": false, "a\r\nSet-Cookie: x=y": false, "<script>": false, `a"b`: false, "é": false, "a\x00": false, "a;b": false,
	} {
		got := newEdge(t).do("GET", "/healthz", "", "X-Request-Id", sent).Header.Get("X-Request-Id")
		if (got == sent) != kept || !saneRequestID(got) {
			t.Errorf("%q: got %q", sent, got)
		}
	}
	e := newEdge(t)
	if got := e.do("GET", "/healthz", "", "X-Request-Id", "a", "X-Request-Id", "b").Header["X-Request-Id"]; len(got) != 1 || got[0] == "a" || got[0] == "b" {
		t.Errorf("of two: %q", got)
	}
	if a, b := e.do("GET", "/healthz", "").Header.Get("X-Request-Id"), e.do("GET", "/healthz", "").Header.Get("X-Request-Id"); a == b {
		t.Errorf("the same id twice: %s", a)
	}
}
