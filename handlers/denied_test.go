package handlers

import (
	"net/http"
	"strings"
	"testing"

	"signet/issuer"
)

// bearerCall is a call that needs an access token, with a request that it takes.
type bearerCall struct {
	method, path, body string
	admin, recent      bool
	list               bool
}

var bearerCalls = []bearerCall{
	{method: "GET", path: "/api/v1/me"},
	{method: "PATCH", path: "/api/v1/me", body: `{"given_name":"a"}`},
	{method: "DELETE", path: "/api/v1/me", body: `{"password":"a"}`, recent: true},
	{method: "POST", path: "/api/v1/me/password", body: `{"current_password":"a","new_password":"b"}`},
	{method: "POST", path: "/api/v1/me/email", body: `{"new_email":"a","password":"b"}`, recent: true},
	{method: "POST", path: "/api/v1/me/email/verify", body: `{"challenge_id":"a","code":"1"}`},
	{method: "GET", path: "/api/v1/me/sessions", list: true},
	{method: "DELETE", path: "/api/v1/me/sessions/sid-2"},
	{method: "POST", path: "/api/v1/step-up", body: `{"password":"a"}`},
	{method: "POST", path: "/api/v1/step-up/verify", body: `{"challenge_id":"a","code":"1"}`},
	{method: "GET", path: "/api/v1/admin/users", admin: true, list: true},
	{method: "POST", path: "/api/v1/admin/users", body: `{"email":"a"}`, admin: true, recent: true},
	{method: "GET", path: "/api/v1/admin/users/7", admin: true},
	{method: "PATCH", path: "/api/v1/admin/users/7", body: `{"disabled":true}`, admin: true, recent: true},
	{method: "DELETE", path: "/api/v1/admin/users/7", admin: true, recent: true},
	{method: "POST", path: "/api/v1/admin/users/7/logout", admin: true, recent: true},
	{method: "POST", path: "/api/v1/admin/users/7/password-reset", admin: true, recent: true},
	{method: "GET", path: "/api/v1/admin/sessions", admin: true, list: true},
	{method: "DELETE", path: "/api/v1/admin/sessions/sid-2", admin: true, recent: true},
	{method: "GET", path: "/api/v1/admin/audit", admin: true, list: true},
	{method: "GET", path: "/api/v1/admin/stats", admin: true},
}

// openCalls need no token.
var openCalls = []bearerCall{
	{method: "POST", path: "/api/v1/password/forgot", body: `{"email":"a"}`},
	{method: "POST", path: "/api/v1/password/reset", body: `{"challenge_id":"a","code":"1","new_password":"b"}`},
}

// TestWithoutATokenNothingHappens: none, a bad one, a refused one; whatever the body is like.
func TestWithoutATokenNothingHappens(t *testing.T) {
	for _, c := range bearerCalls {
		for _, body := range []string{c.body, `{`, ``} {
			for _, headers := range [][]string{nil, {"Authorization", "Basic YTpi"}, {"Authorization", "Bearer a b"}, {"Cookie", refreshValue}} {
				e := newEdge(t)
				wantProblem(t, e.do(c.method, c.path, body, headers...), 401, "invalid_token")
				if len(e.provider.calls) > 0 {
					t.Errorf("%s %s: calls %q", c.method, c.path, e.provider.calls)
				}
			}
			for kind, status := range map[issuer.Kind]int{issuer.KindInvalidToken: 401, issuer.KindSessionRevoked: 401, issuer.KindForbidden: 403, issuer.KindUnavailable: 503} {
				e := newEdge(t)
				e.provider.auth = &issuer.Error{Kind: kind}
				wantProblem(t, e.do(c.method, c.path, body, bearer...), status, string(kind))
				if len(e.provider.calls) != 1 {
					t.Errorf("%s %s: calls %q", c.method, c.path, e.provider.calls)
				}
			}
		}
	}
}

// TestOnlyAdministrators: who isn't one is told so before the request is looked at.
func TestOnlyAdministrators(t *testing.T) {
	for _, c := range bearerCalls {
		e := newEdge(t)
		e.provider.admin = &issuer.Error{Kind: issuer.KindForbidden}
		res := e.do(c.method, c.path, c.body, bearer...)
		if !c.admin {
			if res.StatusCode >= 300 {
				t.Errorf("%s %s: %d", c.method, c.path, res.StatusCode)
			}
			continue
		}
		wantProblem(t, res, 403, "forbidden")
		wantProblem(t, e.do(c.method, c.path+"?x=1", `{`, bearer...), 403, "forbidden")
		if got := res.Header.Get("WWW-Authenticate"); got != `Bearer realm="signet", error="insufficient_scope"` || len(e.provider.calls) != 4 {
			t.Errorf("%s %s: WWW-Authenticate %s, calls %q", c.method, c.path, got, e.provider.calls)
		}
	}
}

// TestBadRequestsChangeNothing sends everything that takes a body what it can't take.
func TestBadRequestsChangeNothing(t *testing.T) {
	for _, c := range append(openCalls, bearerCalls...) {
		if c.body == "" {
			continue
		}
		name := c.body[2 : strings.Index(c.body[2:], `"`)+2]
		repeated := strings.TrimSuffix(c.body, "}") + `,"` + name + `":"again"}`
		unknown := strings.TrimSuffix(c.body, "}") + `,"zzz":1}`
		for _, bad := range []struct {
			body, fields, code string
			status             int
			headers            []string
		}{
			{"", "", "invalid_request", 400, nil},
			{"[]", "", "invalid_request", 400, nil},
			{c.body + "x", "", "invalid_request", 400, nil},
			{unknown, "zzz", "invalid_request", 400, nil},
			{repeated, name, "invalid_request", 400, nil},
			{strings.Repeat(" ", maxBody) + c.body, "", "payload_too_large", 413, nil},
			{c.body, "", "unsupported_media_type", 415, []string{"Content-Type", "text/plain"}}, // beside the right one
			{c.body, "", "unsupported_media_type", 415, []string{"Content-Encoding", "gzip"}},
		} {
			e := newEdge(t)
			p := wantProblem(t, e.do(c.method, c.path, bad.body, append(bad.headers, bearer...)...), bad.status, bad.code)
			if p.fields() != bad.fields {
				t.Errorf("%s %s %.80q: named %q", c.method, c.path, bad.body, p.fields())
			}
			for _, call := range e.provider.calls {
				if !strings.HasPrefix(call, "Authenticate") && !strings.HasPrefix(call, "Admin ") {
					t.Errorf("%s %s %.80q: %s was called", c.method, c.path, bad.body, call)
				}
			}
		}
	}
}

func TestEveryAccountCallIsStrict(t *testing.T) {
	for _, c := range []struct{ method, path, body, fields string }{
		{"DELETE", "/api/v1/me", `{"code":"1"}`, "password code"},
		{"POST", "/api/v1/me/password", `{"password":"a","new_password":null}`, "current_password new_password password"},
		{"POST", "/api/v1/me/email", `{"email":"a","password":1}`, "new_email password email"},
		{"POST", "/api/v1/me/email/verify", `{"code":1,"cookie":true}`, "challenge_id code cookie"},
		{"POST", "/api/v1/step-up", `{"email":"a"}`, "password email"},
		{"POST", "/api/v1/step-up/verify", `{"cookie":true}`, "challenge_id code cookie"},
		{"POST", "/api/v1/password/forgot", `{"username":"a"}`, "email username"},
		{"POST", "/api/v1/password/reset", `{"password":"a"}`, "challenge_id code new_password password"},
		{"POST", "/api/v1/admin/users", `{"given_name":1,"roles":"admin","invite":"yes","password":"a","username":"b"}`, "email given_name invite roles password username"},
		{"POST", "/api/v1/admin/users", `{"email":"a","roles":["a",1]}`, "roles"},
		{"POST", "/api/v1/admin/users", `{"email":"a","roles":null}`, "roles"},
		{"POST", "/api/v1/admin/users", `{"email":"a","roles":["\ud800"]}`, "roles"},
		{"PATCH", "/api/v1/admin/users/7", `{"disabled":null,"roles":null}`, "disabled roles"},
		{"PATCH", "/api/v1/admin/users/7", `{"disabled":"true","roles":{},"email":"a"}`, "disabled roles email"},
	} {
		e := newEdge(t)
		p := wantProblem(t, e.do(c.method, c.path, c.body, bearer...), 400, "invalid_request")
		if p.fields() != c.fields {
			t.Errorf("%s %s: named %q, want %q", c.path, c.body, p.fields(), c.fields)
		}
	}
}

// TestReadingChangesNothing: GET and HEAD reach only calls that read.
func TestReadingChangesNothing(t *testing.T) {
	reads := map[string]bool{"ListUsers": true, "GetUser": true, "ListSessions": true, "ListAudit": true, "Overview": true, "MySessions": true}
	for path := range served {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			e := newEdge(t)
			e.do(method, path, "", append([]string{"Cookie", refreshValue}, bearer...)...)
			for _, call := range e.provider.calls {
				if !reads[call] && !strings.HasPrefix(call, "Authenticate") && !strings.HasPrefix(call, "Admin ") {
					t.Errorf("%s %s calls %s", method, path, call)
				}
			}
		}
	}
}
