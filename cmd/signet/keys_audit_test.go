package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

// Every command that changes the ring is in the audit log, once, under the version that it made, with who gave it and why; and private keys that
// leave are, too. What changes nothing is not.
func TestKeyCommandsAreAudited(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	server, err := startServer(folder, nil, "serve", "--dev", "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.kill()
	data := "--data-dir=" + folder + "/signet-data"
	run := func(input string, args ...string) {
		t.Helper()
		var out, wrong bytes.Buffer
		p := &program{in: strings.NewReader(input), out: &out, err: &wrong}
		if status := p.execute(append(append([]string{"keys"}, args...), data)); status != exitDone {
			t.Fatalf("%v: %d, %s", args, status, wrong.String())
		}
	}
	run("", "rotate", "--alg=ES256", "--reason=a drill")
	run("", "rotate", "--alg=ES256", "--reason=again") // planned already
	run("", "rotate", "--now", "--accept-verification-failures", "--yes", "--alg=ES256")
	run("", "rollback", "--alg=ES256")
	run("", "revoke", "--all=RS256", "--yes")
	run("correct horse battery", "export", "--private", "--passphrase-stdin", "--yes")
	run("", "export")
	run("", "list")
	run("", "rewrap")

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := openStore(ctx, &Config{DataDir: folder + "/signet-data"}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(ctx)
	events, err := st.ListAudit(ctx, issuer.AuditQuery{}, issuer.Place{}, 200)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		if !strings.HasPrefix(e.Type, "keys.") {
			continue
		}
		got = append(got, e.Type)
		if !strings.HasPrefix(e.ID, e.Type+":") || !strings.HasPrefix(e.Detail, "by ") {
			t.Errorf("%+v", e)
		}
		if strings.Contains(e.Detail, "horse") || strings.Contains(e.Detail, "PRIVATE") {
			t.Errorf("a secret: %s", e.Detail)
		}
	}
	if want := []string{"keys.rotate", "keys.rotate", "keys.rollback", "keys.revoke", "keys.export"}; !slices.Equal(got, want) {
		t.Errorf("audited %v, want %v", got, want)
	}
	if i := slices.IndexFunc(events, func(e issuer.AuditEvent) bool { return e.Type == "keys.rotate" }); !strings.HasSuffix(events[i].Detail, "reason: a drill") {
		t.Errorf("%s", events[i].Detail)
	}
}
