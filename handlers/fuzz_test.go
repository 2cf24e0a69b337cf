package handlers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
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

// FuzzCursor: whatever the text, nothing panics, and what is taken is exactly what cursor makes of the place that it gives.
func FuzzCursor(f *testing.F) {
	for _, p := range []issuer.Place{{}, {ID: "7"}, {At: longAgo, ID: "0194f3c0-9d5c-7b1e-8f00-000000000001"}, {At: longAgo, ID: "sign_in:c2lk"}, {ID: "\x00"}, {ID: "\xff"}} {
		for _, of := range []listKind{listOfUsers, listOfSessions, listOfAudit, 0} {
			f.Add(cursor(of, p))
		}
	}
	for _, s := range []string{"", "=", "dQ", "dQ==", "dX////////////", "dX__________9h", "dQAAAAAAAAAAYQ\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, of := range []listKind{listOfUsers, listOfSessions, listOfAudit} {
			p, ok := readCursor(of, text)
			if !ok {
				continue
			}
			if cursor(of, p) != text || p.ID == "" || len(p.ID) > longestPlaceID || !utf8.ValidString(p.ID) || p.At.Location() != time.UTC || p.At.Year() > 9999 {
				t.Errorf("%q: %v", text, p)
			}
		}
	})
}

// FuzzQuery: whatever the query, nothing panics; what is accepted is what net/url reads from it, each name once and none unknown.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", "q=a", "q=a&limit=5", "q=a&q=b", "limit=201", "limit=%35", "q=%zz", "q=%ff", "q=%00", "cursor=dQAAAAAAAAAAYQ", "disabled=true&role=admin", "=", "&", "&&=&", "q", "q;limit=5", "q=+%2B",
		"disabled=", "%71=a", "x=1", "q=a=b", "limit=05", "q=" + strings.Repeat("%61", 100),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := readParams(raw)
		if err != nil {
			return
		}
		q, role, disabled, g := p.search("q"), p.text("role"), p.flag("disabled"), p.page(listOfUsers)
		if p.err() != nil {
			return
		}
		if strings.Contains(raw, ";") {
			return // net/url takes none of those; they are a character like others
		}
		want, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("accepted %q: %v", raw, err)
		}
		if q != want.Get("q") || role != want.Get("role") || (disabled != nil) != want.Has("disabled") || g.limit < 1 || g.limit > mostLimit || want.Has("cursor") != (g.after.ID != "") {
			t.Errorf("%q: got %q %q %v %+v", raw, q, role, disabled, g)
		}
		for name, values := range want {
			if len(values) > 1 || !slices.Contains([]string{"q", "role", "disabled", "limit", "cursor"}, name) {
				t.Errorf("accepted %q", raw)
			}
		}
	})
}

// FuzzForm: whatever the body, JSON or a form, nothing panics; a string that is taken is valid, not blank and short, and never another than the
// body has under that name.
func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"", "{}", "[]", "null", `{"refresh":"srt_1"}`, `{"refresh":1}`, `{"refresh":01}`, `{"refresh":null}`, `{"refresh":" "}`, `{"refresh":"\ud800"}`, `{"refresh":"a","refresh":"b"}`, `{"x":[{"refresh":"a"}]}`,
		`{"refresh":true}`, `{"refresh":"\u0000"}`, "refresh=srt_1", "refresh=a&refresh=b", "refresh=%ff", "refresh=%00", "refresh=+a+", "refresh", "refresh=%zz", "x=1&refresh=a;b", "all=1", `{"all":[]}`, `{"all":{}}`,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, body string, form bool) {
		r := httptest.NewRequest("POST", "/api/token/refresh/", strings.NewReader(body))
		r.Header.Set("Content-Type", asJSON)
		if form {
			r.Header.Set("Content-Type", asForm)
		}
		b, err := readDRF(&call{exchange: &exchange{ResponseWriter: httptest.NewRecorder()}, r: r})
		if err != nil {
			if k := issuer.KindOf(err); k != issuer.KindInvalidRequest && k != kindPayloadTooLarge {
				t.Errorf("refused as %v", err)
			}
			return
		}
		token, _ := b.required("refresh"), b.truthy("all")
		if (token == "") != slices.ContainsFunc(b.faults, func(f issuer.FieldError) bool { return f.Field == "refresh" }) {
			t.Errorf("%q: got %q, faults %v", body, token, b.faults)
		}
		if !utf8.ValidString(token) || strings.Contains(token, "\x00") || len(token) > maxText || strings.TrimSpace(token) != token {
			t.Errorf("%q: accepted %q", body, token)
		}
		if want, err := url.ParseQuery(body); form && err == nil && token != "" && strings.TrimSpace(want.Get("refresh")) != token {
			t.Errorf("%q: got %q", body, token)
		}
	})
}
