package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"signet/issuer/djangoimport"
)

// djangoUser is an account of the fixtures that Django made, and its password.
type djangoUser struct {
	name, hash, password string
}

func djangoUsers(t testing.TB) []djangoUser {
	t.Helper()
	text, err := os.ReadFile("djangoimport/testdata/django/passwords.json")
	if err != nil {
		t.Fatal(err)
	}
	passwords := map[string]string{}
	if err := json.Unmarshal(text, &passwords); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join("djangoimport/testdata/django", "auth_user.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := djangoimport.NewReader(f, djangoimport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var users []djangoUser
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return users
		}
		if err != nil {
			t.Fatal(err)
		}
		if password, ok := passwords[row.Username]; ok {
			users = append(users, djangoUser{row.Username, row.Password, password})
		}
	}
}

// slow are those with Django's own work factors.
func (u djangoUser) slow() bool { return strings.HasSuffix(u.name, "_default") }

// Hashes that Django made are verified as Django does: right, wrong, in another form, cut off at 72 bytes or not.
func TestDjangoHashes(t *testing.T) {
	ctx := context.Background()
	kinds := map[string]string{
		"pbkdf2_sha256": "pbkdf2_sha256$1200", "pbkdf2_sha256_default": "pbkdf2_sha256$1000000", "pbkdf2_sha1": "pbkdf2_sha1$1000",
		"argon2id": "argon2$argon2id$m=64,t=1,p=2", "argon2id_default": "argon2$argon2id$m=102400,t=2,p=8", "argon2i": "argon2$argon2i$m=512,t=2,p=2",
		"bcrypt": "bcrypt$4", "bcrypt_72": "bcrypt$4", "bcrypt_sha256": "bcrypt_sha256$5", "bcrypt_sha256_long": "bcrypt_sha256$5",
		"scrypt": "scrypt$n=16,r=1,p=1", "scrypt_default": "scrypt$n=16384,r=8,p=5", "unicode": "pbkdf2_sha256$1000", "decomposed": "pbkdf2_sha256$1000",
		"decomposed_bcrypt": "bcrypt$4", "decomposed_scrypt": "scrypt$n=16,r=2,p=3", "md5": "",
	}
	users := djangoUsers(t)
	if len(users) != len(kinds) {
		t.Fatalf("%d accounts", len(users))
	}
	for _, u := range users {
		if got := HashKind(u.hash); got != kinds[u.name] {
			t.Errorf("%s: kind %q, want %q", u.name, got, kinds[u.name])
		}
		h := mustHasher(t, cheap)
		h.SetKinds([]string{HashKind(u.hash)})
		ok, err := h.Verify(ctx, u.hash, u.password)
		if err != nil || ok != (u.name != "md5") {
			t.Errorf("%s: %v, %v", u.name, ok, err)
		}
		if !h.Outdated(u.hash) {
			t.Errorf("%s: stays as it is", u.name)
		}
		if u.slow() {
			continue
		}
		for _, wrong := range []string{"", u.password + "x", u.password[1:], "X" + u.password[1:]} {
			cut := u.name == "bcrypt_72" && strings.HasPrefix(wrong, u.password)
			if ok, err := h.Verify(ctx, u.hash, wrong); err != nil || ok != cut {
				t.Errorf("%s: %q: %v, %v", u.name, wrong, ok, err)
			}
		}
		// Hashed decomposed there: the composed form was never the password. Hashed composed: the decomposed form is tried composed too.
		for _, form := range []norm.Form{norm.NFC, norm.NFD} {
			typed := form.String(u.password)
			want := u.name != "md5" && (typed == u.password || norm.NFC.String(typed) == u.password)
			if ok, err := h.Verify(ctx, u.hash, typed); err != nil || ok != want {
				t.Errorf("%s: typed %+q: %v, %v", u.name, typed, ok, err)
			}
		}
	}
}

// What is no hash of a known kind, or would cost too much, is unusable, and costs nothing.
func TestUnusableHashes(t *testing.T) {
	const (
		sum256 = "LMS0qR0tFeu50+YcZDFojXvwnquZrLxLQ73mLu3ISwo="
		sum1   = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
		sum64  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
		crypt  = "......................ZrnsYkAJDZb1PGk6UIooZPyJKqKsrqS"
		salted = "$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	)
	for _, good := range []string{
		"pbkdf2_sha256$1$s$" + sum256, "pbkdf2_sha256$10000000$s$" + sum256, "pbkdf2_sha1$10000000$s$" + sum1, "bcrypt$$2b$16$" + crypt[:53], "bcrypt$$2y$04$" + crypt[:53],
		"argon2$argon2id$v=19$m=262144,t=16,p=16" + salted, "argon2$argon2i$v=19$m=65536,t=64,p=1" + salted, "scrypt$16384$s$8$64$" + sum64, "scrypt$131072$s$8$1$" + sum64,
	} {
		if HashKind(good) == "" {
			t.Errorf("%s is unusable", good)
		}
	}
	for _, bad := range []string{
		"pbkdf2_sha256$10000001$s$" + sum256, "pbkdf2_sha256$0$s$" + sum256, "pbkdf2_sha256$-1$s$" + sum256, "pbkdf2_sha256$01$s$" + sum256, "pbkdf2_sha256$+1$s$" + sum256,
		"pbkdf2_sha256$1$$" + sum256, "pbkdf2_sha256$1$s$" + sum1, "pbkdf2_sha256$1$s$" + sum256[1:], "pbkdf2_sha256$1$s$" + sum256 + "$", "pbkdf2_sha256$1$s", "pbkdf2_sha256",
		"pbkdf2_sha256$99999999999999999999$s$" + sum256, "pbkdf2_sha256$1$" + strings.Repeat("s", 2000) + "$" + sum256, "pbkdf2_sha1$10000001$s$" + sum1, "pbkdf2_sha1$1$s$" + sum256,
		"pbkdf2_sha512$1$s$" + sum64, "bcrypt$$2b$17$" + crypt[:53], "bcrypt$$2b$31$" + crypt[:53], "bcrypt$$2b$03$" + crypt[:53], "bcrypt$$2x$10$" + crypt[:53], "bcrypt$2b$10$" + crypt[:53],
		"bcrypt$$2b$10$" + crypt[:52], "bcrypt$$2b$10$" + crypt[:52] + "é", "bcrypt$$2b$1x$" + crypt[:53], "bcrypt$", "bcrypt_sha256$$2b$17$" + crypt[:53],
		"argon2$argon2id$v=19$m=262145,t=1,p=1" + salted, "argon2$argon2id$v=19$m=262144,t=17,p=1" + salted, "argon2$argon2id$v=19$m=64,t=65,p=1" + salted,
		"argon2$argon2id$v=19$m=1024,t=1,p=17" + salted, "argon2$argon2id$v=19$m=1024,t=1,p=255" + salted, "argon2$argon2id$v=16$m=64,t=1,p=1" + salted,
		"argon2$argon2d$v=19$m=64,t=1,p=1" + salted, "argon2$argon2id$m=64,t=1,p=1" + salted, "argon2$argon2id$v=19$m=64,t=1,p=1,x=1" + salted, "argon2$", "argon2",
		"scrypt$16384$s$8$65$" + sum64, "scrypt$262144$s$8$5$" + sum64, "scrypt$16383$s$8$1$" + sum64, "scrypt$1$s$8$1$" + sum64, "scrypt$2$s$1$4194304$" + sum64, "scrypt$2$s$4194304$1$" + sum64,
		"scrypt$4294967296$s$1$1$" + sum64, "scrypt$16$s$8$1$" + sum256, "md5$s$0cc175b9c0f1b6a831c399e269772661", "sha1$s$" + sum1, "0cc175b9c0f1b6a831c399e269772661", "plain", "$", "!",
	} {
		if _, err := parseHash(bad); !errors.Is(err, errHashFormat) || HashKind(bad) != "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A kind says what it takes to compute, survives being read back, and holds neither salt nor hash.
func TestKindsAreRead(t *testing.T) {
	for _, u := range djangoUsers(t) {
		h, err := parseHash(u.hash)
		if err != nil {
			continue
		}
		kind := HashKind(u.hash)
		if r, err := parseKind(kind); err != nil || r != h.recipe {
			t.Errorf("%s: %+v, %v", kind, r, err)
		}
		for _, secret := range []string{string(h.salt), string(h.crypt)} {
			if len(secret) > 1 && strings.Contains(kind, secret) {
				t.Errorf("%s holds %q", kind, secret)
			}
		}
	}
	for _, bad := range []string{"", "$", "pbkdf2_sha256", "pbkdf2_sha256$", "pbkdf2_sha256$0", "pbkdf2_sha256$10000001", "bcrypt$17", "md5$1", "argon2id$m=1,t=1,p=1", "scrypt$n=15,r=1,p=1", "argon2$argon2d$m=64,t=1,p=1"} {
		if r, err := parseKind(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, r)
		}
	}
}

// FuzzParseHash: whatever is stored, it is decoded into something that may be computed, or refused.
func FuzzParseHash(f *testing.F) {
	for _, u := range djangoUsers(f) {
		f.Add(u.hash)
	}
	f.Add("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := parseHash(stored)
		if err != nil {
			if HashKind(stored) != "" {
				t.Fatal("an unusable hash has a kind")
			}
			return
		}
		r, err := parseKind(HashKind(stored))
		if err != nil || r != h.recipe || !r.sane() || r.memoryKiB() > mostMemoryKiB || r.threads() > mostThreads {
			t.Fatalf("kind %q: %+v, %v", HashKind(stored), r, err)
		}
		if _, units := r.family(); units == 0 || units > mostRounds {
			t.Fatalf("%d units", units)
		}
		if light := r.memoryKiB() <= 1024 && r.rounds <= 1000 && r.log2 <= 4 && r.p <= 4 && r.argon2.time <= 2; light {
			h.matches("password")
		}
	})
}
