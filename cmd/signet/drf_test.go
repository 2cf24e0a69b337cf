package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
		for path, want := range map[string]string{"/stateless": `{"id":"42"}`, "/stateful": `{"id":"42","username":"ada"}`} {
			got, body, err := drf.ask(path, "Bearer "+token)
			if err != nil || got.StatusCode != http.StatusOK || body != want {
				t.Errorf("%s: %v %v %s", path, err, got, body)
			}
		}
	}
	welcomes(access)
	if got, _, err := drf.ask("/stateful", "Bearer "+access[:len(access)-4]+"AAAA"); err != nil || got.StatusCode != http.StatusUnauthorized {
		t.Errorf("a broken token: %v %v", err, got)
	}

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
