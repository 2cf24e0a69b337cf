package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/keys"
	"signet/repository/mongodb/mongotest"
)

// The whole story, with the real program, over the network: a newcomer registers, holds tokens, strangers verify them, keys rotate, sessions end, the
// server restarts.

// A lifecycle of seconds that the inequalities allow: I1 is 6s >= Q 2s + A 1s + E 0s + P 500ms + 2S 1s.
var quickPolicy = []string{
	"SIGNET_KEY_POLL=500ms", "SIGNET_CLOCK_SKEW=500ms", "SIGNET_JWKS_MAX_AGE=1s", "SIGNET_KEY_PUBLISH_AHEAD=6s",
}

const (
	storyGrace    = 3 * time.Second
	storyAhead    = 6 * time.Second
	storyPassword = "violet-otter-plays-cello"
)

func TestStory(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		tellStory(t, t.TempDir(), nil)
	})
	t.Run("MongoDB", func(t *testing.T) {
		t.Parallel()
		uri := mongotest.URI(t)
		dir := t.TempDir()
		kek := filepath.Join(dir, "kek")
		if err := keys.CreateKEKFile(kek); err != nil {
			t.Fatal(err)
		}
		tellStory(t, dir, []string{"SIGNET_MONGODB_URI=" + uri, "SIGNET_KEK_FILE=" + kek})
	})
}

// story is what the chapters share.
type story struct {
	t       *testing.T
	dir     string
	environ []string
	server  *process
	client
}

func tellStory(t *testing.T, dir string, environ []string) {
	environ = append(slices.Clone(quickPolicy), append(environ, "SIGNET_REFRESH_GRACE="+storyGrace.String(), "SIGNET_RESEND_AFTER=0s")...)
	s := &story{t: t, dir: dir, environ: environ}
	s.server = serve(t, dir, environ...)
	s.client = client{base: s.server.url, secrets: &secrets{}, checked: true}
	t.Logf("issuer %s", s.server.issuer)
	watching := strangers(t, s.server.issuer)

	first := s.signUp("ada@example.org")
	s.knowsMe(first, "ada@example.org")
	oldToken := first.text("access_token")
	each(t, watching, "a first token", func(t *testing.T, v verifier) { verifiedBy(t, v, oldToken) })

	thief := s.signIn("ada@example.org")
	supersededAt := time.Now()
	thiefNext := s.refresh(thief)

	first = s.refreshAtOnce(first)
	first = s.refreshInChains(first)

	newToken := s.rotate(&first, oldToken)
	each(t, watching, "tokens from before and after a rotation", func(t *testing.T, v verifier) {
		verifiedBy(t, v, oldToken)
		verifiedBy(t, v, newToken)
		if _, _, err := v.verify(newToken[:len(newToken)-4] + "AAAA"); err == nil {
			t.Error("a broken signature is taken")
		}
	})

	s.theft(thief, thiefNext, supersededAt)
	kept := s.logout(first)
	log := s.server.log.String()
	s.restart(first, kept)
	s.noSecretsIn(log + s.server.log.String())
}

// must ends the test at an error.
func (s *story) must(a answer, err error) answer {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *story) signUp(address string) answer {
	s.t.Helper()
	return s.must(s.register(address, storyPassword))
}

// signIn goes through password and code of an account that is there.
func (s *story) signIn(address string) answer {
	s.t.Helper()
	seen := len(s.mailsTo(address))
	challenge := s.must(s.expect(200, "POST", "/api/v1/login", "", map[string]any{"email": address, "password": storyPassword}))
	code, err := s.code(address, seen)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.must(s.expect(200, "POST", "/api/v1/login/verify", "", map[string]any{"challenge_id": challenge.text("challenge_id"), "code": code}))
}

type mailed struct{ To, Subject, Text, Code string }

func (s *story) mailsTo(address string) []mailed {
	s.t.Helper()
	got, err := testHTTP.Get(s.base + "/dev/mailbox")
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	var list []mailed
	if err := json.NewDecoder(got.Body).Decode(&list); err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(m mailed) bool { return m.To != address })
}

func (s *story) knowsMe(tokens answer, address string) {
	s.t.Helper()
	me := s.must(s.expect(200, "GET", "/api/v1/me", tokens.text("access_token"), nil))
	if me.text("email") != address || me.body["email_verified"] != true {
		s.t.Fatalf("me is %v", me.body)
	}
	s.must(s.expect(401, "GET", "/api/v1/me", "", nil))
}

func (s *story) refreshToken(token string) (answer, error) {
	return s.call("POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": token})
}

func (s *story) refresh(tokens answer) answer {
	s.t.Helper()
	a := s.must(s.refreshToken(tokens.text("refresh_token")))
	if a.status != 200 {
		s.t.Fatalf("refresh: %d %v", a.status, a.body)
	}
	return a
}

// refreshAtOnce presents one token many times at the same moment: everybody gets the same next one, because it is rotated once.
func (s *story) refreshAtOnce(tokens answer) answer {
	s.t.Helper()
	const callers = 16
	answers := make([]answer, callers)
	errs := make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() { answers[i], errs[i] = s.refreshToken(tokens.text("refresh_token")) })
	}
	all.Wait()
	next := map[string]bool{}
	for i, a := range answers {
		if errs[i] != nil || a.status != 200 {
			s.t.Fatalf("caller %d: %v %d %v", i, errs[i], a.status, a.body)
		}
		next[a.text("refresh_token")] = true
	}
	if len(next) != 1 || next[tokens.text("refresh_token")] {
		s.t.Fatalf("%d different refresh tokens from one", len(next))
	}
	return answers[0]
}

// refreshInChains follows the tokens one after the other, and inside the grace a late caller is given the current one.
func (s *story) refreshInChains(tokens answer) answer {
	s.t.Helper()
	seen := map[string]bool{tokens.text("refresh_token"): true}
	current := tokens
	for range 5 {
		late := current
		current = s.refresh(current)
		if token := current.text("refresh_token"); seen[token] {
			s.t.Fatal("a refresh token came twice")
		} else {
			seen[token] = true
		}
		if got := s.refresh(late).text("refresh_token"); got != current.text("refresh_token") {
			s.t.Fatal("a late caller inside the grace was not given the current token")
		}
	}
	return current
}

// rotate waits until the standby key may sign, commands the rotation from the command line, and returns the first token by the new key.
func (s *story) rotate(tokens *answer, oldToken string) string {
	t := s.t
	t.Helper()
	oldKey := kidOf(t, oldToken)
	out, err := s.command("keys", "rotate", "--alg", "ES256", "--json")
	if err != nil {
		t.Fatalf("keys rotate: %v", err)
	}
	var changes []struct {
		Change, Kid string
		At          time.Time
	}
	if err := json.Unmarshal([]byte(out), &changes); err != nil || len(changes) == 0 {
		t.Fatalf("keys rotate: %v in %s", err, out)
	}
	var token string
	waitFor(t, "a token by another key", storyAhead+startTime, func() bool {
		*tokens = s.refresh(*tokens)
		token = tokens.text("access_token")
		return kidOf(t, token) != oldKey
	})
	published, err := s.jwks()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(published, oldKey) || !slices.Contains(published, kidOf(t, token)) {
		t.Fatalf("the JWKS %v lacks the key from before (%s) or after (%s)", published, oldKey, kidOf(t, token))
	}
	return token
}

// theft: a superseded token that comes back after the grace ends the session, for whoever holds its current token as well, and its owner is told.
func (s *story) theft(stolen, current answer, superseded time.Time) {
	t := s.t
	t.Helper()
	time.Sleep(time.Until(superseded.Add(storyGrace + 2*time.Second)))
	a := s.must(s.refreshToken(stolen.text("refresh_token")))
	if a.status != 401 || a.text("code") != "token_reused" {
		t.Fatalf("a stolen token: %d %v", a.status, a.body)
	}
	a = s.must(s.refreshToken(current.text("refresh_token")))
	if a.status != 401 || a.text("code") != "session_revoked" {
		t.Fatalf("the session after the theft: %d %v", a.status, a.body)
	}
	s.inactive(current.text("access_token"))
	waitFor(t, "the notice of the theft", mailTime, func() bool {
		return slices.ContainsFunc(s.mailsTo("ada@example.org"), func(m mailed) bool { return m.Code == "" })
	})
}

func (s *story) inactive(token string) {
	s.t.Helper()
	if a := s.must(s.expect(200, "POST", "/api/v1/token/verify", "", map[string]any{"token": token})); a.body["active"] != false || len(a.body) != 1 {
		s.t.Fatalf("a token of an ended session: %v", a.body)
	}
}

// logout ends one session and leaves the other, which it returns.
func (s *story) logout(ending answer) answer {
	s.t.Helper()
	kept := s.signIn("ada@example.org")
	token := map[string]any{"refresh_token": ending.text("refresh_token")}
	s.must(s.expect(http.StatusNoContent, "POST", "/api/v1/logout", "", token))
	s.must(s.expect(http.StatusNoContent, "POST", "/api/v1/logout", "", token))
	s.refusedAfterLogout(ending)
	s.knowsMe(kept, "ada@example.org")
	return kept
}

func (s *story) refusedAfterLogout(ended answer) {
	s.t.Helper()
	if a := s.must(s.refreshToken(ended.text("refresh_token"))); a.status != 401 || a.text("code") != "session_revoked" {
		s.t.Fatalf("refresh after logout: %d %v", a.status, a.body)
	}
	s.must(s.expect(401, "GET", "/api/v1/me", ended.text("access_token"), nil))
	s.inactive(ended.text("access_token"))
}

// restart: what was true before a clean stop is true after a start on the same data and the same address.
func (s *story) restart(ended, kept answer) {
	t := s.t
	t.Helper()
	before, err := s.jwks()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.stop(); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.server.url)
	if err != nil {
		t.Fatal(err)
	}
	s.server = serveAt(t, s.dir, net.JoinHostPort("127.0.0.1", u.Port()), s.environ...)
	after, err := s.jwks()
	if err != nil {
		t.Fatal(err)
	}
	for _, kid := range before {
		if !slices.Contains(after, kid) {
			t.Errorf("key %s is gone after a restart", kid)
		}
	}
	s.refusedAfterLogout(ended)
	s.knowsMe(kept, "ada@example.org")
	s.knowsMe(s.refresh(kept), "ada@example.org")
	s.signIn("ada@example.org")
	if err := s.server.stop(); err != nil {
		t.Fatal(err)
	}
}

// noSecretsIn looks for what must never be in a log: the password, and every code and token that this story has seen.
func (s *story) noSecretsIn(log string) {
	s.t.Helper()
	if !strings.Contains(log, `"event":"login_verify"`) || !strings.Contains(log, `"sub":"`) {
		s.t.Error("the log lacks the story")
	}
	for _, secret := range append(s.seen(), storyPassword) {
		if strings.Contains(log, secret) {
			s.t.Errorf("the log holds %q", secret)
		}
	}
}

// command runs signet beside the server, with its settings.
func (s *story) command(args ...string) (string, error) {
	cmd := exec.Command("signet", args...)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Environ(), s.environ...)
	out, err := cmd.Output()
	return string(out), err
}

// jwks is the kids of the published set.
func (s *story) jwks() ([]string, error) {
	a, err := s.expect(200, "GET", "/.well-known/jwks.json", "", nil)
	if err != nil {
		return nil, err
	}
	list, _ := a.body["keys"].([]any)
	var kids []string
	for _, k := range list {
		key, _ := k.(map[string]any)
		kids = append(kids, fmt.Sprint(key["kid"]))
	}
	return kids, nil
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	d, err := decodeToken(token)
	if err != nil {
		t.Fatal(err)
	}
	kid, _ := d.Header["kid"].(string)
	return kid
}

// verifiedBy wants the token found good, by the key that it names.
func verifiedBy(t *testing.T, v verifier, token string) {
	t.Helper()
	kid, sub, err := v.verify(token)
	if err != nil {
		t.Errorf("refused: %v", err)
		return
	}
	if kid != kidOf(t, token) || sub == "" {
		t.Errorf("verified by %q for %q, but it names %q", kid, sub, kidOf(t, token))
	}
}
