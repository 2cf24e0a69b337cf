//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A project that was written for SimpleJWT moves here: its users by its own dump, its service by two settings, its client by one more step.

func TestSimpleJWTProject(t *testing.T) {
	t.Parallel()
	if os.Getenv("SIGNET_TEST_LONG") == "" {
		t.Skip("installs Django: SIGNET_TEST_LONG=1")
	}
	packages := pythonPackages(t, filepath.Join(examplesDir, "drf", "requirements.txt"))
	app, err := filepath.Abs("testdata/drf/simplejwt/app.py")
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, dir: t.TempDir(), environ: append(examplePolicy, "SIGNET_SIMPLEJWT_COMPAT=true")}
	s.server = serve(t, s.dir, s.environ...)
	s.client = client{base: s.server.url, secrets: &secrets{}, checked: true}
	environ := []string{"PYTHONPATH=" + packages, "PYTHONUNBUFFERED=1", "DATABASE=" + filepath.Join(s.dir, "django.db"), "ISSUER=" + s.server.issuer, "PASSWORD=" + storyPassword}

	mapsSettings(t, app, environ)
	dump := exec.Command("python3", app, "dump", filepath.Join(s.dir, "users.json"))
	dump.Env = append(os.Environ(), environ...)
	if out, err := dump.CombinedOutput(); err != nil {
		t.Fatalf("dump: %v\n%s", err, out)
	}
	if out, err := s.command("users", "import", "users.json"); err != nil {
		t.Fatalf("users import: %v\n%s", err, out)
	}
	serviceURL, _ := startProgram(t, s.dir, environ, `development server at (http://\S+)/`, "python3", app, "serve", "127.0.0.1:0")
	drf := service{serviceURL, testHTTP}

	access, refresh := s.obtain("ada@example.org")
	d := claimsOf(t, access)
	if d["sub"] != "42" || d["user_id"] != "42" || d["token_type"] != "access" {
		t.Fatalf("claims %v", d)
	}
	welcomes := func(token string) {
		t.Helper()
		for path, want := range map[string]string{"/stateless": `{"id":"42"}`, "/stateful": `{"id":"42","username":"ada"}`, "/everybody": `{"id":"42","username":"ada"}`} {
			got, body, err := drf.ask(path, "Bearer "+token)
			if err != nil || got.StatusCode != http.StatusOK || body != want {
				t.Errorf("%s: %v %v %s", path, err, got, body)
			}
		}
	}
	welcomes(access)
	f := newForger(t, s, "42")
	welcomes(f.with(nil, simpleJWTClaims))
	for _, c := range simpleJWTForgeries {
		for _, path := range []string{"/stateless", "/stateful", "/everybody"} {
			if got, _, err := drf.ask(path, "Bearer "+c.token(f)); err != nil || got.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s, %s: %v %v", path, c.name, err, got)
			}
		}
	}
	s.newcomer(drf)

	pair := s.must(s.expect(200, "POST", "/api/token/refresh/", "", map[string]any{"refresh": refresh}))
	welcomes(pair.text("access"))
	s.must(s.expect(200, "POST", "/api/token/verify/", "", map[string]any{"token": pair.text("access")}))
	s.must(s.expect(200, "POST", "/api/token/blacklist/", "", map[string]any{"refresh": pair.text("refresh")}))
	s.refusesPair(pair)

	access, refresh = s.obtain("ada@example.org")
	_, other := s.obtain("ada@example.org")
	s.must(s.expect(200, "POST", "/logout_token/", access, map[string]any{"refresh_token": other}))
	a := s.must(s.expect(200, "POST", "/logout_token/", access, map[string]any{"all": "1"}))
	if a.text("status") == "" {
		t.Errorf("logout answers %v", a.body)
	}
	for _, ended := range []string{refresh, other} {
		if a := s.must(s.expect(401, "POST", "/api/token/refresh/", "", map[string]any{"refresh": ended})); a.text("code") != "token_not_valid" {
			t.Errorf("an ended session: %v", a.body)
		}
	}
}

// simpleJWTClaims are what SimpleJWT's defaults want of a token besides RFC 9068.
var simpleJWTClaims = members{"user_id": "42", "token_type": "access"}

// simpleJWTForgeries are refused by a service with the two settings alone.
var simpleJWTForgeries = []struct {
	name  string
	token func(f *forger) string
}{
	{"expired", func(f *forger) string {
		return f.with(nil, members{"user_id": "42", "token_type": "access", "exp": time.Now().Unix() - 60})
	}},
	{"an ID token", func(f *forger) string { return f.with(members{"typ": "JWT"}, members{"user_id": "42", "nonce": "n"}) }},
	{"another token_type", func(f *forger) string { return f.with(nil, members{"user_id": "42", "token_type": "refresh"}) }},
	{"without user_id", func(f *forger) string { return f.with(nil, members{"token_type": "access"}) }},
	{"RS256", func(f *forger) string { return f.by("RS256", nil, simpleJWTClaims) }},
	{"none", func(f *forger) string { return f.altered(`{"alg":"none"}`, f.forged(), "none") }},
	{"HS256 with the public key", func(f *forger) string { return f.byPublicKey("ES256", asPEM, simpleJWTClaims) }},
	{"a stranger's key", func(f *forger) string {
		return f.sign("ES256", f.stranger, members{"kid": f.keys["ES256"].KeyID}, simpleJWTClaims)
	}},
}

// newcomer registers after the move. With a table that has numbers for ids, SimpleJWT's own class can't look for the UUID in it; the class on the page
// makes one row, which the next request finds.
func (s *story) newcomer(drf service) {
	t := s.t
	t.Helper()
	token := s.signUp("grace@example.org").text("access_token")
	var first string
	for range 2 {
		got, body, err := drf.ask("/everybody", "Bearer "+token)
		if err != nil || got.StatusCode != http.StatusOK || !strings.Contains(body, `"username":"`+subOf(t, token)+`"`) || first != "" && body != first {
			t.Fatalf("a newcomer: %v %v %s after %s", err, got, body, first)
		}
		first = body
	}
	if got, _, err := drf.ask("/stateful", "Bearer "+token); err != nil || got.StatusCode == http.StatusOK {
		t.Errorf("a newcomer is somebody to JWTAuthentication: %v %v", err, got)
	}
}

// mapsSettings holds docs/simplejwt.md to what SimpleJWT has, and to the class that is tested here.
func mapsSettings(t *testing.T, app string, environ []string) {
	t.Helper()
	list := exec.Command("python3", app, "settings")
	list.Env = append(os.Environ(), environ...)
	out, err := list.Output()
	var names []string
	if err := errors.Join(err, json.Unmarshal(out, &names)); err != nil || len(names) < 20 {
		t.Fatalf("settings: %v\n%s", err, out)
	}
	page, err := os.ReadFile(filepath.Join(top, "docs", "simplejwt.md"))
	if err != nil {
		t.Fatal(err)
	}
	var mapped strings.Builder
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 4 {
			mapped.WriteString(cells[1])
		}
	}
	for _, name := range names {
		if !strings.Contains(mapped.String(), "`"+name+"`") {
			t.Errorf("docs/simplejwt.md does not map %s", name)
		}
	}
	source, err := os.ReadFile(app)
	if err != nil {
		t.Fatal(err)
	}
	_, class, _ := strings.Cut(string(source), "\nclass ")
	class, _, _ = strings.Cut("class "+class, "\n\n\n")
	if !strings.Contains(string(page), class) {
		t.Errorf("docs/simplejwt.md does not have\n%s", class)
	}
}

// obtain goes through password, which answers as a refusal would, and code; the second time as forms do it.
func (s *story) obtain(address string) (access, refresh string) {
	t := s.t
	t.Helper()
	if a := s.must(s.expect(401, "POST", "/api/token/", "", map[string]any{"email": address, "password": "not-the-password"})); a.text("code") != "no_active_account" {
		t.Fatalf("a wrong password: %v", a.body)
	}
	seen := len(s.mailsTo(address))
	first := s.must(s.expect(401, "POST", "/api/token/", "", map[string]any{"username": "ada", "password": storyPassword}))
	if first.text("code") != "second_step_required" || first.text("challenge_id") == "" {
		t.Fatalf("the password step: %v", first.body)
	}
	code, err := s.code(address, seen)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"challenge_id": {first.text("challenge_id")}, "code": {code}}
	got, err := testHTTP.Post(s.base+"/api/token/", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	var pair struct{ Access, Refresh string }
	if err := json.NewDecoder(got.Body).Decode(&pair); err != nil || got.StatusCode != 200 || pair.Access == "" || pair.Refresh == "" {
		t.Fatalf("the code step: %d %v", got.StatusCode, err)
	}
	return pair.Access, pair.Refresh
}

func (s *story) refusesPair(pair answer) {
	s.t.Helper()
	for path, body := range map[string]map[string]any{
		"/api/token/refresh/": {"refresh": pair.text("refresh")}, "/api/token/verify/": {"token": pair.text("access")},
	} {
		if a := s.must(s.expect(401, "POST", path, "", body)); a.text("code") != "token_not_valid" {
			s.t.Errorf("%s after blacklisting: %v", path, a.body)
		}
	}
}
