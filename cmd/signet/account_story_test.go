package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signet/keys"
	"signet/repository/mongodb/mongotest"
)

// The account's story, with the real program, on both stores: sessions, username, password changed and forgotten, address, step-up, an administrator's
// acts, the end of the account, and what the audit log says of it all.

func TestAccountStory(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		tellAccountStory(t, t.TempDir(), nil)
	})
	t.Run("MongoDB", func(t *testing.T) {
		t.Parallel()
		uri := mongotest.URI(t)
		dir := t.TempDir()
		kek := filepath.Join(dir, "kek")
		if err := keys.CreateKEKFile(kek); err != nil {
			t.Fatal(err)
		}
		tellAccountStory(t, dir, []string{"SIGNET_MONGODB_URI=" + uri, "SIGNET_KEK_FILE=" + kek})
	})
}

// accountStory is a person whose account changes as the story goes on.
type accountStory struct {
	*story
	address, password string
	tokens            answer
}

func tellAccountStory(t *testing.T, dir string, environ []string) {
	environ = append(slices.Clone(quickPolicy), append(environ, "SIGNET_RESEND_AFTER=0s")...)
	s := &accountStory{story: &story{t: t, dir: dir, environ: environ}, address: "grace@example.org", password: storyPassword}
	s.server = serve(t, dir, environ...)
	s.client = client{base: s.server.url, secrets: &secrets{}, checked: true}
	s.tokens = s.signUp(s.address)

	s.endsOneSession()
	s.takesAUsername()
	s.changesThePassword()
	s.forgetsThePassword()
	s.changesTheAddress()
	s.stepsUp()
	s.isAdministered()
	sub := s.me().text("id")
	s.leaves()
	s.audited(sub)
	s.noSecretsIn(s.server.log.String())
}

func (s *accountStory) access() string { return s.tokens.text("access_token") }

func (s *accountStory) me() answer {
	s.t.Helper()
	return s.must(s.expect(200, "GET", "/api/v1/me", s.access(), nil))
}

// challenge makes a call that mails a code to the address, and returns what proves it.
func (s *accountStory) challenge(status int, path, bearer string, body map[string]any, address string) map[string]any {
	s.t.Helper()
	seen := len(s.mailsTo(address))
	c := s.must(s.expect(status, "POST", path, bearer, body))
	code, err := s.code(address, seen)
	if err != nil {
		s.t.Fatal(err)
	}
	return map[string]any{"challenge_id": c.text("challenge_id"), "code": code}
}

// in signs in with what the person knows now.
func (s *accountStory) in() answer {
	s.t.Helper()
	proof := s.challenge(200, "/api/v1/login", "", map[string]any{"email": s.address, "password": s.password}, s.address)
	return s.must(s.expect(200, "POST", "/api/v1/login/verify", "", proof))
}

// wrong wants a status and a code.
func (s *accountStory) wrong(status int, code, method, path, bearer string, body any) {
	s.t.Helper()
	if a := s.must(s.expect(status, method, path, bearer, body)); a.text("code") != code {
		s.t.Fatalf("%s %s: %v, want %s", method, path, a.body, code)
	}
}

func (s *accountStory) ended(tokens answer) {
	s.t.Helper()
	if a := s.must(s.refreshToken(tokens.text("refresh_token"))); a.status != 401 || a.text("code") != "session_revoked" {
		s.t.Fatalf("a session that was ended: %d %v", a.status, a.body)
	}
	s.inactive(tokens.text("access_token"))
}

func (s *accountStory) sessions() []map[string]any {
	s.t.Helper()
	return itemsOf(s.t, s.must(s.expect(200, "GET", "/api/v1/me/sessions", s.access(), nil)))
}

func itemsOf(t *testing.T, page answer) []map[string]any {
	t.Helper()
	list, ok := page.body["items"].([]any)
	if _, has := page.body["next_cursor"]; !ok || !has {
		t.Fatalf("not a page: %v", page.body)
	}
	var items []map[string]any
	for _, one := range list {
		item, _ := one.(map[string]any)
		items = append(items, item)
	}
	return items
}

func (s *accountStory) endsOneSession() {
	t := s.t
	t.Helper()
	other := s.in()
	list := s.sessions()
	if len(list) != 2 || list[0]["current"] != true || list[1]["current"] != false {
		t.Fatalf("sessions are %v", list)
	}
	sid, _ := list[1]["sid"].(string)
	s.must(s.expect(http.StatusNoContent, "DELETE", "/api/v1/me/sessions/"+sid, s.access(), nil))
	s.ended(other)
	if list := s.sessions(); len(list) != 1 {
		t.Fatalf("after one was ended: %v", list)
	}
	s.wrong(404, "not_found", "DELETE", "/api/v1/me/sessions/nobodys-session-000", s.access(), nil)
}

func (s *accountStory) takesAUsername() {
	s.t.Helper()
	s.must(s.expect(200, "PATCH", "/api/v1/me", s.access(), map[string]any{"username": "Grace.H"}))
	proof := s.challenge(200, "/api/v1/login", "", map[string]any{"username": "grace.h", "password": s.password}, s.address)
	s.must(s.expect(200, "POST", "/api/v1/login/verify", "", proof))
}

func (s *accountStory) changesThePassword() {
	t := s.t
	t.Helper()
	other := s.in()
	const next = "cello-plays-violet-otter"
	s.wrong(401, "invalid_credentials", "POST", "/api/v1/me/password", s.access(), map[string]any{"current_password": "not-the-password", "new_password": next})
	s.wrong(400, "weak_password", "POST", "/api/v1/me/password", s.access(), map[string]any{"current_password": s.password, "new_password": "password123"})
	seen := len(s.mailsTo(s.address))
	s.must(s.expect(http.StatusNoContent, "POST", "/api/v1/me/password", s.access(), map[string]any{"current_password": s.password, "new_password": next}))
	s.ended(other)
	s.me()
	s.tokens = s.refresh(s.tokens)
	s.wrong(401, "invalid_credentials", "POST", "/api/v1/login", "", map[string]any{"email": s.address, "password": s.password})
	s.password = next
	waitFor(t, "the notice of a new password", mailTime, func() bool { return len(s.mailsTo(s.address)) > seen })
}

func (s *accountStory) forgetsThePassword() {
	t := s.t
	t.Helper()
	s.secrets.add(s.password)
	unknown := s.must(s.expect(http.StatusAccepted, "POST", "/api/v1/password/forgot", "", map[string]any{"email": "nobody@example.org"}))
	if unknown.body["code_length"] != 8.0 || unknown.text("challenge_id") == "" {
		t.Fatalf("an unknown address: %v", unknown.body)
	}
	const next = "otter-cello-violet-plays"
	proof := s.challenge(http.StatusAccepted, "/api/v1/password/forgot", "", map[string]any{"email": s.address}, s.address)
	proof["new_password"] = next
	s.must(s.expect(http.StatusNoContent, "POST", "/api/v1/password/reset", "", proof))
	s.ended(s.tokens)
	s.wrong(401, "challenge_expired", "POST", "/api/v1/password/reset", "", proof)
	s.password = next
	s.secrets.add(next)
	s.tokens = s.in()
	if mails := s.mailsTo("nobody@example.org"); len(mails) != 0 {
		t.Errorf("an unknown address was mailed: %v", mails)
	}
}

func (s *accountStory) changesTheAddress() {
	t := s.t
	t.Helper()
	const next = "hopper@example.org"
	seen := len(s.mailsTo(s.address))
	proof := s.challenge(http.StatusAccepted, "/api/v1/me/email", s.access(), map[string]any{"new_email": next, "password": s.password}, next)
	waitFor(t, "the notice at the old address", mailTime, func() bool {
		mails := s.mailsTo(s.address)
		return len(mails) > seen && mails[0].Code == ""
	})
	if me := s.must(s.expect(200, "POST", "/api/v1/me/email/verify", s.access(), proof)); me.text("email") != next || me.body["email_verified"] != true {
		t.Fatalf("after the change: %v", me.body)
	}
	s.wrong(401, "invalid_credentials", "POST", "/api/v1/login", "", map[string]any{"email": s.address, "password": s.password})
	s.address = next
	s.in()
}

func (s *accountStory) stepsUp() {
	s.t.Helper()
	s.wrong(401, "invalid_credentials", "POST", "/api/v1/step-up", s.access(), map[string]any{"password": "not-the-password"})
	proof := s.challenge(200, "/api/v1/step-up", s.access(), map[string]any{"password": s.password}, s.address)
	before := s.tokens
	s.tokens = s.must(s.expect(200, "POST", "/api/v1/step-up/verify", s.access(), proof))
	was, is := claimsOf(s.t, before.text("access_token")), claimsOf(s.t, s.access())
	if was["sid"] != is["sid"] || fmt.Sprint(is["auth_time"]) < fmt.Sprint(was["auth_time"]) {
		s.t.Fatalf("stepped up from %v to %v", was, is)
	}
	s.tokens = s.refresh(s.tokens)
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	d, err := decodeToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return d.Claims
}

// admin makes the first administrator at the command line and signs it in.
func (s *accountStory) admin() answer {
	t := s.t
	t.Helper()
	const address = "root@example.org"
	out, err := s.command("users", "create", "--email", address, "--role", "admin", "--generate-password", "--if-missing", "--json")
	if err != nil {
		t.Fatalf("users create: %v", err)
	}
	var made struct{ ID, Password string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Password == "" {
		t.Fatalf("users create: %v in %s", err, out)
	}
	s.secrets.add(made.Password)
	proof := s.challenge(200, "/api/v1/login", "", map[string]any{"email": address, "password": made.Password}, address)
	tokens := s.must(s.expect(200, "POST", "/api/v1/login/verify", "", proof))
	if scope := tokens.text("scope"); scope != "account admin" {
		t.Fatalf("an administrator is granted %q", scope)
	}
	return tokens
}

func (s *accountStory) isAdministered() {
	t := s.t
	t.Helper()
	root := s.admin()
	by := root.text("access_token")
	s.wrong(403, "forbidden", "GET", "/api/v1/admin/users", s.access(), nil)
	found := itemsOf(t, s.must(s.expect(200, "GET", "/api/v1/admin/users?q=HOPPER", by, nil)))
	if len(found) != 1 || found[0]["email"] != s.address {
		t.Fatalf("searched: %v", found)
	}
	sub, _ := found[0]["id"].(string)
	path := "/api/v1/admin/users/" + sub

	s.must(s.expect(200, "PATCH", path, by, map[string]any{"roles": []string{"analyst"}}))
	s.tokens = s.refresh(s.tokens)
	if roles, _ := claimsOf(t, s.access())["roles"].([]any); len(roles) != 1 || roles[0] != "analyst" {
		t.Fatalf("the next token has the roles %v", roles)
	}

	s.must(s.expect(http.StatusNoContent, "POST", path+"/logout", by, nil))
	s.ended(s.tokens)
	s.tokens = s.in()

	if a := s.must(s.expect(200, "PATCH", path, by, map[string]any{"disabled": true})); a.body["disabled"] != true {
		t.Fatalf("disabled: %v", a.body)
	}
	s.ended(s.tokens)
	s.wrong(401, "invalid_credentials", "POST", "/api/v1/login", "", map[string]any{"email": s.address, "password": s.password})
	s.must(s.expect(200, "PATCH", path, by, map[string]any{"disabled": false}))
	s.tokens = s.in()

	s.must(s.expect(http.StatusNoContent, "POST", path+"/password-reset", by, nil))
	s.ended(s.tokens)
	s.wrong(403, "password_reset_required", "POST", "/api/v1/login", "", map[string]any{"email": s.address, "password": s.password})
	proof := s.challenge(http.StatusAccepted, "/api/v1/password/forgot", "", map[string]any{"email": s.address}, s.address)
	s.password = "plays-otter-violet-cello"
	s.secrets.add(s.password)
	proof["new_password"] = s.password
	s.must(s.expect(http.StatusNoContent, "POST", "/api/v1/password/reset", "", proof))
	s.tokens = s.in()

	s.invited(by)
	for _, state := range []string{"outstanding", "revoked"} {
		if list := itemsOf(t, s.must(s.expect(200, "GET", "/api/v1/admin/sessions?state="+state+"&user_id="+sub, by, nil))); len(list) == 0 {
			t.Errorf("no %s sessions are listed", state)
		}
	}
	stats := s.must(s.expect(200, "GET", "/api/v1/admin/stats", by, nil))
	if users, _ := stats.body["users"].(map[string]any); users["active"] != 2.0 && users["active"] != 3.0 {
		t.Errorf("stats: %v", stats.body)
	}
	s.wrong(403, "forbidden", "PATCH", "/api/v1/admin/users/"+claimsOf(t, by)["sub"].(string), by, map[string]any{"disabled": true})
}

// invited: an account that an administrator makes is mailed about, gets its password by its mailbox, and goes again.
func (s *accountStory) invited(by string) {
	t := s.t
	t.Helper()
	const address = "barbara@example.org"
	made := s.must(s.expect(201, "POST", "/api/v1/admin/users", by, map[string]any{"email": address, "given_name": "Barbara", "invite": true}))
	s.wrong(409, "conflict", "POST", "/api/v1/admin/users", by, map[string]any{"email": address})
	waitFor(t, "the invitation", mailTime, func() bool { return len(s.mailsTo(address)) == 1 })
	proof := s.challenge(http.StatusAccepted, "/api/v1/password/forgot", "", map[string]any{"email": address}, address)
	proof["new_password"] = storyPassword
	s.must(s.expect(http.StatusNoContent, "POST", "/api/v1/password/reset", "", proof))
	in := s.challenge(200, "/api/v1/login", "", map[string]any{"email": address, "password": storyPassword}, address)
	tokens := s.must(s.expect(200, "POST", "/api/v1/login/verify", "", in))
	path := "/api/v1/admin/users/" + made.text("id")
	s.must(s.expect(http.StatusNoContent, "DELETE", path, by, nil))
	s.ended(tokens)
	s.wrong(404, "not_found", "GET", path, by, nil)
}

// leaves: the account goes, its address comes free, and whoever takes it is another subject.
func (s *accountStory) leaves() {
	t := s.t
	t.Helper()
	sub := s.me().text("id")
	s.wrong(401, "invalid_credentials", "DELETE", "/api/v1/me", s.access(), map[string]any{"password": "not-the-password"})
	s.must(s.expect(http.StatusNoContent, "DELETE", "/api/v1/me", s.access(), map[string]any{"password": s.password}))
	s.ended(s.tokens)
	s.wrong(401, "invalid_credentials", "POST", "/api/v1/login", "", map[string]any{"email": s.address, "password": s.password})
	proof := s.challenge(http.StatusAccepted, "/api/v1/register", "", map[string]any{"email": s.address, "password": storyPassword}, s.address)
	s.tokens = s.must(s.expect(200, "POST", "/api/v1/login/verify", "", proof))
	if s.me().text("id") == sub {
		t.Fatal("a sub was given out twice")
	}
}

// audited: what was done is in the log, by whom and to whom, and no secret or address with it.
func (s *accountStory) audited(sub string) {
	t := s.t
	t.Helper()
	out, err := s.command("audit", "export")
	if err != nil {
		t.Fatalf("audit export: %v", err)
	}
	types := map[string]bool{}
	for line := range strings.Lines(out) {
		var e struct{ Type, Actor, Target string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		types[e.Type] = true
	}
	for _, want := range []string{
		"sign_in.ok", "sign_in.failed", "code.sent", "password.changed", "password.reset", "password.reset_required", "email.changed", "session.ended", "step_up.ok",
		"user.created", "user.invited", "user.disabled", "user.enabled", "user.roles", "user.deleted", "server.started",
	} {
		if !types[want] {
			t.Errorf("the audit log has no %s", want)
		}
	}
	if !strings.Contains(out, sub) {
		t.Error("the audit log doesn't name the account")
	}
	for _, secret := range append(s.seen(), storyPassword, s.password, "@example.org", "Barbara") {
		if strings.Contains(out, secret) {
			t.Errorf("the audit log holds %q", secret)
		}
	}
}
