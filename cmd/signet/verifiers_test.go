package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// The libraries that strangers verify with, in the versions that this test was written for.
const (
	joseVersion         = "6.2.18"
	pyJWTVersion        = "2.15.1"
	cryptographyVersion = "50.0.2"
)

// verifier is a stranger who knows the issuer's URL and takes tokens for one audience. It says by which key it found a token good.
type verifier interface {
	verify(token string) (kid, sub string, err error)
}

// goOIDC is coreos/go-oidc. It takes its allow-list from the metadata.
type goOIDC struct{ *oidc.IDTokenVerifier }

func newGoOIDC(issuer string) (verifier, error) {
	provider, err := oidc.NewProvider(context.Background(), issuer)
	if err != nil {
		return nil, err
	}
	return goOIDC{provider.Verifier(&oidc.Config{ClientID: issuer})}, nil
}

func (v goOIDC) verify(token string) (kid, sub string, err error) {
	good, err := v.Verify(context.Background(), token)
	if err != nil {
		return "", "", err
	}
	d, err := decodeToken(token)
	if err != nil {
		return "", "", err
	}
	kid, _ = d.Header["kid"].(string)
	return kid, good.Subject, nil
}

// child is a verifier in a process of its own: testdata/verifiers.
type child struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func (c child) verify(token string) (kid, sub string, err error) {
	if _, err := fmt.Fprintln(c.in, token); err != nil {
		return "", "", err
	}
	if !c.out.Scan() {
		return "", "", fmt.Errorf("no answer: %v", c.out.Err())
	}
	var answer struct{ Kid, Sub, Error string }
	if err := json.Unmarshal(c.out.Bytes(), &answer); err != nil {
		return "", "", err
	}
	if answer.Error != "" {
		return "", "", errors.New(answer.Error)
	}
	return answer.Kid, answer.Sub, nil
}

func startChild(t *testing.T, environ []string, name string, args ...string) (verifier, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return child{in, bufio.NewScanner(out)}, nil
}

// newJose is npm's jose with createRemoteJWKSet.
func newJose(t *testing.T, issuer string) (verifier, error) { return newJoseWith(t, issuer, "{}") }

// newJoseWith has options of createRemoteJWKSet, as JSON.
func newJoseWith(t *testing.T, issuer, options string) (verifier, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	packages, err := installed("jose-"+joseVersion, func(dir string) *exec.Cmd {
		return exec.Command("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "jose@"+joseVersion)
	})
	if err != nil {
		return nil, err
	}
	// Node looks for packages beside the program.
	dir := t.TempDir()
	program, err := os.ReadFile("testdata/verifiers/verify.mjs")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "verify.mjs"), program, 0o600),
		os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(dir, "node_modules"))); err != nil {
		return nil, err
	}
	return startChild(t, nil, node, filepath.Join(dir, "verify.mjs"), issuer, issuer, options)
}

// newPyJWT is PyJWT with PyJWKClient.
func newPyJWT(t *testing.T, issuer string) (verifier, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return nil, err
	}
	packages, err := installed("pyjwt-"+pyJWTVersion, func(dir string) *exec.Cmd {
		return exec.Command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", dir,
			"pyjwt[crypto]=="+pyJWTVersion, "cryptography=="+cryptographyVersion)
	})
	if err != nil {
		return nil, err
	}
	return startChild(t, []string{"PYTHONPATH=" + packages}, python, "testdata/verifiers/verify.py", issuer, issuer)
}

// installed is a folder of the user's cache with packages, which are installed when it is first asked for. Whoever comes at the same time
// installs them too; the first to finish wins.
func installed(name string, install func(dir string) *exec.Cmd) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	parent := filepath.Join(cache, "signet-test-verifiers")
	dir := filepath.Join(parent, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(parent, ".installing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	cmd := install(fresh)
	cmd.Dir = fresh
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd.Path, err, out)
	}
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Stat(dir); there != nil {
			return "", err
		}
	}
	return dir, nil
}

// stranger is a verifier or why there is none.
type stranger struct {
	name string
	verifier
	absent error
}

// strangers begins to verify for all that can be had here.
func strangers(t *testing.T, issuer string) []stranger {
	t.Helper()
	oidc, err := newGoOIDC(issuer)
	if err != nil {
		t.Fatalf("go-oidc: %v", err)
	}
	list := []stranger{{name: "go-oidc", verifier: oidc}}
	for name, begin := range map[string]func(*testing.T, string) (verifier, error){"jose": newJose, "PyJWT": newPyJWT} {
		v, err := begin(t, issuer)
		list = append(list, stranger{name, v, err})
	}
	return list
}

// each runs check for every stranger as a test of its own, skipped by name for one that can't be had here; never in CI.
func each(t *testing.T, list []stranger, what string, check func(*testing.T, verifier)) {
	t.Helper()
	for _, s := range list {
		t.Run(what+" by "+s.name, func(t *testing.T) {
			switch {
			case s.absent == nil:
				check(t, s.verifier)
			case os.Getenv("CI") != "":
				t.Fatalf("%s is not to be had, and CI is set: %v", s.name, s.absent)
			default:
				t.Skipf("%s is not to be had: %v", s.name, s.absent)
			}
		})
	}
}

// waitFor polls until ready, or fails at a deadline.
func waitFor(t *testing.T, what string, most time.Duration, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !ready(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s", what, most)
		}
	}
}
