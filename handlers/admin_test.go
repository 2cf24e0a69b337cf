package handlers

import (
	"reflect"
	"testing"
	"time"

	"signet/issuer"
)

// TestAdminCalls asks for everything that administrators do: what the issuer gets and what comes back.
func TestAdminCalls(t *testing.T) {
	yes, no, name, none := true, false, "Ada", ""
	for _, c := range []struct {
		method, path, body string
		call               string
		want               any
		status             int
	}{
		{"GET", "/users", "", "ListUsers", asked{issuer.UserQuery{}, issuer.Place{}, 50}, 200},
		{"GET", "/users?q=Ad%20a%2B&role=admin&disabled=true&limit=200", "", "ListUsers", asked{issuer.UserQuery{Prefix: "Ad a+", Role: "admin", Disabled: &yes}, issuer.Place{}, 200}, 200},
		{"GET", "/users?q=&disabled=false&limit=1", "", "ListUsers", asked{issuer.UserQuery{Disabled: &no}, issuer.Place{}, 1}, 200},
		{"POST", "/users", `{"email":"a"}`, "AdminCreateUser", issuer.NewUser{Email: "a"}, 201},
		{"POST", "/users", `{"email":"a","given_name":"b","family_name":"c","roles":["d","e\u0066"],"invite":true}`, "AdminCreateUser",
			issuer.NewUser{Email: "a", GivenName: "b", FamilyName: "c", Roles: []string{"d", "ef"}, Invite: true}, 201},
		{"GET", "/users/7", "", "GetUser", "7", 200},
		{"PATCH", "/users/7", `{}`, "PatchUser", asked{"7", issuer.UserPatch{}}, 200},
		{"PATCH", "/users/7", `{"disabled":true,"roles":[],"given_name":"Ada","family_name":null}`, "PatchUser",
			asked{"7", issuer.UserPatch{Disabled: &yes, Roles: &[]string{}, GivenName: &name, FamilyName: &none}}, 200},
		{"PATCH", "/users/7", `{"disabled":false,"roles":["admin"]}`, "PatchUser", asked{"7", issuer.UserPatch{Disabled: &no, Roles: &[]string{"admin"}}}, 200},
		{"DELETE", "/users/0194f3c0-9d5c-7b1e-8f00-000000000001", "", "DeleteUser", "0194f3c0-9d5c-7b1e-8f00-000000000001", 204},
		{"POST", "/users/7/logout", "", "LogoutUser", "7", 204},
		{"POST", "/users/7/password-reset", "", "RequirePasswordReset", "7", 204},
		{"GET", "/sessions", "", "ListSessions", asked{"", false, issuer.Place{}, 50}, 200},
		{"GET", "/sessions?user_id=7&state=revoked", "", "ListSessions", asked{"7", true, issuer.Place{}, 50}, 200},
		{"GET", "/sessions?state=outstanding", "", "ListSessions", asked{"", false, issuer.Place{}, 50}, 200},
		{"DELETE", "/sessions/c2lk-_", "", "EndAnySession", "c2lk-_", 204},
		{"GET", "/audit", "", "ListAudit", asked{issuer.AuditQuery{}, issuer.Place{}, 50}, 200},
		{"GET", "/audit?since=2026-01-02T05:04:05.006%2B02:00&until=2026-01-03T00:00:00Z&type=sign_in.&user_id=7", "", "ListAudit",
			asked{issuer.AuditQuery{Since: longAgo.Add(6 * time.Millisecond), Until: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), Type: "sign_in.", UserID: "7"}, issuer.Place{}, 50}, 200},
		{"GET", "/stats", "", "Overview", nil, 200},
	} {
		e := newEdge(t)
		res := e.do(c.method, "/api/v1/admin"+c.path, c.body, append([]string{"X-Request-Id", "req-1"}, bearer...)...)
		if res.StatusCode != c.status || !reflect.DeepEqual(e.provider.last, c.want) {
			t.Errorf("%s %s: %d, the issuer got %+v, want %+v", c.method, c.path, res.StatusCode, e.provider.last, c.want)
		}
		if want := []string{"Authenticate at.1", "Admin user-1", c.call}; !reflect.DeepEqual(e.provider.calls, want) {
			t.Errorf("%s %s: calls %q", c.method, c.path, e.provider.calls)
		}
		if e.provider.who.RequestID != "req-1" || e.provider.who.IP != "192.0.2.1" {
			t.Errorf("%s %s: asked by %+v", c.method, c.path, e.provider.who)
		}
	}
}

func TestAdminUser(t *testing.T) {
	e := newEdge(t)
	m := decoded(t, e.do("GET", "/api/v1/admin/users/7", "", bearer...), 200)
	wantKeys(t, m, "created_at disabled email email_verified family_name given_name id last_login_at locale password_reset_required roles username")
	if m["disabled"] != false || m["password_reset_required"] != false {
		t.Errorf("got %v", m)
	}
	e.provider.user.State, e.provider.user.ResetRequired = issuer.UserDisabled, true
	if m = decoded(t, e.do("GET", "/api/v1/admin/users/7", "", bearer...), 200); m["disabled"] != true || m["password_reset_required"] != true {
		t.Errorf("got %v", m)
	}
}

func TestAdminSessions(t *testing.T) {
	e := newEdge(t)
	ended := aSession
	ended.ID, ended.AbsAt, ended.Revoked = "sid-2", longAgo.Add(2*time.Hour), &issuer.Revocation{At: longAgo.Add(time.Minute), Why: issuer.RevokedReuse}
	e.provider.sessions = []issuer.Session{aSession, ended}
	m := decoded(t, e.do("GET", "/api/v1/admin/sessions", "", bearer...), 200)
	one := map[string]any{"sid": "sid-1", "user_id": "user-1", "client_id": "first-party", "created_at": "2026-01-02T03:04:05Z", "last_used_at": "2026-01-02T04:04:05Z",
		"expires_at": "2026-01-03T03:04:05Z", "user_agent": "curl/8", "ip": "192.0.2.7", "revoked_at": nil, "revoked_reason": nil}
	two := map[string]any{"sid": "sid-2", "user_id": "user-1", "client_id": "first-party", "created_at": "2026-01-02T03:04:05Z", "last_used_at": "2026-01-02T04:04:05Z",
		"expires_at": "2026-01-02T05:04:05Z", "user_agent": "curl/8", "ip": "192.0.2.7", "revoked_at": "2026-01-02T03:05:05Z", "revoked_reason": "reuse"}
	if !reflect.DeepEqual(m["items"], []any{one, two}) {
		t.Errorf("got %v", m["items"])
	}
}

func TestAuditAndStats(t *testing.T) {
	e := newEdge(t)
	m := decoded(t, e.do("GET", "/api/v1/admin/audit", "", bearer...), 200)
	want := map[string]any{"id": "sign_in:sid-1", "type": "sign_in.ok", "at": "2026-01-02T03:04:05Z", "actor": "user-1", "target": nil, "sid": "sid-1", "client_id": "first-party",
		"source": "192.0.2.7", "request_id": "req-1", "detail": nil}
	if !reflect.DeepEqual(m["items"], []any{want}) {
		t.Errorf("got %v", m["items"])
	}
	m = decoded(t, e.do("GET", "/api/v1/admin/stats", "", bearer...), 200)
	if !reflect.DeepEqual(m, map[string]any{
		"users": map[string]any{"active": 5.0, "disabled": 4.0, "deleted": 3.0}, "sessions": map[string]any{"outstanding": 2.0, "revoked": 1.0}, "mail": map[string]any{"queued": 6.0},
	}) {
		t.Errorf("got %v", m)
	}
}

// TestAdminListener: with an address of its own the admin API is there, under the same rules, and nowhere else.
func TestAdminListener(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.AdminListener = true })
	for _, c := range bearerCalls {
		if c.admin {
			wantProblem(t, e.do(c.method, c.path, c.body, bearer...), 404, "not_found")
		}
	}
	decoded(t, e.do("GET", "/api/v1/me", "", bearer...), 200)
	if len(e.provider.calls) != 1 {
		t.Errorf("calls: %q", e.provider.calls)
	}

	e.handler = AdminHandler(e.config)
	for _, c := range bearerCalls {
		if c.admin {
			if res := e.do(c.method, c.path, c.body, bearer...); res.StatusCode >= 300 {
				t.Errorf("%s %s: %d", c.method, c.path, res.StatusCode)
			}
			wantProblem(t, e.do(c.method, c.path, c.body), 401, "invalid_token")
		}
	}
	res := e.do("GET", "/api/v1/admin/stats", "", append([]string{"Origin", testApp}, bearer...)...)
	if res.Header.Get("Access-Control-Allow-Origin") != testApp || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("headers: %v", res.Header)
	}
	e.contrived = true // the document is about the main listener
	for _, path := range []string{"/api/v1/me", "/api/v1/login", "/.well-known/jwks.json", "/openapi.json", "/healthz"} {
		wantProblem(t, e.do("GET", path, ""), 404, "not_found")
	}
}
