package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/issuer"
	"signet/keys"
)

const loginBody = `{"email":"ada@example.org","password":"correct horse"}`

// statuses is the table of the API's contract.
var statuses = map[string]int{
	"invalid_request": 400, "weak_password": 400,
	"invalid_credentials": 401, "invalid_code": 401, "challenge_expired": 401, "too_many_attempts": 401, "invalid_token": 401, "token_reused": 401,
	"session_revoked": 401, "step_up_required": 401,
	"forbidden": 403, "password_reset_required": 403, "not_found": 404, "method_not_allowed": 405, "conflict": 409,
	"payload_too_large": 413, "unsupported_media_type": 415, "rate_limited": 429, "internal": 500, "unavailable": 503,
}

func TestEveryKindHasItsStatus(t *testing.T) {
	if len(kinds) != len(statuses) {
		t.Errorf("%d kinds, the contract has %d codes", len(kinds), len(statuses))
	}
	for code, status := range statuses {
		e := newEdge(t)
		e.contrived = true
		e.provider.err = &issuer.Error{Kind: issuer.Kind(code), Cause: errors.New("the cause is secret")}
		res := e.do("POST", "/api/v1/login", loginBody)
		p := wantProblem(t, res, status, code)
		if strings.Contains(p.Detail, "secret") {
			t.Errorf("%s tells its cause", code)
		}
		line := e.lines()[0]
		if line["error"] == nil || line["code"] != code || line["status"] != float64(status) {
			t.Errorf("%s is logged as %v", code, line)
		}
	}
}

func TestDetailAndFieldsOfTheIssuer(t *testing.T) {
	e := newEdge(t)
	e.provider.err = fmt.Errorf("wrapped: %w", &issuer.Error{
		Kind: issuer.KindConflict, Detail: "Another account has it.", Fields: []issuer.FieldError{{Field: "username", Message: "is taken"}},
	})
	p := wantProblem(t, e.do("PATCH", "/api/v1/me", `{"username":"ada"}`, "Authorization", "Bearer at.1"), 409, "conflict")
	if p.Detail != "Another account has it." || p.fields() != "username" || (*p.Errors)[0].Message != "is taken" {
		t.Errorf("got %+v", p)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", time.Hour: "3600"} {
		e := newEdge(t)
		e.provider.err = &issuer.Error{Kind: issuer.KindRateLimited, RetryAfter: wait}
		res := e.do("POST", "/api/v1/login", loginBody)
		wantProblem(t, res, 429, "rate_limited")
		if got := res.Header.Get("Retry-After"); got != want {
			t.Errorf("%v: Retry-After %s, want %s", wait, got, want)
		}
	}
}

func TestTroubleThatPassesIsUnavailable(t *testing.T) {
	for _, cause := range []error{keys.ErrStale, keys.ErrNoKey, keys.ErrSigning, issuer.ErrUnknown, context.DeadlineExceeded} {
		for _, err := range []error{cause, fmt.Errorf("x: %w", cause), &issuer.Error{Kind: issuer.KindInternal, Cause: cause}} {
			e := newEdge(t)
			e.provider.err = err
			wantProblem(t, e.do("POST", "/api/v1/login", loginBody), 503, "unavailable")
		}
	}
}

func TestErrorsWithoutAKindAreInternal(t *testing.T) {
	for _, err := range []error{errors.New("dial mongodb://root:hunter2@db"), &issuer.Error{Kind: "no_such_kind", Detail: "hunter2"}, issuer.ErrNotFound} {
		e := newEdge(t)
		e.provider.err = err
		p := wantProblem(t, e.do("POST", "/api/v1/login", loginBody), 500, "internal")
		if strings.Contains(p.Detail, "hunter2") {
			t.Errorf("the cause is told: %+v", p)
		}
	}
}

func TestACallHasADeadline(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Timeout = time.Millisecond })
	e.provider.hook = func(ctx context.Context) {
		<-ctx.Done()
		e.provider.err = ctx.Err()
	}
	wantProblem(t, e.do("POST", "/api/v1/login", loginBody), 503, "unavailable")
}

func TestACallerWhoLeftIsNoTrouble(t *testing.T) {
	e := newEdge(t)
	e.contrived = true // nobody gets the answer
	ctx, cancel := context.WithCancel(context.Background())
	e.provider.hook = func(context.Context) { cancel() }
	e.provider.err = &issuer.Error{Kind: issuer.KindUnavailable, Cause: context.Canceled}
	r, _ := http.NewRequestWithContext(ctx, "POST", "/api/v1/login", strings.NewReader(loginBody))
	r.Header.Set("Content-Type", "application/json")
	e.send(r)
	if line := e.lines()[0]; line["status"] != float64(499) || line["level"] != "info" {
		t.Errorf("logged as %v", line)
	}
}

func TestAPanicIsA500WithALogLine(t *testing.T) {
	e := newEdge(t)
	e.provider.panic = "something broke"
	p := wantProblem(t, e.do("POST", "/api/v1/login", loginBody), 500, "internal")
	if strings.Contains(p.Detail, "broke") {
		t.Error("the panic is told")
	}
	if line := e.lines()[0]; !strings.Contains(fmt.Sprint(line["error"]), "something broke\ngoroutine") || line["level"] != "error" {
		t.Errorf("logged as %v", line)
	}
}

func TestAPanicInMidAnswerCutsTheConnection(t *testing.T) {
	e := newEdge(t, func(c *Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("broke")
		})
	})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
		if line := e.lines()[0]; !strings.Contains(fmt.Sprint(line["error"]), "broke") {
			t.Errorf("logged as %v", line)
		}
	}()
	r, _ := http.NewRequest("GET", "/metrics", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost"
	e.send(r)
}
