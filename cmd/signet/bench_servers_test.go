package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is measured: signet, as `serve` wires it, in this process (for profiles) or as the program that is released; and beside it a handler
// of net/http alone.

// subject is a server under measurement.
type subject struct {
	addr string
	url  string
	pid  int           // of its process; this one's when it is in process
	took time.Duration // from starting the process to the first 200 of /readyz
	end  func()
}

// launch starts a development server on dir and waits until it is ready.
type launch func(tb tester, dir string, settings ...string) *subject

// unlimited takes every bound off that a storm from one address would run into.
var unlimited = []string{"SIGNET_LIMIT_SOURCE=0", "SIGNET_LIMIT_CODES=0", "SIGNET_LIMIT_PASSWORDS=0", "SIGNET_LIMIT_GUESSES=0"}

// cheapHashes lets sessions be made fast where hashing is not what is measured.
var cheapHashes = []string{"SIGNET_ARGON2_MEMORY=8KiB", "SIGNET_ARGON2_TIME=1"}

var serveArgs = []string{"serve", "--dev", "--listen", "127.0.0.1:0"}

// inProcess runs the server in this process: the whole command, its log going where logs of a service go, to a pipe.
func inProcess(tb tester, dir string, settings ...string) *subject {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, into, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	begin := time.Now()
	p := &program{environ: append(settings, "SIGNET_DATA_DIR="+dir), in: strings.NewReader(""), out: io.Discard, err: into}
	ended := make(chan error, 1)
	go func() {
		root := newRoot(p)
		root.SetArgs(serveArgs)
		root.SetOut(io.Discard)
		root.SetErr(into)
		ended <- root.ExecuteContext(ctx)
		into.Close()
	}()
	s := &subject{pid: os.Getpid()}
	s.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Fatal("the server ended with", err)
		}
		log.Close()
	})
	s.follow(tb, log, begin)
	return s
}

// asProgram runs the program at path as a process of its own.
func asProgram(path string) launch {
	return func(tb tester, dir string, settings ...string) *subject {
		tb.Helper()
		c := exec.Command(path, serveArgs...)
		c.Env = append(append(os.Environ(), settings...), "SIGNET_DATA_DIR="+dir)
		log, err := c.StderrPipe()
		if err != nil {
			tb.Fatal(err)
		}
		begin := time.Now()
		if err := c.Start(); err != nil {
			tb.Fatal(err)
		}
		s := &subject{pid: c.Process.Pid}
		s.end = sync.OnceFunc(func() {
			_ = c.Process.Signal(os.Interrupt)
			_ = c.Wait() // its log is read to the end by then, or cut
		})
		s.follow(tb, log, begin)
		return s
	}
}

// follow waits for the line of the log that names the address, and then for /readyz.
func (s *subject) follow(tb tester, log io.Reader, begin time.Time) {
	tb.Helper()
	tb.Cleanup(s.end)
	var said strings.Builder
	lines := bufio.NewReader(log)
	for s.addr == "" {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			tb.Fatal("the server ended:", said.String())
		}
		var l struct{ Event, Addr string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Event == "listening" {
			s.addr, s.url = l.Addr, "http://"+l.Addr
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	for ask := lean.connect(tb, s.addr, "/readyz", 0, 1)[0]; ; time.Sleep(time.Millisecond) {
		status, _, err := ask("")
		if err != nil || time.Since(begin) > startTime {
			tb.Fatal("not ready:", status, err)
		}
		if status == http.StatusOK {
			break
		}
	}
	s.took = time.Since(begin)
}

// released is the program as it is released: static, stripped.
func released(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "signet-released")
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// bare is an answer as a net/http handler gives it without doing anything.
type bare struct {
	Header http.Header
	Body   []byte
}

func (b bare) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for name, values := range b.Header {
		h[name] = values
	}
	_, _ = w.Write(b.Body)
}

// inProcess serves it in this process and returns its address.
func (b bare) inProcess(tb tester) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &http.Server{Handler: b}
	go func() { _ = s.Serve(l) }()
	tb.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// bareEnv makes the test binary serve the answer on its standard input, until that ends.
const bareEnv = "SIGNET_TEST_BARE_HANDLER"

func init() {
	if os.Getenv(bareEnv) == "" {
		return
	}
	var b bare
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&b); err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() { _ = http.Serve(l, b) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// asProgram serves it in a process of its own and returns its address.
func (b bare) asProgram(tb tester) string {
	tb.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), bareEnv+"=1", "GOGC=100") // what Go does by itself
	in, err := c.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		_ = c.Wait()
	})
	if err := json.NewEncoder(in).Encode(b); err != nil {
		tb.Fatal(err)
	}
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		tb.Fatal(err)
	}
	return addr
}

// place is where both servers of a measurement run.
type place struct {
	name   string
	signet launch
	bare   func(bare, tester) string
}

var here = place{"in process", inProcess, func(b bare, tb tester) string { return b.inProcess(tb) }}

func apart(program string) place {
	return place{"processes", asProgram(program), func(b bare, tb tester) string { return b.asProgram(tb) }}
}
