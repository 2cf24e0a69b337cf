package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// accountScripts are the commands of the stories about accounts and the audit log.
var accountScripts = map[string]func(*testscript.TestScript, bool, []string){
	"field":  scriptField,
	"login":  scriptLogin,
	"told":   scriptTold,
	"follow": scriptFollow,
}

// scriptField: `field FIELD FILE NAME` sets $NAME to a field of the JSON object in FILE, which may be stdout.
func scriptField(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: field FIELD FILE NAME")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &object))
	text, _ := object[args[0]].(string)
	if text == "" {
		ts.Fatalf("no %s in %v", args[0], object)
	}
	ts.Setenv(args[2], text)
}

// scriptLogin: `login EMAIL PASSWORD FILE` signs in and writes the access token to FILE; with `!` the password is refused.
func scriptLogin(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: login EMAIL PASSWORD FILE")
	}
	c := client{base: ts.Getenv("URL")}
	before := len(lettersTo(ts, args[0]))
	want := http.StatusOK
	if neg {
		want = http.StatusUnauthorized
	}
	challenge, err := c.expect(want, "POST", "/api/v1/login", "", map[string]any{"email": args[0], "password": args[1]})
	ts.Check(err)
	if neg {
		return
	}
	code, err := c.code(args[0], before)
	ts.Check(err)
	tokens, err := c.expect(http.StatusOK, "POST", "/api/v1/login/verify", "", map[string]any{"challenge_id": challenge.text("challenge_id"), "code": code})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(tokens.text("access_token")+"\n"), 0o600))
}

// letter is a mail in the mailbox.
type letter struct{ To, Subject, Text, Code string }

func lettersTo(ts *testscript.TestScript, address string) (to []letter) {
	got, err := testHTTP.Get(ts.Getenv("URL") + "/dev/mailbox")
	ts.Check(err)
	defer got.Body.Close()
	var all []letter
	ts.Check(json.NewDecoder(got.Body).Decode(&all))
	for _, l := range all {
		if l.To == address {
			to = append(to, l)
		}
	}
	return to
}

// scriptTold: `told EMAIL WORD` waits for a mail without a code whose subject holds WORD.
func scriptTold(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(mailTime); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, l := range lettersTo(ts, args[0]) {
			if l.Code == "" && strings.Contains(strings.ToLower(l.Subject), args[1]) {
				return
			}
		}
	}
	ts.Fatalf("no mail of %s to %s after %s", args[1], args[0], mailTime)
}

// scriptFollow: `follow PATTERN COMMAND...` follows the audit log, runs a command once a first event is shown, waits for a line like PATTERN, and ends with
// Ctrl-C, which must be clean. Every line is another one.
func scriptFollow(ts *testscript.TestScript, _ bool, args []string) {
	tail := exec.Command("signet", "audit", "tail", "-f", "-n", "1")
	tail.Dir, tail.Stderr = ts.MkAbs("."), os.Stderr
	tail.Env = append(os.Environ(), "SIGNET_DATA_DIR="+ts.Getenv("SIGNET_DATA_DIR"))
	out, err := tail.StdoutPipe()
	ts.Check(err)
	ts.Check(tail.Start())
	stuck := time.AfterFunc(time.Minute, func() { _ = tail.Process.Kill() })
	defer stuck.Stop()
	pattern, seen, found := regexp.MustCompile(args[0]), map[string]bool{}, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if seen[line] {
			ts.Fatalf("shown twice: %s", line)
		}
		if seen[line] = true; len(seen) == 1 {
			ts.Check(ts.Exec(args[1], args[2:]...))
		} else if pattern.MatchString(line) {
			found = true
			ts.Check(tail.Process.Signal(os.Interrupt))
		}
	}
	if err := tail.Wait(); err != nil || !found {
		ts.Fatalf("followed to no line like %s: %v, %v", args[0], seen, err)
	}
}
