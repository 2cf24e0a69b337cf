//go:build pkcs11 && linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"signet/keys/pkcs11/softhsm"
)

func hsmSettings(h *softhsm.HSM) []string {
	return []string{"SOFTHSM2_CONF=" + h.Config, "SIGNET_PKCS11_MODULE=" + h.Module, "SIGNET_PKCS11_TOKEN=" + softhsm.Label, "SIGNET_PKCS11_PIN=" + softhsm.PIN,
		"SIGNET_KEY_POLL=1s", "SIGNET_ISSUER=http://localhost:9"}
}

// ringKeys is what `keys list --json` says.
func ringKeys(t *testing.T, dir string) (list []struct{ Kid, Alg, State string }) {
	t.Helper()
	out, err := signetIn(dir, nil, "keys", "list", "--json")
	if err != nil || json.Unmarshal([]byte(out), &list) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return list
}

func readiness(p *process, want int) func() bool {
	return func() bool {
		a, err := client{base: p.url}.call("GET", "/readyz", "", nil)
		return err == nil && a.status == want
	}
}

// A server whose keys are in a token, from sign-up to the token's loss and return.
func TestPKCS11ServerKeepsItsKeysInAToken(t *testing.T) {
	h := softhsm.New(t)
	dir, settings := t.TempDir(), hsmSettings(h)
	p := serve(t, dir, settings...)
	if n := len(h.Objects()); n != 8 {
		t.Errorf("%d objects for four keys", n)
	}
	c := client{base: p.url}
	tokens, err := c.register("ada@example.org", storyPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.expect(200, "GET", "/api/v1/me", tokens.text("access_token"), nil); err != nil {
		t.Error(err)
	}
	if out, err := signetIn(dir, settings, "doctor", "--dev"); err != nil || !strings.Contains(out, `the token "signet test" answers`) || !strings.Contains(out, "every key opens") {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(h.Objects()); n != 8 {
		t.Errorf("doctor left %d objects", n)
	}

	h.Remove()
	waitFor(t, "not ready", startTime, readiness(p, http.StatusServiceUnavailable))
	refresh := map[string]any{"refresh_token": tokens.text("refresh_token")}
	refused, err := c.expect(503, "POST", "/api/v1/token/refresh", "", refresh)
	if err != nil || refused.header.Get("Retry-After") == "" {
		t.Error(refused.header, err)
	}
	get(t, p.url+"/.well-known/jwks.json", 200)
	h.Insert()
	waitFor(t, "ready again", startTime, readiness(p, http.StatusOK))
	if _, err := c.expect(200, "POST", "/api/v1/token/refresh", "", refresh); err != nil {
		t.Error("the same token, when the keys are back:", err)
	}

	p.kill()
	p = serve(t, dir, settings...)
	get(t, p.url+"/readyz", 200)
	if n := len(h.Objects()); n != 8 {
		t.Errorf("%d objects after a restart", n)
	}
	if log := p.log.String(); strings.Contains(log, softhsm.PIN) || !strings.Contains(log, `"event":"keys.vault"`) {
		t.Error("the PIN is in the log, or nothing of the token")
	}
}

func TestPKCS11CommandsReachTheToken(t *testing.T) {
	h := softhsm.New(t)
	dir, settings := t.TempDir(), hsmSettings(h)
	p := serve(t, dir, settings...)
	signing := ""
	for _, k := range ringKeys(t, dir) {
		if k.Alg == "ES256" && k.State == "signing" {
			signing = k.Kid
		}
	}
	out, err := signetIn(dir, nil, "keys", "revoke", signing, "--yes")
	if err == nil || !strings.Contains(out, "no access here") {
		t.Errorf("a command that knows nothing of the token makes a key elsewhere: %v\n%s", err, out)
	}
	if out, err = signetIn(dir, settings, "keys", "revoke", signing, "--yes", "--json"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var changes []struct {
		RingVersion int `json:"ring_version"`
	}
	if err := json.Unmarshal([]byte(out), &changes); err != nil || len(changes) == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	waitFor(t, "the server has the new ring", startTime, func() bool {
		return strings.Contains(get(t, p.url+"/metrics", 200), fmt.Sprintf("signet_ring_version %d\n", changes[0].RingVersion))
	})
	list := ringKeys(t, dir)
	for _, k := range list {
		if k.Kid == signing {
			t.Error("the key is not revoked")
		}
	}
	waitFor(t, "the objects of the ring's keys, and no others", startTime, func() bool { return len(h.Objects()) == 2*len(list) })
	if out, err := signetIn(dir, settings, "keys", "rotate", "--yes"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := (client{base: p.url}).register("ada@example.org", storyPassword); err != nil {
		t.Error(err)
	}
	get(t, p.url+"/readyz", 200)

	// The standby is deleted with the token's own tools.
	h.DestroyAll()
	waitFor(t, "not ready", startTime, readiness(p, http.StatusServiceUnavailable))
	waitFor(t, "word of it", startTime, p.logged(`"event":"keys.key_unusable"`))
}

func TestPKCS11WrongSettingsAreRefused(t *testing.T) {
	h := softhsm.New(t)
	dir, right := t.TempDir(), hsmSettings(h)
	for name, c := range map[string]struct {
		environ []string
		want    string
	}{
		"wrong PIN":    {append(right, "SIGNET_PKCS11_PIN=1234567"), "SIGNET_PKCS11_PIN"},
		"no PIN":       {append(right, "SIGNET_PKCS11_PIN="), "SIGNET_PKCS11_PIN is not set"},
		"no token":     {append(right, "SIGNET_PKCS11_TOKEN="), "SIGNET_PKCS11_TOKEN is not set"},
		"no library":   {append(right, "SIGNET_PKCS11_MODULE="+h.Config), "a PKCS #11 library"},
		"maker alone":  {[]string{"SIGNET_KEY_MAKER=pkcs11"}, "SIGNET_PKCS11_MODULE"},
		"empty ring":   {append(right, "SIGNET_PKCS11_TOKEN=another"), "no token with this label"},
		"long a label": {append(right, "SIGNET_PKCS11_TOKEN="+strings.Repeat("x", 33)), "at most 32 bytes"},
	} {
		out, err := signetIn(dir, c.environ, "serve", "--dev", "--listen", "127.0.0.1:0")
		if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, "1234567") || strings.Contains(out, softhsm.PIN) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if n := len(h.Objects()); n != 0 {
		t.Errorf("%d objects were made", n)
	}
}

// A ring that began in software goes on in the token, by a rotation, and every token issued on the way is good.
func TestPKCS11FromSoftwareToTheToken(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") != "1" {
		t.Skip("a long proof: SIGNET_TEST_LONG=1 runs it")
	}
	h := softhsm.New(t)
	dir := t.TempDir()
	// A compressed policy that holds: a key is known after 16 s, and signs for 18.
	fast := []string{"SIGNET_KEY_POLL=500ms", "SIGNET_CLOCK_SKEW=500ms", "SIGNET_KEY_PUBLISH_AHEAD=16s", "SIGNET_KEY_SIGNING_PERIOD=18s", "SIGNET_JWKS_MAX_AGE=1s",
		"SIGNET_JWKS_STALE_IF_ERROR=1s", "SIGNET_ACCESS_TTL=5m", "SIGNET_ISSUER=http://localhost:9"}
	p := serve(t, dir, fast...)
	c := client{base: p.url}
	tokens, err := c.register("ada@example.org", storyPassword)
	if err != nil {
		t.Fatal(err)
	}
	before := tokens.text("access_token")
	p.kill()
	p = serve(t, dir, append(hsmSettings(h), fast...)...)
	c = client{base: p.url}
	kids := map[string]bool{}
	for _, k := range ringKeys(t, dir) {
		kids[k.Kid] = true
	}
	waitFor(t, "a key of the token signs", 3*startTime, func() bool {
		for _, k := range ringKeys(t, dir) {
			if k.Alg == "ES256" && k.State == "signing" && !kids[k.Kid] {
				return true
			}
		}
		time.Sleep(500 * time.Millisecond)
		return false
	})
	refreshed, err := c.expect(200, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": tokens.text("refresh_token")})
	if err != nil {
		t.Fatal(err)
	}
	for name, bearer := range map[string]string{"by software": before, "by the token": refreshed.text("access_token")} {
		if _, err := c.expect(200, "GET", "/api/v1/me", bearer, nil); err != nil {
			t.Error(fmt.Errorf("signed %s: %w", name, err))
		}
	}
	if len(h.Objects()) == 0 {
		t.Error(errors.New("nothing in the token"))
	}
}
