package main

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzTokenInspect: whatever a token holds, taking it apart ends, and what is printed does nothing to a terminal.
func FuzzTokenInspect(f *testing.F) {
	f.Add(`{"alg":"ES256","kid":"k"}`, `{"exp":1,"iat":-1,"aud":["a"],"nbf":1e99,"auth_time":"x"}`, true)
	f.Add("{\"\\u001b[2J\":\"\u009b2J\u202e\"}", `{"a":{"b":[null,true,1.5]}}`, true)
	f.Add(`{} {}`, `[]`, true)
	f.Add("a.b.c", "srt_", false)
	f.Fuzz(func(t *testing.T, header, payload string, encode bool) {
		token := header + "." + payload + ".c2ln"
		if encode {
			e := base64.RawURLEncoding.EncodeToString
			token = e([]byte(header)) + "." + e([]byte(payload)) + ".c2ln"
		}
		d, err := decodeToken(token)
		if err != nil {
			return
		}
		var out strings.Builder
		printToken(&out, d, time.Unix(1_800_000_000, 0))
		for _, r := range out.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("prints %q in %q", r, out.String())
			}
		}
	})
}

func TestTimesAreExplained(t *testing.T) {
	d, err := decodeToken(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"x"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1000000060,"iat":1000000000}`)) + ".")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	printToken(&out, d, time.Unix(1_000_000_030, 0))
	for _, want := range []string{"exp        1000000060  2001-09-09T01:47:40Z, in 30s", "iat        1000000000  2001-09-09T01:46:40Z, 30s ago"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
