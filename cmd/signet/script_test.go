package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the command line as people and scripts do: testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"server": scriptServer,
		"signin": scriptSignIn,
		"forge":  scriptForge,
		"kek":    scriptKEK,
		"mode":   scriptMode,
	}
	maps.Copy(commands, keyScripts)
	maps.Copy(commands, accountScripts)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[serverKey{}] = new(*process)
			return nil
		},
		Cmds: commands,
	})
}

type serverKey struct{}

// scriptServer: `server start [ARGS]` runs a development server in the current folder and sets $URL; `server stop` ends it with SIGTERM, which must be
// clean.
func scriptServer(ts *testscript.TestScript, _ bool, args []string) {
	current := ts.Value(serverKey{}).(**process)
	if len(args) > 0 && args[0] == "stop" {
		if *current == nil {
			ts.Fatalf("no server runs")
		}
		ts.Check((*current).stop())
		return
	}
	if len(args) == 0 || args[0] != "start" {
		ts.Fatalf("usage: server start|stop")
	}
	var environ []string
	for _, name := range environmentNames() {
		if value := ts.Getenv(name); value != "" {
			environ = append(environ, name+"="+value)
		}
	}
	p, err := startServer(ts.MkAbs("."), environ, append([]string{"serve", "--dev", "--listen", "127.0.0.1:0"}, args[1:]...)...)
	ts.Check(err)
	*current = p
	ts.Defer(func() {
		select {
		case <-p.ended:
		default:
			p.kill()
		}
	})
	ts.Setenv("URL", p.url)
	ts.Setenv("ISSUER", p.issuer)
}

// scriptSignIn: `signin EMAIL PASSWORD FILE` registers and writes the access token to FILE.
func scriptSignIn(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: signin EMAIL PASSWORD FILE")
	}
	tokens, err := client{base: ts.Getenv("URL")}.register(args[0], args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(tokens.text("access_token")+"\n"), 0o600))
}

// scriptKEK: `kek FILE` makes a file of key-encryption keys, of its owner alone.
func scriptKEK(ts *testscript.TestScript, _ bool, args []string) {
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(key+"\n"), 0o600))
}

// scriptMode: `mode FILE 0600` checks permissions.
func scriptMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := info.Mode().Perm().String(); !strings.HasSuffix(got, args[1]) {
		ts.Fatalf("%s is %s, want %s", filepath.Base(args[0]), got, args[1])
	}
}
