package djangoimport

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// made is what the script makes.
var made = []string{"auth_user.json", "auth_all.json", "auth_user.jsonl", "auth_user.csv", "member.json", "passwords.json"}

// TestDjangoStillWritesThis makes the fixtures again with Django itself, of the pinned versions, and holds them to the ones that are committed: the same
// but for salts and hashes.
func TestDjangoStillWritesThis(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") == "" {
		t.Skip("installs Django: SIGNET_TEST_LONG=1")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is missing")
		}
		t.Skip("needs python3")
	}
	dir := t.TempDir()
	run(t, python, "-m", "venv", filepath.Join(dir, "venv"))
	python = filepath.Join(dir, "venv", "bin", "python")
	run(t, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "testdata/django/requirements.txt")
	run(t, python, "testdata/django/make.py", dir)
	run(t, python, "testdata/django/make.py", dir, "custom")
	for _, name := range made {
		committed, err := os.ReadFile(filepath.Join("testdata/django", name))
		if err != nil {
			t.Fatal(err)
		}
		again, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if a, b := form(string(committed)), form(string(again)); !reflect.DeepEqual(a, b) {
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Errorf("%s: line %d was\n%s\nand is\n%s", name, i+1, a[i], b[i])
				}
			}
			if len(a) != len(b) {
				t.Errorf("%s had %d lines and has %d", name, len(a), len(b))
			}
		}
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// random matches what is drawn anew: the end of a hash, after its algorithm and its parameters, and an unusable password.
var random = regexp.MustCompile(`(\$)[A-Za-z0-9+/=.]{20,}|("|,)![A-Za-z0-9]{40}|(md5\$)[^",]*`)

// form is a file with everything random replaced by as many zeros.
func form(s string) []string {
	s = random.ReplaceAllStringFunc(s, func(m string) string { return m[:1] + strings.Repeat("0", len(m)-1) })
	return strings.Split(s, "\n")
}
