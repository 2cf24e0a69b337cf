package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"signet/issuer"
)

// FuzzDecode: whatever the body, nothing panics; what is accepted is what encoding/json reads from it, without NUL, U+FFFD that nobody
// wrote, or fields that nobody asked for.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		loginBody, `{}`, `[]`, ``, `null`, `{"email":"\ud83d\ude00","password":"\\\"\/\b"}`, `{"email":"\ud83d","password":"x"}`, `{"email":1,"email":2}`, `{"email":"a","password":"b"}{}`,
		`{"email":{"a":[1,2,{"b":null}]},"password":"b"}`, "{\"email\":\"a\xff\"}", `{"\u0065mail":"a","password":"\u0000"}`, strings.Repeat(`[`, 100), `{"cookie":true,"password":"b"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decodeObject(body)
		if err != nil {
			if issuer.KindOf(err) != issuer.KindInvalidRequest {
				t.Errorf("refused as %v", err)
			}
			return
		}
		email, password, cookie, name := got.given("email"), got.required("password"), got.flag("cookie"), got.change("given_name")
		if got.err() != nil {
			return
		}
		var want struct {
			Email, Password *string
			Cookie          *bool
			Name            *string `json:"given_name"`
		}
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		same := func(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
		if name != nil && *name == "" && want.Name == nil {
			want.Name = name // null clears
		}
		if !same(email, want.Email) || !same(&password, want.Password) || !same(name, want.Name) || (want.Cookie != nil && cookie != *want.Cookie) {
			t.Errorf("%q: got %v %q %v %v", body, email, password, cookie, name)
		}
		for _, s := range []*string{email, &password, name} {
			if s != nil && (strings.Contains(*s, "\x00") || !utf8.ValidString(*s) || len(*s) > maxText) {
				t.Errorf("%q: accepted %q", body, *s)
			}
		}
	})
}

// FuzzAuthorization: whatever the header, Basic and other schemes included, nothing panics, and a token that is taken from it is one
// that was presented alone, as Bearer.
func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{
		"", "Bearer", "Bearer ", "Bearer at.1", "bearer  at.1 ", "Bearer a b", "Bearer a, Bearer b", "Basic YWRhOmh1bnRlcjI=", "Basic", "Basic Og==", "Basic \xff", "Basic Bearer a",
		"Bearer Basic YTpi", "DPoP at.1", "Bearer\tat.1", " Bearer at.1", "Bearer ====", "Bearer a=b=", `Digest username="Bearer", a="b"`,
	} {
		f.Add(s, "")
		f.Add(s, "Bearer at.2")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{"Authorization": {first}}
		if second != "" {
			h.Add("Authorization", second)
		}
		token, presented := bearerToken(h)
		if token == "" {
			return
		}
		scheme, rest, _ := strings.Cut(first, " ")
		if !presented || second != "" || strings.ToLower(scheme) != "bearer" || strings.Trim(rest, " ") != token || len(token) > maxText || strings.ContainsAny(token, " ,\t\r\n\"\x00") {
			t.Errorf("%q, %q: took %q", first, second, token)
		}
	})
}
