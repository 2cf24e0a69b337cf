//go:build unix

package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var examplesDir = filepath.Join(top, "deploy", "examples")

// exampleFiles are what an example is made of, by their paths in it: all but what somebody has built beside them.
func exampleFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "target" || d.Name() == "__pycache__"):
			return filepath.SkipDir
		case d.IsDir() || strings.HasSuffix(path, ".md"):
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// copyExample copies one into a folder of the test's own.
func copyExample(t *testing.T, name, dir string) {
	t.Helper()
	for path, data := range exampleFiles(t, filepath.Join(examplesDir, name)) {
		to := filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
}

// digest names a version of files.
func digest(files map[string][]byte) string {
	hash := sha256.New()
	data, _ := json.Marshal(files) // in the order of names
	hash.Write(data)
	return fmt.Sprintf("%x", hash.Sum(nil)[:8])
}

// absent skips a test for want of a tool or a package; never in CI.
func absent(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not to be had, and CI is set: %v", what, err)
	}
	t.Skipf("%s is not to be had: %v", what, err)
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	absent(t, name, err)
	return path
}

// pythonPackages is a folder with what a requirements file names.
func pythonPackages(t *testing.T, requirements string) string {
	t.Helper()
	data, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	python := tool(t, "python3")
	file, err := filepath.Abs(requirements)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := installed("python-"+digest(map[string][]byte{"": data}), func(dir string) *exec.Cmd {
		return exec.Command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--target", dir, "-r", file)
	})
	absent(t, requirements, err)
	return dir
}

// nodeExample is a copy of an example with the packages of its lock file.
func nodeExample(t *testing.T, name string) string {
	t.Helper()
	npm := tool(t, "npm")
	tool(t, "node")
	dir := t.TempDir()
	copyExample(t, name, dir)
	files := exampleFiles(t, filepath.Join(examplesDir, name))
	wanted := map[string][]byte{"package.json": files["package.json"], "package-lock.json": files["package-lock.json"]}
	packages, err := installed("node-"+digest(wanted), func(to string) *exec.Cmd {
		for file, data := range wanted {
			if err := os.WriteFile(filepath.Join(to, file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return exec.Command(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	})
	absent(t, "packages of "+name, err)
	if err := os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startProgram starts one in dir and gives what the last group of listening matches in its output. It and all its children end with the test.
func startProgram(t *testing.T, dir string, environ []string, listening string, args ...string) (found string, pid int) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines, ended, said := lockedBuffer{}, make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(ended)
		defer out.Close()
		pattern := regexp.MustCompile(listening)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			fmt.Fprintln(&lines, scan.Text())
			if m := pattern.FindStringSubmatch(scan.Text()); m != nil {
				select {
				case said <- m[len(m)-1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // workers that it left
		if t.Failed() {
			t.Logf("output of %s:\n%s", args[0], lines.String())
		}
	})
	select {
	case found := <-said:
		return found, cmd.Process.Pid
	case <-ended:
		t.Fatalf("%v ended:\n%s", args, lines.String())
	case <-time.After(2 * startTime):
		t.Fatalf("%v does not listen after %s:\n%s", args, 2*startTime, lines.String())
	}
	return "", 0
}

// exampleEnvironment is the settings that all examples read.
func exampleEnvironment(issuer string, more ...string) []string {
	return append([]string{"ISSUER=" + issuer, "AUDIENCE=" + exampleAudience}, more...)
}

func startGoExample(t *testing.T, issuer string) service {
	binary := filepath.Join(t.TempDir(), "api")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = filepath.Join(examplesDir, "go")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	url, _ := startProgram(t, t.TempDir(), exampleEnvironment(issuer, "LISTEN=127.0.0.1:0", "JWKS_REFRESH=1s"), `listening on (http://\S+)`, binary)
	return service{url, testHTTP}
}

func startExpressExample(t *testing.T, issuer string) service {
	url, _ := startProgram(t, nodeExample(t, "express"), exampleEnvironment(issuer, "PORT=0", "JWKS_CACHE_SECONDS=1"), `listening on (http://\S+)`, "node", "server.mjs")
	return service{url, testHTTP}
}

func startDRFExample(t *testing.T, issuer string) service {
	packages := pythonPackages(t, filepath.Join(examplesDir, "drf", "requirements.txt"))
	dir := t.TempDir()
	copyExample(t, "drf", dir)
	impatient, err := filepath.Abs("testdata/drf/impatient")
	if err != nil {
		t.Fatal(err)
	}
	url, _ := startProgram(t, dir, exampleEnvironment(issuer, "PYTHONPATH="+impatient+":"+packages, "PYTHONUNBUFFERED=1"),
		`development server at (http://\S+)/`, "python3", "manage.py", "runserver", "--noreload", "127.0.0.1:0")
	return service{url, testHTTP}
}

func startFastAPIExample(t *testing.T, issuer string) service {
	packages := pythonPackages(t, filepath.Join(examplesDir, "fastapi", "requirements.txt"))
	dir := t.TempDir()
	copyExample(t, "fastapi", dir)
	url, _ := startProgram(t, dir, exampleEnvironment(issuer, "PYTHONPATH="+packages, "JWKS_CACHE_SECONDS=1"), `running on (http://\S+)`,
		"python3", "-m", "uvicorn", "main:app", "--port", "0")
	return service{url, testHTTP}
}

func startSpringExample(t *testing.T, issuer string) service {
	mvn := tool(t, "mvn")
	built, err := installed("spring-"+digest(exampleFiles(t, filepath.Join(examplesDir, "spring"))), func(dir string) *exec.Cmd {
		copyExample(t, "spring", dir)
		return exec.Command(mvn, "-B", "-q", "package")
	})
	absent(t, "Spring Boot", err)
	port, _ := startProgram(t, t.TempDir(), exampleEnvironment(issuer, "SERVER_PORT=0", "JWKS_CACHE=1s"), `Tomcat started on port (\d+)`,
		"java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-jar", filepath.Join(built, "target", "api.jar"))
	return service{"http://127.0.0.1:" + port, testHTTP}
}

// behind is the service that a gateway hides. It believes the gateway's headers: none of them may be what a caller says of itself.
func behind(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := map[string][]string{}
		for name, values := range r.Header {
			name = strings.ToUpper(strings.ReplaceAll(name, "_", "-")) // as CGI and WSGI do
			if strings.HasPrefix(name, "X-") || name == "AUTHORIZATION" {
				said[name] = append(said[name], values...)
			}
		}
		if r.URL.Path == "/public" && len(said) > 0 || said["AUTHORIZATION"] != nil {
			http.Error(w, fmt.Sprintf("the gateway lets through %v", said), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(said)
	}))
	t.Cleanup(s.Close)
	return s
}

// onSocket reaches a service that listens on a socket in the file system, where no port can be taken by another.
func onSocket(t *testing.T, socket string) service {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	s := service{"http://gateway", &http.Client{Transport: transport, Timeout: testHTTP.Timeout}}
	waitFor(t, "an answer of the gateway", startTime, func() bool {
		got, _, err := s.ask("/public", "")
		return err == nil && got.StatusCode == http.StatusOK
	})
	return s
}

// rewritten is a file of an example with other addresses, each of which must be in it.
func rewritten(t *testing.T, file string, pairs ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(data), pairs[i]) {
			t.Fatalf("%s lacks %q", file, pairs[i])
		}
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(data)))
}

func startNginxExample(t *testing.T, issuer string) service {
	nginx := tool(t, cmp.Or(found("nginx", "/usr/sbin/nginx"), "nginx"))
	verifier, _ := startProgram(t, nodeExample(t, "nginx"), exampleEnvironment(issuer, "PORT=0", "JWKS_CACHE_SECONDS=1"), `listening on http://(\S+)`, "node", "verifier.mjs")
	dir := t.TempDir()
	socket, source := filepath.Join(dir, "s"), filepath.Join(examplesDir, "nginx")
	api := rewritten(t, filepath.Join(source, "api.conf"), "listen 8090;", "listen unix:"+socket+";", "127.0.0.1:9100", verifier,
		"127.0.0.1:3000", behind(t).Listener.Addr().String(), "/etc/nginx/signet-caller.conf", filepath.Join(dir, "signet-caller.conf"))
	main := "daemon off;\npid " + dir + "/pid;\nerror_log stderr notice;\nworker_processes 1;\nevents {}\nhttp {\naccess_log off;\n"
	for _, path := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += path + "_temp_path " + dir + "/" + path + ";\n"
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "api.conf"), api, 0o600),
		os.WriteFile(filepath.Join(dir, "signet-caller.conf"), rewritten(t, filepath.Join(source, "signet-caller.conf")), 0o600),
		os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(main+"include "+dir+"/api.conf;\n}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	startProgram(t, dir, nil, `start worker process(es)`, nginx, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	return onSocket(t, socket)
}

// found is the first path that is there; Debian has gateways where a user's PATH does not look.
func found(name string, paths ...string) string {
	for _, path := range append([]string{name}, paths...) {
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	return ""
}

func startHAProxyExample(t *testing.T, issuer string) service {
	haproxy := tool(t, cmp.Or(found("haproxy", "/usr/sbin/haproxy"), "haproxy"))
	packages := pythonPackages(t, filepath.Join(examplesDir, "haproxy", "requirements.txt"))
	dir := t.TempDir()
	copyExample(t, "haproxy", dir)
	refresh := func(ctx context.Context, reload ...string) error {
		cmd := exec.CommandContext(ctx, "python3", append([]string{filepath.Join(dir, "refresh-keys"), issuer, filepath.Join(dir, "keys")}, reload...)...)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+packages)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	_, pid := startProgram(t, dir, exampleEnvironment(issuer, "LISTEN=unix@"+socket, "SERVICE="+behind(t).Listener.Addr().String()), `Loading success`,
		haproxy, "-W", "-f", "keys", "-f", "service.cfg")
	s := onSocket(t, socket)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { // what a timer does
		defer close(stopped)
		for ctx.Err() == nil {
			if err := refresh(ctx, "sh", "-c", fmt.Sprintf("kill -USR2 %d", pid)); err != nil && ctx.Err() == nil {
				t.Errorf("refresh-keys: %v", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(700 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-stopped
	})
	return s
}
