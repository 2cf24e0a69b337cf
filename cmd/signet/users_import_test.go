package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"signet/issuer"
	"signet/issuer/djangoimport"
	"signet/keys"
	"signet/repository/mongodb/mongotest"
)

const djangoFixtures = "../../issuer/djangoimport/testdata/django"

// runSignet runs a command as a process.
func runSignet(t testing.TB, environ []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	c := exec.Command("signet", args...)
	c.Env = append(os.Environ(), environ...)
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), log.String(), c.ProcessState.ExitCode()
}

// copied is a copy of a fixture where an import may write beside it.
func copied(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(djangoFixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The accounts that Django dumped, imported beside a running server: their owners sign in with the passwords and the ids that they had there.
func TestDjangoUsersSignIn(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { djangoUsersSignIn(t, nil) })
	t.Run("MongoDB", func(t *testing.T) {
		kek := filepath.Join(t.TempDir(), "kek")
		if err := keys.CreateKEKFile(kek); err != nil {
			t.Fatal(err)
		}
		djangoUsersSignIn(t, []string{"SIGNET_MONGODB_URI=" + mongotest.URI(t), "SIGNET_KEK_FILE=" + kek})
	})
}

func djangoUsersSignIn(t *testing.T, environ []string) {
	dir := t.TempDir()
	environ = slices.Concat(environ, unlimited, cheapHashes, []string{"SIGNET_DATA_DIR=" + dir, "SIGNET_ISSUER=http://localhost:9", "SIGNET_KEY_POLL=200ms"})
	server := serve(t, dir, environ...)
	file := copied(t, "auth_user.json")
	out, log, status := runSignet(t, environ, "users", "import", file, "--json")
	var sum struct{ Rows, Imported, Rejected, Admins, Staff, Disabled int }
	if err := json.Unmarshal([]byte(out), &sum); err != nil || status != exitFailed || sum.Rows != 22 || sum.Imported != 18 || sum.Rejected != 4 || sum.Admins != 1 || sum.Staff != 2 || sum.Disabled != 1 {
		t.Fatalf("status %d\n%s\n%s", status, out, log)
	}
	rejects, err := os.ReadFile(file + ".rejects.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range []string{`"pk":"17","field":"password"`, `"pk":"20","field":"email","reason":"is missing"`, `"pk":"21","field":"email","reason":"is taken"`, `"pk":"22","field":"username","reason":"is taken"`} {
		if !strings.Contains(string(rejects), why) {
			t.Errorf("the rejects lack %s:\n%s", why, rejects)
		}
	}
	if strings.ContainsAny(string(rejects), "$@") {
		t.Errorf("the rejects hold more than they should:\n%s", rejects)
	}
	text, err := os.ReadFile(filepath.Join(djangoFixtures, "passwords.json"))
	if err != nil {
		t.Fatal(err)
	}
	passwords := map[string]string{}
	if err := json.Unmarshal(text, &passwords); err != nil {
		t.Fatal(err)
	}
	app := client{base: server.url}
	for _, name := range []string{"pbkdf2_sha256", "pbkdf2_sha1", "argon2id", "bcrypt", "bcrypt_sha256_long", "scrypt", "unicode", "decomposed", "decomposed_scrypt"} {
		for seen := range 2 { // Django's hash, and then this service's own
			signInImported(t, app, name, passwords[name], seen)
		}
	}
	refused, err := app.call("POST", "/api/v1/login", "", map[string]any{"username": "argon2i", "password": passwords["argon2i"]})
	if err != nil || refused.status != http.StatusUnauthorized {
		t.Errorf("a disabled account: %+v, %v", refused, err)
	}
}

// signInImported signs in by username, as soon as the server has seen that there are such hashes.
func signInImported(t *testing.T, app client, name, password string, seen int) {
	t.Helper()
	deadline := time.Now().Add(startTime)
	for {
		asked, err := app.call("POST", "/api/v1/login", "", map[string]any{"username": name, "password": password})
		if err != nil {
			t.Fatal(err)
		}
		if asked.status == http.StatusOK {
			email := strings.ToLower(name + "@example.org")
			code, err := app.code(email, seen)
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := app.expect(http.StatusOK, "POST", "/api/v1/login/verify", "", map[string]any{"challenge_id": asked.text("challenge_id"), "code": code})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			me, err := app.expect(http.StatusOK, "GET", "/api/v1/me", tokens.text("access_token"), nil)
			if err != nil || me.text("email") != email || me.text("given_name") != "Zo\u00eb" || len(me.text("id")) > 2 {
				t.Errorf("%s: %+v, %v", name, me.body, err)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s can't sign in: %+v", name, asked)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// newImporter is a store of its own, and imports into it in this process.
func newImporter(t testing.TB, dir string) (store, *issuer.Provider) {
	t.Helper()
	st, err := openStore(context.Background(), &Config{DataDir: dir}, true)
	if err != nil {
		t.Fatal(err)
	}
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	return st, issuer.New(issuer.Deps{Store: st, Keys: storeClock{at: time.Now}, Hasher: h, Log: zerolog.Nop()})
}

// importText imports a file's text and returns the summary and the rejects.
func importText(t testing.TB, p *issuer.Provider, text string, dry bool) (importSummary, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "import")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "users")
	rejects, err := openRejects(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := djangoimport.NewReader(strings.NewReader(text), djangoimport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := newImportRun(p, r, rejects, dry)
	run.progress = newImportProgress(io.Discard, int64(len(text)), r)
	if err := errors.Join(run.all(context.Background()), rejects.close()); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(rejectsPath(path))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return run.sum, string(said)
}

// However many rows go at a time, what becomes of each is what becomes of it one by one; a dry run says the same and writes nothing; and the whole file
// again makes nothing.
func TestImportInParallelIsAsOneByOne(t *testing.T) {
	t.Parallel()
	parallel, p := newImporter(t, t.TempDir())
	defer parallel.Close(context.Background())
	serial, q := newImporter(t, t.TempDir())
	defer serial.Close(context.Background())
	check := 0 // each has accounts of its own
	users := func(st store) string {
		var text strings.Builder
		for _, id := range append([]string{fmt.Sprintf(drawnUUID, check)}, drawnNumbers(check)...) {
			u, err := st.User(context.Background(), id)
			if errors.Is(err, issuer.ErrNotFound) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&text, u.ID, u.Email, u.Username, u.State, u.Roles)
		}
		return text.String()
	}
	rapid.Check(t, func(rt *rapid.T) {
		check++
		file := drawTable(rt, check)
		dry, drySaid := importText(t, p, file, true)
		if got := users(parallel); got != "" {
			rt.Fatalf("a dry run made\n%s", got)
		}
		sum, said := importText(t, p, file, false)
		if said != drySaid || sum.Imported != dry.Imported || sum.There != dry.There || sum.Rejected != dry.Rejected {
			rt.Fatalf("dry %+v\n%s\nreal %+v\n%s\nof\n%s", dry, drySaid, sum, said, file)
		}
		r, err := djangoimport.NewReader(strings.NewReader(file), djangoimport.Options{})
		for err == nil {
			var row djangoimport.Row
			if row, err = r.Next(); err == nil && len(row.Faults) == 0 {
				_, _ = q.ImportUser(context.Background(), importedUser(row))
			}
		}
		before := users(parallel)
		if one := users(serial); one != before {
			rt.Fatalf("in parallel\n%s\none by one\n%s\nof\n%s", before, one, file)
		}
		again, saidAgain := importText(t, p, file, false)
		if again.Imported != 0 || users(parallel) != before {
			rt.Fatalf("again: %+v\n%s\nbefore %+v\n%s\nof\n%s", again, saidAgain, sum, said, file)
		}
	})
}

// drawTable is a table of few ids, addresses and usernames, so that many rows want the same. Those of different n have none in common.
func drawTable(rt *rapid.T, n int) string {
	uuid := fmt.Sprintf(drawnUUID, n) // as it is kept, and as others may spell it
	ids := append(drawnNumbers(n), fmt.Sprint(n, "x"), uuid, strings.ToUpper(uuid), strings.ReplaceAll(uuid, "-", ""))
	one := func(what ...string) string { return rapid.SampledFrom(what).Draw(rt, "of") }
	named := func(name string) string {
		if name == "" {
			return ""
		}
		return fmt.Sprintf("%s%d", name, n)
	}
	var file strings.Builder
	file.WriteString("id,email,username,is_active,is_superuser\n")
	for range rapid.IntRange(1, 40).Draw(rt, "rows") {
		fmt.Fprintf(&file, "%s,%s@example.org,%s,%s,%s\n", one(ids...), named(one("a", "b", "c", "d", "e", "é")),
			named(one("", "ann", "Ann", "bob", "eve", "zoe")), one("t", "t", "f"), one("f", "t"))
	}
	return file.String()
}

const drawnUUID = "%08x-000a-7000-8000-00000000000b"

func drawnNumbers(n int) (ids []string) {
	for i := range 4 {
		ids = append(ids, fmt.Sprintf("%d%d", n, i+1))
	}
	return ids
}

// A list of refused rows says which, by their ids; what stands there instead, in a table whose columns are not what its header says, it does not repeat.
func TestRejectsRepeatNoAddressAndNoHash(t *testing.T) {
	t.Parallel()
	st, p := newImporter(t, t.TempDir())
	defer st.Close(context.Background())
	sum, said := importText(t, p, "id,email\n007,a@example.org\npbkdf2_sha256$1000$salt$secret,b@example.org\nsecret@example.org,3\n"+strings.Repeat("9", 65)+",c@example.org\n", false)
	if sum.Rejected != 4 || !strings.Contains(said, `"line":2,"pk":"007"`) || !strings.Contains(said, `"line":3,"pk":"","field":"id"`) || !strings.Contains(said, `"line":4,"pk":""`) ||
		strings.Contains(said, "secret") || strings.Contains(said, "9999") {
		t.Errorf("%+v\n%s", sum, said)
	}
}

// djangoDump writes n accounts as dumpdata does.
func djangoDump(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.json")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString("[")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(w, "%s\n"+`{"model": "auth.user", "pk": %d, "fields": {"password": "pbkdf2_sha256$1000$seasalt$tfzWb0+6qR2E6uj705JhesCHre//2xiePh/m79KEFKs=", "last_login": null,`+
			` "is_superuser": %t, "username": "user%d", "first_name": "Ada", "last_name": "Lovelace", "email": "User%d@Example.org", "is_staff": false, "is_active": %t,`+
			` "date_joined": "2020-01-02T03:04:05.678Z", "groups": [], "user_permissions": []}}`, strings.Repeat(",", min(i-1, 1)), i, i%100000 == 1, i, i, i%50 != 0)
	}
	w.WriteString("\n]\n")
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// Killed at any moment, an import that is run again ends as if nothing had happened.
func TestKilledImportGoesOn(t *testing.T) {
	t.Parallel()
	const rows = 2000
	kills := 3
	if os.Getenv("SIGNET_TEST_LONG") != "" {
		kills = 30
	}
	dir, file := t.TempDir(), djangoDump(t, rows)
	st, p := newImporter(t, dir)
	defer st.Close(t.Context())
	environ := []string{"SIGNET_DATA_DIR=" + dir, "SIGNET_ISSUER=http://localhost:9"}
	made := func() int64 {
		c, err := st.Counts(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c.Active + c.Disabled
	}
	for kill := range kills {
		c := exec.Command("signet", "users", "import", file)
		c.Env = append(os.Environ(), environ...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(startTime); made() < int64((kill+1)*rows/(kills+1)); {
			if time.Now().After(deadline) {
				t.Fatal("the import does not get on")
			}
		}
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	before := made()
	if before == 0 || before == rows {
		t.Fatalf("%d accounts were made before the last run", before)
	}
	out, log, status := runSignet(t, environ, "users", "import", file, "--json")
	var sum struct{ Rows, Imported, There int64 }
	if err := json.Unmarshal([]byte(out), &sum); err != nil || status != exitDone || sum.Rows != rows || sum.Imported+sum.There != rows || sum.There < before {
		t.Fatalf("status %d\n%s\n%s", status, out, log)
	}
	checkImported(t, st, p, rows)
}

// checkImported checks that every account is whole: its address and its name are its own, and nothing is left open.
func checkImported(t *testing.T, st store, p *issuer.Provider, rows int) {
	t.Helper()
	for i := 1; i <= rows; i++ {
		u, err := st.User(t.Context(), fmt.Sprint(i))
		if err != nil || u.Username != fmt.Sprintf("user%d", i) || u.Email != fmt.Sprintf("user%d@example.org", i) || (u.State == issuer.UserDisabled) != (i%50 == 0) {
			t.Fatalf("%+v, %v", u, err)
		}
		for _, id := range []string{issuer.EmailKey(u.Email), issuer.NameKey(u.Username)} {
			if held, err := st.Identifier(t.Context(), id); err != nil || held.UserID != u.ID || held.Kind != issuer.IdentifierFirm {
				t.Fatalf("%s: %+v, %v", id, held, err)
			}
		}
	}
	open, err := st.OpenIdentifiers(t.Context(), "", 10)
	if err != nil || len(open) > 0 {
		t.Errorf("left open: %+v, %v", open, err)
	}
}

// An import that is interrupted finishes the rows that it has begun, and says that there is more.
func TestInterruptedImport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st, p := newImporter(t, dir)
	defer st.Close(t.Context())
	file, err := os.Open(djangoDump(t, 1000))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := djangoimport.NewReader(file, djangoimport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rejects, err := openRejects(filepath.Join(dir, "users"))
	if err != nil {
		t.Fatal(err)
	}
	run := newImportRun(p, r, rejects, false)
	run.progress = newImportProgress(io.Discard, 0, r)
	ctx, cancel := context.WithCancel(t.Context())
	read := run.read
	n := 0
	run.read = func() (djangoimport.Row, error) {
		if n++; n == 500 {
			cancel()
		}
		return read()
	}
	if err := run.all(ctx); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("%v", err)
	}
	if run.sum.Rows != 500 || run.sum.Imported != 500 {
		t.Errorf("%+v", run.sum)
	}
	checkImported(t, st, p, 500)
}

// Progress is a line now and then, or a bar that is drawn anew where somebody looks at it.
func TestImportProgress(t *testing.T) {
	began := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	sum := importSummary{Rows: 12345, Imported: 12000, There: 300, Rejected: 45, began: began}
	var out strings.Builder
	p := &importProgress{out: &out, size: 1000, offset: func() int64 { return 250 }, every: lineEvery}
	p.tell(began, &sum)
	p.tell(began.Add(lineEvery-1), &sum)
	if out.String() != "" {
		t.Errorf("too early: %q", out.String())
	}
	p.tell(began.Add(lineEvery), &sum)
	p.tell(began.Add(lineEvery+1), &sum)
	p.end()
	if got := out.String(); got != "25%  12,345 rows, 12,000 imported, 300 there, 45 refused, 1,234/s, 30s left\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	p = &importProgress{out: &out, size: 1000, offset: func() int64 { return 500 }, every: barEvery, terminal: true}
	p.tell(began, &sum)
	p.tell(began.Add(10*time.Second), &sum)
	p.end()
	if got := out.String(); !strings.HasPrefix(got, "\r[===============               ]  50%  12,345 rows") || !strings.HasSuffix(got, "\x1b[K\n") {
		t.Errorf("%q", got)
	}
}
