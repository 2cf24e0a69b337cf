package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/keys"
)

// halfRequest sends a registration up to the last byte of its body. The server waits for that.
type halfRequest struct {
	net.Conn
	rest string
}

func beginRequest(t *testing.T, p *process) halfRequest {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	body := `{"email":"ada@example.org","password":"violet-otter-plays-cello"}`
	fmt.Fprintf(c, "POST /api/v1/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	// The server asks for the body once the request has reached its handler.
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	fmt.Fprint(c, body[:len(body)-1])
	return halfRequest{c, body[len(body)-1:]}
}

func (p *process) logged(text string) func() bool {
	return func() bool { return strings.Contains(p.log.String(), text) }
}

func TestSIGTERMLetsARequestFinish(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	request := beginRequest(t, p)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the beginning of the end", startTime, p.logged(`"event":"stopping"`))
	fmt.Fprint(request, request.rest)
	answer, err := io.ReadAll(request)
	if err != nil || !strings.Contains(string(answer), "202 Accepted") {
		t.Errorf("the request under way was answered %q, %v", answer, err)
	}
	<-p.ended
	if p.err != nil {
		t.Errorf("ended with %v", p.err)
	}
	if !strings.Contains(p.out.String(), "ada@example.org") {
		t.Error("the mail of the last request did not leave")
	}
}

func TestGraceBoundsTheEnd(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "SIGNET_SHUTDOWN_GRACE=300ms")
	beginRequest(t, p)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if !p.logged("requests were cut")() {
		t.Errorf("the request was not cut")
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "SIGNET_SHUTDOWN_GRACE=10m")
	beginRequest(t, p)
	for range 2 {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the beginning of the end", startTime, p.logged(`"event":"stopping"`))
	}
	select {
	case <-p.ended:
	case <-time.After(startTime):
		t.Fatal("a second signal does not end it")
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Errorf("it ended with %v", p.err)
	}
}

func TestTwoServersOnOneEmbeddedStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	issuer := "SIGNET_ISSUER=http://localhost:9"
	one := serve(t, dir, issuer)
	two := serve(t, dir, issuer)
	tokens, err := client{base: one.url}.register("ada@example.org", storyPassword)
	if err != nil {
		t.Fatal(err)
	}
	other := client{base: two.url}
	if _, err := other.expect(200, "GET", "/api/v1/me", tokens.text("access_token"), nil); err != nil {
		t.Error(err)
	}
	if _, err := other.expect(200, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": tokens.text("refresh_token")}); err != nil {
		t.Error(err)
	}
}

func TestMetricsAreOnTheOperatorsAddressWhenThereIsOne(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "SIGNET_OPS_LISTEN=127.0.0.1:0")
	if p.ops == "" {
		t.Fatal("no operators' address")
	}
	body := get(t, p.ops+"/metrics", 200)
	for _, name := range []string{"signet_ring_version 1", `signet_standby_known{alg="ES256"} 0`, "signet_hash_slots_busy 0", "signet_mail_queue 0", "signet_ready 1",
		"signet_build_info{", "go_goroutines", "process_resident_memory_bytes"} {
		if !strings.Contains(body, name) {
			t.Errorf("no %s", name)
		}
	}
	get(t, p.ops+"/readyz", 200)
	get(t, p.url+"/metrics", 404)
	get(t, p.ops+"/api/v1/me", 404)
}

func TestMetricsCountTheStory(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	tokens, err := client{base: p.url}.register("ada@example.org", storyPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (client{base: p.url}).expect(200, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": tokens.text("refresh_token")}); err != nil {
		t.Fatal(err)
	}
	body := get(t, p.url+"/metrics", 200)
	for _, name := range []string{`signet_http_requests_total{method="POST",route="/api/v1/register",status="2xx"} 1`,
		`signet_http_request_duration_seconds_count{route="/api/v1/token/refresh"} 1`, "signet_sign_ins_total{", "signet_refreshes_total{",
		`signet_mails_total{outcome="sent"} 1`, "signet_hashes_total 1"} {
		if !strings.Contains(body, name) {
			t.Errorf("no %s", name)
		}
	}
	if strings.Contains(body, "ada@") || strings.Contains(body, "srt_") {
		t.Error("a caller's data in the metrics")
	}
}

func get(t *testing.T, url string, status int) string {
	t.Helper()
	got, err := testHTTP.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != status {
		t.Errorf("GET %s: %d, want %d: %s", url, got.StatusCode, status, body)
	}
	return string(body)
}

// A production server starts while its mail server is away, is ready, and has neither the mailbox nor codes in its output.
func TestServeWithoutDev(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kek := filepath.Join(dir, "kek")
	if err := keys.CreateKEKFile(kek); err != nil {
		t.Fatal(err)
	}
	p, err := startServer(dir, []string{"SIGNET_ISSUER=https://id.example.org", "SIGNET_SMTP_URL=smtp://127.0.0.1:1", "SIGNET_KEK_FILE=" + kek,
		"SIGNET_LISTEN=127.0.0.1:0", "SIGNET_LISTENN=x"}, "serve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	c := client{base: p.url}
	challenge, err := c.expect(http.StatusAccepted, "POST", "/api/v1/register", "", map[string]any{"email": "ada@example.org", "password": storyPassword})
	if err != nil {
		t.Fatal(err)
	}
	get(t, p.url+"/readyz", 200)
	get(t, p.url+"/dev/mailbox", 404)
	waitFor(t, "word of the mail server", startTime, func() bool {
		return strings.Contains(get(t, p.url+"/metrics", 200), `signet_mails_total{outcome="failed_connect"}`)
	})
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	log := p.log.String()
	if p.out.String() != "" || strings.Contains(log, challenge.text("challenge_id")) || strings.Contains(log, "ada@example.org") {
		t.Errorf("output %q, log\n%s", p.out.String(), log)
	}
	if !strings.Contains(log, `"msg":"unknown variable SIGNET_LISTENN is ignored; did you mean SIGNET_LISTEN?"`) {
		t.Error("the unknown variable is not logged")
	}
	checkLog(t, log)
}

// checkLog: every line is a JSON object with the fields that every line has, and requests have theirs.
func checkLog(t *testing.T, log string) {
	t.Helper()
	requests := 0
	for line := range strings.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("not JSON: %s", line)
			continue
		}
		at, err := time.Parse(time.RFC3339, fmt.Sprint(fields["time"]))
		if err != nil || at.Location() != time.UTC || fields["level"] == nil || fields["msg"] == nil {
			t.Errorf("fields are missing: %s", line)
		}
		if fields["msg"] != "request" {
			if fields["event"] == nil {
				t.Errorf("no event: %s", line)
			}
		} else {
			requests++
			for _, name := range []string{"request_id", "status", "ms", "ip"} {
				if fields[name] == nil {
					t.Errorf("no %s: %s", name, line)
				}
			}
		}
	}
	if requests == 0 {
		t.Error("no request was logged")
	}
}

func TestAddressInUseIsRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cmd := exec.Command("signet", "serve", "--dev", "--listen", taken.Addr().String())
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "SIGNET_LISTEN") {
		t.Errorf("%v\n%s", err, out)
	}
}

// kill -9 loses nothing that was answered.
func TestStateSurvivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	issuer := "SIGNET_ISSUER=http://localhost:9"
	p := serve(t, dir, issuer)
	tokens, err := client{base: p.url}.register("ada@example.org", storyPassword)
	if err != nil {
		t.Fatal(err)
	}
	p.kill()
	p = serve(t, dir, issuer)
	c := client{base: p.url}
	if _, err := c.expect(200, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": tokens.text("refresh_token")}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "signet-data", "kek")); err != nil {
		t.Error(err)
	}
}
