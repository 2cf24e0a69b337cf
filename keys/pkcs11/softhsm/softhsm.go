//go:build pkcs11 && linux

package softhsm

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// HSM is one token. Its label and PIN are those of every test.
type HSM struct {
	t      testing.TB
	Module string // a copy of the library: what a process does with it touches no other test
	Config string // what SOFTHSM2_CONF is to be
	dir    string
}

// What every token is initialized with.
const (
	Label = "signet test"
	PIN   = "hunter2-pin"
)

var libraries = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so"}

// New makes a token, and sets SOFTHSM2_CONF to it for this test, which therefore can't be parallel. It skips the test where SoftHSM is missing, unless
// CI is set.
func New(t testing.TB) *HSM {
	t.Helper()
	h := &HSM{t: t, dir: t.TempDir()}
	h.Module, h.Config = filepath.Join(h.dir, "module.so"), filepath.Join(h.dir, "softhsm2.conf")
	var library []byte
	for _, path := range libraries {
		if found, err := os.ReadFile(path); err == nil {
			library = found
			break
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); err != nil || library == nil {
		if os.Getenv("CI") != "" {
			t.Fatal("SoftHSM is missing: install softhsm2")
		}
		t.Skip("SoftHSM is missing: install softhsm2")
	}
	h.must(os.WriteFile(h.Module, library, 0o700))
	h.must(os.Mkdir(h.tokens(), 0o700))
	h.must(os.WriteFile(h.Config, []byte("directories.tokendir = "+h.tokens()+"\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", h.Config)
	h.util("--init-token", "--free", "--label", Label, "--pin", PIN, "--so-pin", "87654321")
	return h
}

func (h *HSM) tokens() string { return filepath.Join(h.dir, "tokens") }

func (h *HSM) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *HSM) util(args ...string) {
	h.t.Helper()
	cmd := exec.Command("softhsm2-util", args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+h.Config)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("softhsm2-util %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Remove takes the token out: nothing of it can be used until it is Inserted again.
func (h *HSM) Remove() {
	h.t.Helper()
	h.must(os.Rename(h.tokens(), h.tokens()+".away"))
	h.must(os.Mkdir(h.tokens(), 0o700))
}

// Insert puts back what was removed.
func (h *HSM) Insert() {
	h.t.Helper()
	h.must(os.Remove(h.tokens()))
	h.must(os.Rename(h.tokens()+".away", h.tokens()))
}

// Objects are the files of the token's objects: two for a key pair.
func (h *HSM) Objects() []string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.tokens(), "*", "*.object"))
	h.must(err)
	var objects []string
	for _, name := range found {
		if filepath.Base(name) != "token.object" {
			objects = append(objects, name)
		}
	}
	return objects
}

// DestroyAll deletes every object, as an operator with other tools would.
func (h *HSM) DestroyAll() {
	h.t.Helper()
	for _, name := range h.Objects() {
		h.must(os.Remove(name))
	}
}

// holdVariable has a process of the test binary hold locks instead of testing.
const holdVariable = "SIGNET_TEST_HOLD_LOCKS"

// Main is what a package's TestMain that uses Hang begins with: it does not return in the process that holds the locks.
func Main() {
	names := os.Getenv(holdVariable)
	if names == "" {
		return
	}
	for name := range strings.SplitSeq(names, "\n") {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err == nil {
			err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLKW, &syscall.Flock_t{Type: syscall.F_WRLCK})
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the test closes it, or is gone
	os.Exit(0)
}

// Hang has the module wait for as long as it takes, in the middle of whatever it does next: another process holds the locks of the
// token's files. The function that comes back ends it.
func (h *HSM) Hang() (release func()) {
	h.t.Helper()
	var files []string
	h.must(filepath.WalkDir(h.tokens(), func(name string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, name)
		}
		return err
	}))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+strings.Join(files, "\n"))
	in, err := cmd.StdinPipe()
	h.must(err)
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "held\n" {
		h.t.Fatalf("locks are not held: %q, %v", said, err)
	}
	done := false
	release = func() {
		if !done {
			done = true
			_ = in.Close()
			_ = cmd.Wait()
		}
	}
	h.t.Cleanup(release)
	return release
}
