package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const thousand = 1000

// thousandSignIns: so many people give their right password in the same moment, and try again as long as they are told to.
func (f *figures) thousandSignIns(t *testing.T) {
	s := f.at.signet(t, t.TempDir(), unlimited...)
	if _, err := (client{base: s.url}).register("crowd@example.org", benchPassword); err != nil {
		t.Fatal(err)
	}
	var refused atomic.Int64
	began := time.Now()
	most := peak(s.pid, func() {
		var all sync.WaitGroup
		for range thousand {
			all.Go(func() {
				if err := insist(s.url, &refused); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	f.row("1,000 sign-ins at the same moment, all let in: resident at most", "bounded", fmt.Sprintf("%s (%.0f s, %d times told to come back)", mib(most), time.Since(began).Seconds(), refused.Load()))
	s.end()
}

// insist signs in, waiting out every 503 as it is told.
func insist(base string, refused *atomic.Int64) error {
	for {
		a, err := client{base: base}.call("POST", "/api/v1/login", "", map[string]any{"email": "crowd@example.org", "password": benchPassword})
		switch {
		case err != nil:
			return err
		case a.status == http.StatusOK:
			return nil
		case a.status != http.StatusServiceUnavailable:
			return fmt.Errorf("%d %v", a.status, a.body)
		}
		refused.Add(1)
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(wait) * time.Second)
	}
}

// failedSignIns compares how long a wrong password takes for accounts that nobody must tell apart.
func (f *figures) failedSignIns(t *testing.T) {
	dir := t.TempDir()
	s := f.at.signet(t, dir, unlimited...)
	if _, err := (client{base: s.url}).register("own@example.org", benchPassword); err != nil {
		t.Fatal(err)
	}
	importHashes(t, f.program, dir)
	s.end()
	s = f.at.signet(t, dir, unlimited...)
	times := map[string]spread{}
	who := []string{"nobody", "own", "pbkdf2", "bcrypt", "none"}
	for range 60 {
		for _, name := range who {
			began := time.Now()
			a, err := client{base: s.url}.call("POST", "/api/v1/login", "", map[string]any{"email": name + "@example.org", "password": "wrong-otter-plays-cello"})
			if err != nil || a.status != http.StatusUnauthorized {
				t.Fatalf("%s: %v %d %v", name, err, a.status, a.body)
			}
			times[name] = append(times[name], milliseconds(time.Since(began)))
		}
	}
	for _, name := range who {
		f.row("a wrong password, account "+name+", ms", "as the others", times[name])
	}
	s.end()
}

// importHashes brings in an account of each of three kinds, as from Django.
func importHashes(t *testing.T, program, dir string) {
	t.Helper()
	salt := rand.Text()
	key, err := pbkdf2.Key(sha256.New, benchPassword, []byte(salt), 100_000, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	blowfish, err := bcrypt.GenerateFromPassword([]byte(benchPassword), 10)
	if err != nil {
		t.Fatal(err)
	}
	rows := fmt.Sprintf("id,email,username,password\n1,pbkdf2@example.org,one,pbkdf2_sha256$100000$%s$%s\n2,bcrypt@example.org,two,bcrypt$%s\n3,none@example.org,three,!unusable\n",
		salt, base64.StdEncoding.EncodeToString(key), blowfish)
	file := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "users", "import", file, "--data-dir", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("users import: %v\n%s", err, out)
	}
}
