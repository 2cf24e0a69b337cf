package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/keys"
	"signet/repository/mongodb/mongotest"
)

// restoreStory is a data folder and the environment that every command of it has.
type restoreStory struct {
	t       *testing.T
	dir     string
	environ []string
}

// signet runs a command to its end.
func (s restoreStory) signet(args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	c := exec.Command("signet", args...)
	c.Dir, c.Env = s.dir, append(os.Environ(), s.environ...)
	var out, said strings.Builder
	c.Stdout, c.Stderr = &out, &said
	err := c.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.t.Fatal(err)
	}
	return out.String(), said.String(), c.ProcessState.ExitCode()
}

func (s restoreStory) must(args ...string) (stdout string) {
	s.t.Helper()
	stdout, stderr, status := s.signet(args...)
	if status != 0 {
		s.t.Fatalf("signet %s: %d\n%s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// refused runs a command that has to fail and say why.
func (s restoreStory) refused(why string, args ...string) {
	s.t.Helper()
	if _, stderr, status := s.signet(args...); status != 1 || !strings.Contains(stderr, why) {
		s.t.Errorf("signet %s: %d\n%s", strings.Join(args, " "), status, stderr)
	}
}

func (s restoreStory) serve() (*process, client) {
	s.t.Helper()
	p := serve(s.t, s.dir, s.environ...)
	return p, client{base: p.url}
}

func (s restoreStory) stop(p *process) {
	s.t.Helper()
	if err := p.stop(); err != nil {
		s.t.Fatal(err)
	}
}

// held is what somebody has from before a restore.
type heldBefore struct {
	refresh, access string
	challenge, code string // of a sign-in that waits
	kids            []string
}

func (s restoreStory) before(c client, email string) heldBefore {
	s.t.Helper()
	tokens, err := c.register(email, storyPassword)
	if err != nil {
		s.t.Fatal(err)
	}
	challenge, err := c.expect(http.StatusOK, "POST", "/api/v1/login", "", map[string]any{"email": email, "password": storyPassword})
	if err != nil {
		s.t.Fatal(err)
	}
	code, err := c.code(email, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return heldBefore{tokens.text("refresh_token"), tokens.text("access_token"), challenge.text("challenge_id"), code, s.kids(c)}
}

func (s restoreStory) kids(c client) (kids []string) {
	s.t.Helper()
	got, err := testHTTP.Get(c.base + keySetPath)
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
		}
	}
	if err := json.NewDecoder(got.Body).Decode(&set); err != nil {
		s.t.Fatal(err)
	}
	for _, k := range set.Keys {
		kids = append(kids, k.KeyID)
	}
	return kids
}

// nothingCameBack: what was held before is refused, its owner signs in, and services verify the new token by the keys that they have.
func (s restoreStory) nothingCameBack(p *process, email string, held heldBefore) {
	s.t.Helper()
	c := client{base: p.url}
	for what, refusal := range map[string]func() (answer, error){
		"refresh token": func() (answer, error) {
			return c.expect(http.StatusUnauthorized, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": held.refresh})
		},
		"access token": func() (answer, error) {
			return c.expect(http.StatusUnauthorized, "GET", "/api/v1/me", held.access, nil)
		},
		"code": func() (answer, error) {
			return c.expect(http.StatusUnauthorized, "POST", "/api/v1/login/verify", "", map[string]any{"challenge_id": held.challenge, "code": held.code})
		},
	} {
		if _, err := refusal(); err != nil {
			s.t.Errorf("the %s of before: %v", what, err)
		}
	}
	challenge, err := c.expect(http.StatusOK, "POST", "/api/v1/login", "", map[string]any{"email": email, "password": storyPassword})
	if err != nil {
		s.t.Fatal(err)
	}
	code, err := c.code(email, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	tokens, err := c.expect(http.StatusOK, "POST", "/api/v1/login/verify", "", map[string]any{"challenge_id": challenge.text("challenge_id"), "code": code})
	if err != nil {
		s.t.Fatal(err)
	}
	s.must("token", "verify", tokens.text("access_token"), "--jwks", p.url+keySetPath, "--issuer", p.issuer)
	if now := s.kids(c); strings.Join(now, " ") != strings.Join(held.kids, " ") {
		s.t.Errorf("the keys are %v, and were %v", now, held.kids)
	}
	if events := s.must("audit", "export", "--type", "store.restored"); strings.Count(events, `"store.restored"`) == 0 {
		s.t.Errorf("the audit log says nothing of it: %s", events)
	}
}

// A backup beside a server under load, and its restore over what came after.
func TestBackupUnderLoadAndRestore(t *testing.T) {
	t.Parallel()
	s := restoreStory{t, t.TempDir(), []string{"SIGNET_ISSUER=http://localhost:9", "SIGNET_LIMIT_SOURCE=0"}}
	p, c := s.serve()
	held := s.before(c, "ada@example.org")
	stop, load, signedIn := make(chan struct{}), sync.WaitGroup{}, sync.WaitGroup{}
	signedIn.Add(4)
	for i := range 4 {
		load.Go(func() { signInAndRefresh(t, c, fmt.Sprintf("app%d@example.org", i), signedIn.Done, stop) })
	}
	signedIn.Wait()
	for i := range 3 {
		s.must("backup", fmt.Sprintf("backup%d.db", i))
	}
	close(stop)
	load.Wait()
	if _, err := c.register("late@example.org", storyPassword); err != nil {
		t.Fatal(err)
	}
	s.must("users", "disable", "late@example.org")
	s.refused("file exists", "backup", "backup2.db")
	s.refused("in use by a server", "restore", "backup2.db", "--replace", "--yes")
	s.stop(p)
	s.refused("give --replace", "restore", "backup2.db", "--yes")
	s.refused("there is no terminal", "restore", "backup2.db", "--replace")

	var done restoredStore
	if err := json.Unmarshal([]byte(s.must("restore", "backup2.db", "--replace", "--yes", "--json")), &done); err != nil {
		t.Fatal(err)
	}
	if done.Sessions == 0 || done.Users < 5 || done.LostUsers == nil || *done.LostUsers != 1 || done.Replaced == "" || done.MadeAt == nil || len(done.Conflicts) > 0 {
		t.Errorf("%+v", done)
	}
	if _, err := os.Stat(filepath.Join(s.dir, done.Replaced)); err != nil {
		t.Errorf("the store from before is not kept: %v", err)
	}
	p, _ = s.serve()
	s.nothingCameBack(p, "ada@example.org", held)
	s.stop(p)
}

// signInAndRefresh is one app's load. Answers under load may be 503 and are no failure here.
func signInAndRefresh(t *testing.T, c client, email string, signedIn func(), stop <-chan struct{}) {
	tokens, err := c.register(email, storyPassword)
	signedIn()
	if err != nil {
		t.Errorf("under load: %v", err)
		return
	}
	token := tokens.text("refresh_token")
	for {
		select {
		case <-stop:
			return
		default:
		}
		a, err := c.call("POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": token})
		if err != nil {
			t.Errorf("under load: %v", err)
			return
		}
		if a.status == http.StatusOK {
			token = a.text("refresh_token")
		}
	}
}

// What the store in place knows to be revoked stays revoked; and without the key-encryption key nothing is restored.
func TestRestoreKeepsRevocationsAndNeedsTheKEK(t *testing.T) {
	t.Parallel()
	s := restoreStory{t, t.TempDir(), []string{"SIGNET_ISSUER=http://localhost:9"}}
	p, c := s.serve()
	kids := s.kids(c)
	s.must("backup", "backup.db")
	s.must("keys", "revoke", kids[0], "--yes")
	s.stop(p)

	kek := filepath.Join(s.dir, "signet-data", "kek")
	other := filepath.Join(s.dir, "other")
	if err := keys.CreateKEKFile(other); err != nil {
		t.Fatal(err)
	}
	s.refused("does not open all of the backup", "restore", "backup.db", "--replace", "--yes", "--kek-file", other)
	s.refused("SIGNET_KEK_FILE", "restore", "backup.db", "--replace", "--yes", "--kek-file", filepath.Join(s.dir, "none"))
	if left, _ := filepath.Glob(filepath.Join(s.dir, "signet-data", "*.rest*")); len(left) > 0 {
		t.Errorf("a refusal leaves %v", left)
	}

	if _, said, status := s.signet("restore", "backup.db", "--replace", "--yes", "--revoked", kids[1][:8]); status != exitMisused || !strings.Contains(said, "is no kid") {
		t.Errorf("a part of a kid: %d, %s", status, said)
	}
	since := strings.Repeat("x", 43)
	out, said, status := s.signet("restore", "backup.db", "--replace", "--yes", "--revoked", kids[1], "--revoked", since)
	if status != exitDone || !strings.Contains(said, "the backup has no key "+since+":") {
		t.Fatalf("%d: %s%s", status, out, said)
	}
	for _, kid := range kids[:2] {
		if !strings.Contains(out, kid+" is revoked") {
			t.Errorf("%s is not said to be revoked:\n%s", kid, out)
		}
	}
	p, c = s.serve()
	for _, kid := range s.kids(c) {
		if kid == kids[0] || kid == kids[1] {
			t.Errorf("%s, which was revoked, is back", kid)
		}
	}
	s.stop(p)

	// On another machine: no store in place, the KEK brought along.
	fresh := restoreStory{t, t.TempDir(), append(s.environ, "SIGNET_KEK_FILE="+kek)}
	out, said, status = fresh.signet("restore", filepath.Join(s.dir, "backup.db"), "--yes")
	if status != 0 || strings.Contains(out, "kept at") || !strings.Contains(said, "No key is known to be revoked") {
		t.Errorf("%d: %s%s", status, out, said)
	}
	damaged := filepath.Join(fresh.dir, "damaged.db")
	if err := os.WriteFile(damaged, []byte("this is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh.refused("not a SQLite database", "restore", damaged, "--replace", "--yes")

	// A damaged store is what restores are for; what it knew is lost, and that is said.
	if err := os.WriteFile(filepath.Join(fresh.dir, "signet-data", "signet.db"), []byte("this is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, said, status := fresh.signet("restore", filepath.Join(s.dir, "backup.db"), "--replace", "--yes"); status != 0 || !strings.Contains(out, "kept at") || !strings.Contains(said, "The store in place can't be read") {
		t.Errorf("%d: %s%s", status, out, said)
	}
}

// A server refuses a store that is restored by half, and `restore --check` completes it.
func TestAHalfRestoredStoreIsNotServed(t *testing.T) {
	t.Parallel()
	s := restoreStory{t, t.TempDir(), []string{"SIGNET_ISSUER=http://localhost:9"}}
	p, c := s.serve()
	held := s.before(c, "ada@example.org")
	s.refused("in use by a server", "restore", "--check", "--yes")
	s.stop(p)
	markRestarting(t, filepath.Join(s.dir, "signet-data"))
	s.refused("signet restore --check", "serve", "--dev", "--listen", "127.0.0.1:0")
	if _, said, status := s.signet("restore", "--check", "--yes"); status != 0 || !strings.Contains(said, "was interrupted") {
		t.Fatalf("%d: %s", status, said)
	}
	p, _ = s.serve()
	s.nothingCameBack(p, "ada@example.org", held)
	s.stop(p)
}

// markRestarting is a restore that died after its first step.
func markRestarting(t *testing.T, dataDir string) {
	t.Helper()
	c := &Config{DataDir: dataDir, KEKFile: filepath.Join(dataDir, "kek")}
	st, err := openStore(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(t.Context())
	sealer, err := readSealer(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (keys.Operator{Store: st, Sealer: sealer, Wall: time.Now}).Restart(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// On MongoDB the database is put back by its own tools, and `restore --check` does the rest.
func TestRestoreCheckOnMongoDB(t *testing.T) {
	t.Parallel()
	uri := mongotest.URI(t)
	kek := filepath.Join(t.TempDir(), "kek")
	if err := keys.CreateKEKFile(kek); err != nil {
		t.Fatal(err)
	}
	s := restoreStory{t, t.TempDir(), []string{"SIGNET_ISSUER=http://localhost:9", "SIGNET_MONGODB_URI=" + uri, "SIGNET_KEK_FILE=" + kek}}
	s.refused("docs/runbooks/backup.md", "backup", "backup.db")
	s.refused("docs/runbooks/backup.md", "restore", "backup.db", "--yes")
	p, c := s.serve()
	held := s.before(c, "ada@example.org")
	s.refused("servers run on this store", "restore", "--check", "--yes")
	s.stop(p)
	s.refused("there is no terminal", "restore", "--check")
	out := s.must("restore", "--check", "--yes")
	if !strings.Contains(out, "1 accounts; 1 sessions ended") {
		t.Error(out)
	}
	p, _ = s.serve()
	s.nothingCameBack(p, "ada@example.org", held)
	s.stop(p)
}

// kill -9 at any moment of a restore: the store in place is the one from before or the restored one, whole, or it is refused until the restore is
// completed.
func TestKillsDuringARestore(t *testing.T) {
	t.Parallel()
	rounds := 8
	if os.Getenv("SIGNET_TEST_LONG") == "1" {
		rounds = 150
	}
	s := restoreStory{t, t.TempDir(), []string{"SIGNET_ISSUER=http://localhost:9"}}
	p, c := s.serve()
	s.before(c, "ada@example.org")
	s.must("backup", "backup.db")
	s.stop(p)
	began := time.Now()
	s.must("restore", "backup.db", "--replace", "--yes")
	took := time.Since(began)
	s.must("users", "create", "--email", "since@example.org", "--generate-password")
	before, restored, refused := 0, 0, 0
	for i := range rounds {
		kill := exec.Command("signet", "restore", "backup.db", "--replace", "--yes")
		kill.Dir, kill.Env = s.dir, append(os.Environ(), s.environ...)
		if err := kill.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(took * time.Duration(i+1) / time.Duration(rounds))
		_ = kill.Process.Kill()
		_ = kill.Wait()
		list, said, status := s.signet("users", "list")
		if status != 0 {
			if !strings.Contains(said, "signet restore --check") {
				t.Fatalf("round %d: %s", i, said)
			}
			refused++
			s.must("restore", "--check", "--yes")
			list = s.must("users", "list")
		}
		switch {
		case strings.Contains(list, "since@example.org"):
			before++
		case strings.Contains(list, "ada@example.org"):
			restored++
			s.must("users", "create", "--email", "since@example.org", "--generate-password")
		default:
			t.Fatalf("round %d: %s", i, list)
		}
	}
	p, _ = s.serve()
	s.stop(p)
	t.Logf("%d rounds: %d times the store from before, %d times the restored one, %d of these only after --check", rounds, before, restored, refused)
}
