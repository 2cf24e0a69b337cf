//go:build !pkcs11

package main

import (
	"os"
	"strings"
	"testing"
)

// A binary without PKCS #11 says so, whatever it is asked for, instead of quietly making keys elsewhere.
func TestWithoutPKCS11ItsSettingsAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"serve", "--dev", "--listen", "127.0.0.1:0"}, {"doctor", "--dev"}} {
		out, err := signetIn(dir, []string{"SIGNET_PKCS11_MODULE=/usr/lib/x.so", "SIGNET_PKCS11_TOKEN=signet", "SIGNET_PKCS11_PIN=hunter2"}, args...)
		if err == nil || !strings.Contains(out, "go build -tags pkcs11") || !strings.Contains(out, "SIGNET_PKCS11_MODULE") || strings.Contains(out, "hunter2") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if _, err := os.Stat(dir + "/signet-data"); err == nil {
		t.Error("something was made")
	}
	out, err := signetIn(dir, []string{"SIGNET_KEY_MAKER=pkcs11"}, "serve", "--dev", "--listen", "127.0.0.1:0")
	if err == nil || !strings.Contains(out, "SIGNET_KEY_MAKER") {
		t.Errorf("%v\n%s", err, out)
	}
	serve(t, dir)
	out, err = signetIn(dir, []string{"SIGNET_PKCS11_MODULE=/usr/lib/x.so"}, "keys", "rotate", "--yes")
	if err == nil || !strings.Contains(out, "go build -tags pkcs11") {
		t.Errorf("%v\n%s", err, out)
	}
}
