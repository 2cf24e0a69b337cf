package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	url    string // of the main address, on loopback
	ops    string // of the operators' address; "" for none
	issuer string
	log    lockedBuffer
	out    lockedBuffer
	ended  chan struct{}
	err    error // how it ended
}

// startTime is how long a server may take to say that it listens, on a machine that does other things as well.
const startTime = 60 * time.Second

// startServer runs signet with args in dir and waits until it listens.
func startServer(dir string, environ []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command("signet", args...), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), environ...)
	p.cmd.Stdout = &p.out
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan struct{})
	go p.read(stderr, listening)
	select {
	case <-listening:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("it ended: %v\n%s", p.err, p.log.String())
	case <-time.After(startTime):
		p.kill()
		return nil, fmt.Errorf("it does not listen after %s\n%s", startTime, p.log.String())
	}
}

// read follows the log: a line "listening" for each address, and "started" after the last.
func (p *process) read(stderr io.Reader, listening chan<- struct{}) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	waiting := true
	for lines.Scan() {
		fmt.Fprintln(&p.log, lines.Text())
		var line struct{ Msg, Listener, Addr, Issuer, Event string }
		if !waiting || json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		if line.Msg == "listening" && line.Listener == "main" {
			p.url, p.issuer = "http://"+line.Addr, line.Issuer
		}
		if line.Msg == "listening" && line.Listener == "ops" {
			p.ops = "http://" + line.Addr
		}
		if line.Event == "started" {
			waiting = false
			close(listening)
		}
	}
	p.err = p.cmd.Wait()
	close(p.ended)
}

// stop asks it to end and waits; anything but a clean end is an error.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("ended with %v\n%s", p.err, p.log.String())
		}
		return nil
	case <-time.After(startTime):
		p.kill()
		return fmt.Errorf("does not end after %s\n%s", startTime, p.log.String())
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// serve starts a development server for a test and ends it with the test.
func serve(t *testing.T, dir string, environ ...string) *process {
	t.Helper()
	return serveAt(t, dir, "127.0.0.1:0", environ...)
}

func serveAt(t *testing.T, dir, address string, environ ...string) *process {
	t.Helper()
	p, err := startServer(dir, environ, "serve", "--dev", "--listen", address)
	if err != nil {
		t.Fatalf("serve: %v", err)
	}
	t.Cleanup(func() {
		select {
		case <-p.ended:
		default:
			p.kill()
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", p.log.String())
		}
	})
	return p
}

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
