package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/handlers/openapitest"
	"signet/issuer"
	"signet/keys"
)

// scripted is a Provider that answers as a test wants and remembers what it was asked.
type scripted struct {
	mu    sync.Mutex
	calls []string
	last  any                   // request of the last call
	who   issuer.Requester      // of the last call
	err   error                 // answer of every call but Authenticate and Admin
	auth  error                 // answer of Authenticate
	admin error                 // answer of Admin
	set   issuer.TokenSet       // answer of Verify and Refresh
	user  issuer.User           // of Authenticate and whatever answers a user
	claim string                // answer of VerifyToken; "" is inactive
	panic any                   // thrown by every call
	hook  func(context.Context) // runs in every call

	sessions []issuer.Session    // of the lists of sessions
	users    []issuer.User       // of ListUsers
	events   []issuer.AuditEvent // of ListAudit
	overview issuer.Overview
}

func (s *scripted) call(ctx context.Context, name string, who issuer.Requester, req any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
	s.last, s.who = req, who
	if s.hook != nil {
		s.hook(ctx)
	}
	if s.panic != nil {
		panic(s.panic)
	}
	return s.err
}

var aTicket = issuer.Ticket{ChallengeID: "chal-secret-1", ExpiresIn: 600, ResendIn: 30, CodeLength: 6, Hint: "a***@e***.org"}

func (s *scripted) Register(ctx context.Context, who issuer.Requester, r issuer.RegisterRequest) (issuer.Ticket, error) {
	return aTicket, s.call(ctx, "Register", who, r)
}

func (s *scripted) Login(ctx context.Context, who issuer.Requester, r issuer.LoginRequest) (issuer.Ticket, error) {
	return aTicket, s.call(ctx, "Login", who, r)
}

func (s *scripted) Verify(ctx context.Context, who issuer.Requester, r issuer.VerifyRequest) (issuer.TokenSet, error) {
	return s.set, s.call(ctx, "Verify", who, r)
}

func (s *scripted) Resend(ctx context.Context, who issuer.Requester, id string) (issuer.Ticket, error) {
	return aTicket, s.call(ctx, "Resend", who, id)
}

func (s *scripted) Refresh(ctx context.Context, who issuer.Requester, token string) (issuer.TokenSet, error) {
	return s.set, s.call(ctx, "Refresh", who, token)
}

func (s *scripted) VerifyToken(ctx context.Context, token string) (json.RawMessage, bool, error) {
	err := s.call(ctx, "VerifyToken", issuer.Requester{}, token)
	return json.RawMessage(s.claim), s.claim != "", err
}

func (s *scripted) Authenticate(_ context.Context, bearer string) (issuer.Principal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "Authenticate "+bearer)
	return issuer.Principal{User: s.user, Session: issuer.Session{ID: "sid-1", ClientID: "first-party"}}, s.auth
}

func (s *scripted) Logout(ctx context.Context, _ issuer.Requester, token string) error {
	return s.call(ctx, "Logout", issuer.Requester{}, token)
}

func (s *scripted) LogoutAll(ctx context.Context, _ issuer.Requester, p issuer.Principal) error {
	return s.call(ctx, "LogoutAll", issuer.Requester{}, p.User.ID)
}

func (s *scripted) UpdateMe(ctx context.Context, _ issuer.Principal, u issuer.ProfileUpdate) (issuer.User, error) {
	return s.user, s.call(ctx, "UpdateMe", issuer.Requester{}, u)
}

// ring is a KeySet.
type ring struct {
	set        *keys.PublishedSet
	err, ready error
}

func (r *ring) JWKS() (*keys.PublishedSet, error) { return r.set, r.err }
func (r *ring) Ready() error                      { return r.ready }

type pinger struct{ err error }

func (p *pinger) Ping(context.Context) error { return p.err }

type counted struct {
	mu   sync.Mutex
	seen []string
}

func (c *counted) Request(route, method string, status int, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, method+" "+route+" "+http.StatusText(status))
}

// edge is a handler under test with everything around it.
type edge struct {
	t        *testing.T
	provider *scripted
	ring     *ring
	store    *pinger
	counted  *counted
	log      *bytes.Buffer
	handler  http.Handler
	config   Config

	contrived bool // the double answers what the issuer never would: the answer is in no document
}

const (
	testIssuer = "https://id.example.org"
	testApp    = "https://app.example.org"
)

var testJWKS = &keys.PublishedSet{Body: []byte(`{"keys":[{"kty":"EC","kid":"a"}]}`), ETag: `"abc"`, CacheControl: "public, max-age=300, stale-if-error=3600"}

func newEdge(t *testing.T, change ...func(*Config)) *edge {
	e := &edge{
		t: t, ring: &ring{set: testJWKS}, store: &pinger{}, counted: &counted{}, log: &bytes.Buffer{},
		provider: &scripted{
			set:      issuer.TokenSet{AccessToken: "at.secret.1", ExpiresIn: 300, RefreshToken: "srt_secret2", RefreshExpiresIn: 1209600, Scope: "account", DeviceToken: "sdt_secret3", SID: "sid-1", UserID: "user-1"},
			user:     issuer.User{ID: "user-1", Email: "ada@example.org", EmailVerified: true, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
			sessions: []issuer.Session{aSession}, events: []issuer.AuditEvent{anEvent}, overview: anOverview,
		},
	}
	e.provider.users = []issuer.User{e.provider.user}
	e.config = Config{
		Issuer: testIssuer, Provider: e.provider, Keys: e.ring, Store: e.store, Observer: e.counted, Log: zerolog.New(zerolog.SyncWriter(e.log)).With().Timestamp().Logger(),
		AllowedOrigins: []string{testApp}, Timeout: 5 * time.Second,
	}
	for _, f := range change {
		f(&e.config)
	}
	e.handler = New(e.config)
	return e
}

// do sends a request with a JSON body, unless it is "", and headers as name, value pairs.
func (e *edge) do(method, target, body string, headers ...string) *http.Response {
	e.t.Helper()
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, b)
	r.Host = "id.example.org"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return e.send(r)
}

func (e *edge) send(r *http.Request) *http.Response {
	e.t.Helper()
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	if w.Header().Get("X-Request-Id") == "" {
		e.t.Errorf("%s %s: no X-Request-Id", r.Method, r.URL.Path)
	}
	if !e.contrived {
		if err := openapitest.Check(r, w.Code, w.Header(), w.Body.Bytes()); err != nil {
			e.t.Error(err)
		}
	}
	return w.Result()
}

// wireProblem is a problem as a client reads it.
type wireProblem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Code       string `json:"code"`
	Detail     string `json:"detail"`
	RequestID  string `json:"request_id"`
	Errors     *[]struct{ Field, Message string }
	RetryAfter int64 `json:"retry_after"`
}

func (p wireProblem) fields() string {
	if p.Errors == nil {
		return ""
	}
	var names []string
	for _, e := range *p.Errors {
		names = append(names, e.Field)
	}
	return strings.Join(names, " ")
}

// wantProblem checks everything that every problem has, and its status and code.
func wantProblem(t *testing.T, res *http.Response, status int, code string) wireProblem {
	t.Helper()
	b, _ := io.ReadAll(res.Body)
	var p wireProblem
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatalf("%d, body %q: %v", res.StatusCode, b, err)
	}
	if res.StatusCode != status || p.Status != status || p.Code != code {
		t.Errorf("got %d, want %d %s: %s", res.StatusCode, status, code, b)
	}
	if p.Type != "urn:signet:problem:"+code || p.Title == "" || p.Detail == "" || p.RequestID != res.Header.Get("X-Request-Id") {
		t.Errorf("incomplete problem: %s", b)
	}
	if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type %q", ct)
	}
	if cc := res.Header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control %q of a problem", cc)
	}
	if (p.Errors != nil) != (code == "invalid_request" || code == "conflict") {
		t.Errorf("errors of %s: %s", code, b)
	}
	if waits := status == 429 || status == 503; waits != (p.RetryAfter > 0) || waits != (res.Header.Get("Retry-After") != "") {
		t.Errorf("retry_after of %d: %s, header %q", status, b, res.Header.Get("Retry-After"))
	}
	if (status == 401) && !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("a 401 without a challenge: %v", res.Header)
	}
	return p
}

// decoded reads a JSON answer of a status.
func decoded(t *testing.T, res *http.Response, status int) map[string]any {
	t.Helper()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != status {
		t.Fatalf("got %d, want %d: %s", res.StatusCode, status, b)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return m
}

// lines are the log so far, one object a line.
func (e *edge) lines() []map[string]any {
	e.t.Helper()
	var all []map[string]any
	d := json.NewDecoder(bytes.NewReader(e.log.Bytes()))
	for {
		var m map[string]any
		if err := d.Decode(&m); err == io.EOF {
			return all
		} else if err != nil {
			e.t.Fatalf("the log is not JSON: %v", err)
		}
		all = append(all, m)
	}
}
