package handlers

import (
	"errors"
	"io"
	"strings"
	"testing"

	"signet/keys"
)

func TestJWKS(t *testing.T) {
	e := newEdge(t)
	res := e.do("GET", "/.well-known/jwks.json", "")
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != 200 || string(b) != string(testJWKS.Body) || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Etag") != `"abc"` ||
		res.Header.Get("Cache-Control") != "public, max-age=300, stale-if-error=3600" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, b)
	}
	e.ring.set = &keys.PublishedSet{Body: []byte(`{"keys":[]}`), ETag: `"def"`, CacheControl: "public, max-age=1"}
	res = e.do("GET", "/.well-known/jwks.json", "", "If-None-Match", `"abc"`)
	if b, _ := io.ReadAll(res.Body); string(b) != `{"keys":[]}` || res.Header.Get("Etag") != `"def"` {
		t.Errorf("after a change: %v %s", res.Header, b)
	}
	e.ring.err = keys.ErrStale
	res = e.do("GET", "/.well-known/jwks.json", "")
	wantProblem(t, res, 503, "unavailable")
	if res.Header.Get("Etag") != "" {
		t.Errorf("an ETag of an error: %v", res.Header)
	}
}

func TestConditionalGET(t *testing.T) {
	for header, matches := range map[string]bool{
		`"abc"`: true, `W/"abc"`: true, `*`: true, ` "abc" `: true, `"x", "abc"`: true, `"x",W/"abc" , "y"`: true, `"a,b", "abc"`: true, `,, "abc"`: true,
		``: false, `"x"`: false, `abc`: false, `"abcd"`: false, `"ab`: false, `"x" "y`: false, `w/"abc"`: false, `"x", abc`: false, `"ABC"`: false, `W/`: false,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			res := newEdge(t).do(method, "/.well-known/jwks.json", "", "If-None-Match", header)
			b, _ := io.ReadAll(res.Body)
			if matches != (res.StatusCode == 304) || res.Header.Get("Etag") != `"abc"` || res.Header.Get("Cache-Control") != testJWKS.CacheControl {
				t.Errorf("%s: %d %v", header, res.StatusCode, res.Header)
			}
			if matches && (len(b) > 0 || res.Header.Get("Content-Type") != "" || res.Header.Get("Access-Control-Allow-Origin") != "*") {
				t.Errorf("%s: %v %q", header, res.Header, b)
			}
		}
	}
	if res := newEdge(t).do("GET", "/.well-known/jwks.json", "", "If-None-Match", `"x"`, "If-None-Match", `"abc"`); res.StatusCode != 304 {
		t.Errorf("two lines: %d", res.StatusCode)
	}
}

func TestDiscovery(t *testing.T) {
	e := newEdge(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		res := e.do("GET", path, "")
		b, _ := io.ReadAll(res.Body)
		const want = `{"issuer":"https://id.example.org","jwks_uri":"https://id.example.org/.well-known/jwks.json","response_types_supported":[],"subject_types_supported":["public"],` +
			`"id_token_signing_alg_values_supported":["RS256","ES256"]}`
		if res.StatusCode != 200 || string(b) != want || !strings.HasPrefix(res.Header.Get("Cache-Control"), "public") {
			t.Errorf("%s: %d %s", path, res.StatusCode, b)
		}
		if again := e.do("GET", path, "", "If-None-Match", res.Header.Get("Etag")); again.StatusCode != 304 {
			t.Errorf("%s: %d", path, again.StatusCode)
		}
	}
}

func TestHealth(t *testing.T) {
	e := newEdge(t)
	if m := decoded(t, e.do("GET", "/healthz", ""), 200); m["status"] != "ok" {
		t.Errorf("got %v", m)
	}
	if m := decoded(t, e.do("GET", "/readyz", ""), 200); m["status"] != "ready" {
		t.Errorf("got %v", m)
	}
	e.ring.ready, e.store.err = errors.New("the key ring is 40s old"), errors.New("dial mongodb://root:hunter2@db")
	p := wantProblem(t, e.do("GET", "/readyz", ""), 503, "unavailable")
	if !strings.Contains(p.Detail, "the key ring is 40s old") || !strings.Contains(p.Detail, "the store can't be reached") || strings.Contains(p.Detail, "hunter2") {
		t.Errorf("reason: %s", p.Detail)
	}
	decoded(t, e.do("GET", "/healthz", ""), 200)
}
