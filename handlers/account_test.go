package handlers

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

var bearer = []string{"Authorization", "Bearer at.1"}

// TestOwnAccount asks for everything that users do with their own account: what the issuer gets and what comes back.
func TestOwnAccount(t *testing.T) {
	proof := issuer.VerifyRequest{ChallengeID: "a", Code: "123456"}
	for _, c := range []struct {
		method, path, body string
		call               string
		want               any
		status             int
		fields             string // of the answer, "" for an empty one
	}{
		{"DELETE", "/api/v1/me", `{"password":"b"}`, "DeleteMe", asked{"sid-1", "b"}, 204, ""},
		{"POST", "/api/v1/me/password", `{"current_password":"a","new_password":"b"}`, "ChangePassword", asked{"sid-1", "a", "b"}, 204, ""},
		{"POST", "/api/v1/me/email", `{"new_email":"a","password":"b"}`, "ChangeEmail", asked{"sid-1", "a", "b"}, 202, ticketFields},
		{"POST", "/api/v1/me/email/verify", `{"challenge_id":"a","code":"123456"}`, "VerifyEmail", asked{"sid-1", proof}, 200, userFields},
		{"POST", "/api/v1/step-up", `{"password":"b"}`, "StepUp", asked{"sid-1", "b"}, 200, ticketFields},
		{"POST", "/api/v1/step-up/verify", `{"challenge_id":"a","code":"123456"}`, "VerifyStepUp", asked{"sid-1", proof}, 200,
			"access_token device_token expires_in refresh_expires_in refresh_token scope token_type"},
		{"POST", "/api/v1/password/forgot", `{"email":"a"}`, "ForgotPassword", "a", 202, ticketFields},
		{"POST", "/api/v1/password/reset", `{"challenge_id":"a","code":"1","new_password":"b"}`, "ResetPassword",
			issuer.ResetRequest{ChallengeID: "a", Code: "1", NewPassword: "b"}, 204, ""},
		{"GET", "/api/v1/me/sessions", "", "MySessions", asked{"user-1", issuer.Place{}, 50}, 200, "items next_cursor"},
		{"DELETE", "/api/v1/me/sessions/sid-2", "", "EndSession", asked{"sid-1", "sid-2"}, 204, ""},
	} {
		e := newEdge(t)
		headers := append([]string{"X-Request-Id", "req-1"}, bearer...)
		if strings.HasPrefix(c.path, "/api/v1/password") {
			headers = headers[:2]
		}
		res := e.do(c.method, c.path, c.body, headers...)
		if c.fields == "" {
			if res.StatusCode != c.status || res.ContentLength > 0 {
				t.Errorf("%s %s: %d, %d bytes", c.method, c.path, res.StatusCode, res.ContentLength)
			}
		} else {
			wantKeys(t, decoded(t, res, c.status), c.fields)
		}
		if !reflect.DeepEqual(e.provider.last, c.want) || e.provider.calls[len(e.provider.calls)-1] != c.call {
			t.Errorf("%s %s: calls %q, the issuer got %+v", c.method, c.path, e.provider.calls, e.provider.last)
		}
		if c.call != "MySessions" && e.provider.who.RequestID != "req-1" {
			t.Errorf("%s %s: asked by %+v", c.method, c.path, e.provider.who)
		}
		if len(res.Cookies()) > 0 {
			t.Errorf("%s %s: cookies %v", c.method, c.path, res.Cookies())
		}
	}
}

const (
	ticketFields = "challenge_id code_length delivery expires_in resend_in"
	userFields   = "created_at email email_verified family_name given_name id last_login_at locale roles username"
)

func TestMySessions(t *testing.T) {
	e := newEdge(t)
	e.provider.sessions = []issuer.Session{aSession, {ID: "sid-2", ClientID: "spa", CreatedAt: longAgo.Add(time.Minute)}}
	m := decoded(t, e.do("GET", "/api/v1/me/sessions", "", bearer...), 200)
	want := []any{
		map[string]any{"sid": "sid-1", "client_id": "first-party", "created_at": "2026-01-02T03:04:05Z", "last_used_at": "2026-01-02T04:04:05Z", "user_agent": "curl/8", "ip": "192.0.2.7", "current": true},
		map[string]any{"sid": "sid-2", "client_id": "spa", "created_at": "2026-01-02T03:05:05Z", "last_used_at": "2026-01-02T03:05:05Z", "user_agent": nil, "ip": nil, "current": false},
	}
	if !reflect.DeepEqual(m["items"], want) || m["next_cursor"] != nil {
		t.Errorf("got %v", m)
	}
	e.provider.sessions = nil
	if m := decoded(t, e.do("GET", "/api/v1/me/sessions", "", bearer...), 200); !reflect.DeepEqual(m["items"], []any{}) {
		t.Errorf("nothing is %v", m)
	}
}

// TestStaleSignIns: what needs a recent sign-in says so as RFC 9470 has it.
func TestStaleSignIns(t *testing.T) {
	for _, c := range bearerCalls {
		if !c.recent {
			continue
		}
		e := newEdge(t)
		e.provider.err = &issuer.Error{Kind: issuer.KindStepUpRequired}
		res := e.do(c.method, c.path, c.body, bearer...)
		wantProblem(t, res, 401, "step_up_required")
		if got := res.Header.Get("WWW-Authenticate"); got != `Bearer realm="signet", error="insufficient_user_authentication", max_age="900"` {
			t.Errorf("%s %s: %s", c.method, c.path, got)
		}
	}
}
