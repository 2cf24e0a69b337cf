//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// The services of deploy/examples: each is started as its README says, beside the real program, and answers every kind of token that it may meet.

const exampleAudience = "https://api.example.com"

// A lifecycle of seconds that leaves the services 3.5s of cache beyond the headers: I1 is 8s >= Q 2s + A 1s + E 0s + P 500ms + 2S 1s + V. They are
// told to keep the keys for 1s.
var examplePolicy = []string{
	"SIGNET_KEY_POLL=500ms", "SIGNET_CLOCK_SKEW=500ms", "SIGNET_JWKS_MAX_AGE=1s", "SIGNET_KEY_PUBLISH_AHEAD=8s", "SIGNET_RESEND_AFTER=0s",
	"SIGNET_AUDIENCE=" + exampleAudience,
}

const exampleAhead = 8 * time.Second

// example is a service: what it takes, and how it is started for an issuer, with keys kept for a second.
type example struct {
	name  string
	algs  []string
	start func(t *testing.T, issuer string) service
}

var examples = []example{
	{"go", []string{"ES256", "RS256"}, startGoExample},
	{"express", []string{"ES256", "RS256"}, startExpressExample},
	{"drf", []string{"ES256"}, startDRFExample},
	{"fastapi", []string{"ES256", "RS256"}, startFastAPIExample},
	{"spring", []string{"ES256", "RS256"}, startSpringExample},
	{"nginx", []string{"ES256", "RS256"}, startNginxExample},
	{"haproxy", []string{"ES256", "RS256"}, startHAProxyExample},
}

func TestExamples(t *testing.T) {
	t.Parallel()
	if os.Getenv("SIGNET_TEST_LONG") == "" {
		t.Skip("starts seven services: SIGNET_TEST_LONG=1")
	}
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := &story{t: t, dir: t.TempDir(), environ: examplePolicy}
			s.server = serve(t, s.dir, s.environ...)
			s.client = client{base: s.server.url, secrets: &secrets{}}
			session := s.signInWithRole("grace@example.org", "analyst")
			x := &exampleRun{story: s, example: e, service: e.start(t, s.server.issuer), session: session}
			x.cases()
			x.rotate()
			x.rotate()
			x.revoke()
		})
	}
}

// exampleRun is one service beside one issuer.
type exampleRun struct {
	*story
	example
	service
	session answer
}

// service is where a started example is reached.
type service struct {
	url  string
	http *http.Client
}

// ask sends a GET with what a caller would like the service behind a gateway to believe.
func (s service) ask(path, authorization string) (*http.Response, string, error) {
	request, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("X-User-Id", "root")
	request.Header.Set("X-Scope", "account admin")
	request.Header.Set("X-Roles", "analyst")
	request.Header["X_User_Id"] = []string{"root"} // which CGI and WSGI can't tell from the one above
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	got, err := s.http.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return got, string(body), err
}

// signInWithRole makes an account on the command line, which has a role, and signs in.
func (s *story) signInWithRole(address, role string) answer {
	s.t.Helper()
	cmd := exec.Command("signet", "users", "create", "--email", address, "--role", role, "--verified", "--password-stdin")
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.environ...)
	cmd.Stdin = strings.NewReader(storyPassword + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("users create: %v\n%s", err, out)
	}
	return s.signIn(address)
}

// takes wants an answer for who the token is for.
func (x *exampleRun) takes(path, token, sub string) error {
	got, body, err := x.ask(path, "Bearer "+token)
	switch {
	case err != nil:
		return err
	case got.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s %q", path, got.Status, got.Header.Get("WWW-Authenticate"))
	case !strings.Contains(body, `"`+sub+`"`):
		return fmt.Errorf("%s: answers %s, which lacks %s", path, body, sub)
	}
	return nil
}

// rotate commands a rotation, and asks with a fresh token many times a second until one is by the next key. The service takes every one of them, and
// afterwards those by the key before too.
func (x *exampleRun) rotate() {
	x.t.Helper()
	before := x.session.text("access_token")
	old := kidOf(x.t, before)
	if _, err := x.command("keys", "rotate", "--alg", "ES256"); err != nil {
		x.t.Fatalf("keys rotate: %v", err)
	}
	waitFor(x.t, "a token by the next key", exampleAhead+startTime, func() bool {
		x.session = x.refresh(x.session)
		token := x.session.text("access_token")
		if err := x.takes("/reports", token, subOf(x.t, token)); err != nil {
			x.t.Fatalf("a token by %s while %s is replaced: %v", kidOf(x.t, token), old, err)
		}
		return kidOf(x.t, token) != old
	})
	if err := x.takes("/reports", before, subOf(x.t, before)); err != nil {
		x.t.Errorf("a token by the key before: %v", err)
	}
}

// revoke takes the signing key out. Its tokens are refused once the service has dropped what it kept, and those by the key that took over are taken.
func (x *exampleRun) revoke() {
	x.t.Helper()
	x.session = x.refresh(x.session)
	revoked := x.session.text("access_token")
	kid := kidOf(x.t, revoked)
	if err := x.takes("/me", revoked, subOf(x.t, revoked)); err != nil {
		x.t.Fatal(err)
	}
	if _, err := x.command("keys", "revoke", kid, "--yes"); err != nil {
		x.t.Fatalf("keys revoke: %v", err)
	}
	waitFor(x.t, "the revoked key out of the cache", startTime, func() bool {
		got, _, err := x.ask("/me", "Bearer "+revoked)
		if err != nil {
			x.t.Fatal(err)
		}
		return got.StatusCode == http.StatusUnauthorized
	})
	waitFor(x.t, "a token by another key", startTime, func() bool {
		x.session = x.refresh(x.session)
		return kidOf(x.t, x.session.text("access_token")) != kid
	})
	token := x.session.text("access_token")
	if err := x.takes("/me", token, subOf(x.t, token)); err != nil {
		x.t.Errorf("a token by the key that took over: %v", err)
	}
}

func subOf(t *testing.T, token string) string {
	t.Helper()
	d, err := decodeToken(token)
	if err != nil {
		t.Fatal(err)
	}
	sub, _ := d.Claims["sub"].(string)
	return sub
}

// cases puts every kind of token to the service.
func (x *exampleRun) cases() {
	real := x.session.text("access_token")
	f := newForger(x.t, x.story, subOf(x.t, real))
	for _, c := range exampleCases {
		token := c.token(f)
		want := c.want
		if alg, only := strings.CutPrefix(c.name, "a good one by "); only && !slices.Contains(x.algs, alg) {
			want = http.StatusUnauthorized
		}
		if err := x.answers(c.path, token, f.sub, want); err != nil {
			x.t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Basic Z3JhY2U6eA==", "Bearer x", "Bearer a.b.c", "Bearer " + real + " " + real, real} {
		got, _, err := x.ask("/me", authorization)
		if err != nil || got.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
			x.t.Errorf("Authorization %q: %v %v", authorization, got, err)
		}
	}
	if got, body, err := x.ask("/public", ""); err != nil || got.StatusCode != http.StatusOK || strings.Contains(body, "root") {
		x.t.Errorf("/public: %v %v %s", got, err, body)
	}
	for _, path := range []string{"/me", "/reports"} {
		if err := x.takes(path, real, f.sub); err != nil {
			x.t.Errorf("what the issuer signed: %v", err)
		}
	}
}

// answers asks with a token. A 401 has a challenge; a 200 is for whom the token is for, whatever else the caller says of itself.
func (x *exampleRun) answers(path, token, sub string, want int) error {
	got, body, err := x.ask(path, "Bearer "+token)
	switch {
	case err != nil:
		return err
	case got.StatusCode != want:
		return fmt.Errorf("%s answers %s, want %d: %s", path, got.Status, want, body)
	case want == http.StatusUnauthorized && !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer"):
		return errors.New("no challenge")
	case want == http.StatusOK && (!strings.Contains(body, `"`+sub+`"`) || strings.Contains(body, "root")):
		return fmt.Errorf("%s is for somebody else: %s", path, body)
	}
	return nil
}
