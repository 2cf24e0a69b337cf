package handlers

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"signet/issuer"
)

func TestBadBodies(t *testing.T) {
	long := strings.Repeat("a", 10_000)
	for _, c := range []struct {
		name, body string
		fields     string // named in errors
	}{
		{"empty", "", ""},
		{"not JSON", "email=a&password=b", ""},
		{"half", `{"email":"a"`, ""},
		{"trailing data", `{"email":"a","password":"b"} {}`, ""},
		{"trailing comma", `{"email":"a","password":"b",}`, ""},
		{"single quotes", `{'email':'a'}`, ""},
		{"byte order mark", "\ufeff" + loginBody, ""},
		{"array", `[1]`, ""},
		{"string", `"email"`, ""},
		{"null", `null`, ""},
		{"number", `1`, ""},
		{"invalid UTF-8", "{\"email\":\"a\xff\",\"password\":\"b\"}", ""},
		{"overlong UTF-8", "{\"email\":\"\xc0\x80\",\"password\":\"b\"}", ""},
		{"raw NUL", "{\"email\":\"a\x00\",\"password\":\"b\"}", ""},
		{"nested objects", `{"email":` + strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat(`}`, 1000) + `,"password":"b"}`, ""},
		{"nested arrays", `{"email":` + strings.Repeat(`[`, 10_000), ""},
		{"only brackets", strings.Repeat(`[`, 60_000), ""},
		{"escaped NUL", `{"email":"a\u0000b","password":"b\u0000"}`, "email password"},
		{"high surrogate alone", `{"email":"\ud83d","password":"b"}`, "email"},
		{"low surrogate alone", `{"email":"\ude00","password":"b"}`, "email"},
		{"surrogates turned round", `{"email":"\ude00\ud83d","password":"b"}`, "email"},
		{"high surrogate and a letter", `{"email":"\ud83dx","password":"b"}`, "email"},
		{"nothing given", `{}`, "password"},
		{"nulls", `{"email":"a","password":null}`, "password"},
		{"wrong types", `{"email":1,"password":["b"],"client_id":{"a":"b"},"device_token":true}`, "email password client_id device_token"},
		{"unknown field", `{"email":"a","password":"b","admin":true}`, "admin"},
		{"nested unknown field", `{"email":"a","password":"b","x":{"y":[1]}}`, "x"},
		{"case matters", `{"Email":"a","email":"a","PASSWORD":"b"}`, "password Email PASSWORD"},
		{"repeated", `{"email":"a","password":"b","email":"c"}`, "email"},
		{"repeated in disguise", `{"email":"a","password":"b","\u0065mail":"c"}`, "email"},
		{"repeated and equal", `{"email":"a","password":"b","password":"b"}`, "password"},
		{"long e-mail", `{"email":"` + long + `","password":"b"}`, "email"},
		{"long in escapes", `{"email":"` + strings.Repeat(`\u0061`, 5000) + `","password":"b"}`, "email"},
		{"everything at once", `{"email":1,"x":2,"email":"a","y":3}`, "email email password x y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEdge(t)
			p := wantProblem(t, e.do("POST", "/api/v1/login", c.body), 400, "invalid_request")
			if p.fields() != c.fields {
				t.Errorf("named %q, want %q", p.fields(), c.fields)
			}
			if len(e.provider.calls) > 0 {
				t.Errorf("the issuer was called: %v", e.provider.calls)
			}
		})
	}
}

func TestGoodBodies(t *testing.T) {
	for _, c := range []struct {
		body string
		want issuer.LoginRequest
	}{
		{loginBody, issuer.LoginRequest{Email: "ada@example.org", Password: "correct horse"}},
		{" \r\n\t{ \"username\" : \"ada\" , \"password\" : \"b\" }\n", issuer.LoginRequest{Username: "ada", Password: "b"}},
		{`{"email":"a","password":"\ud83d\ude00\"\\\/\u00e9é","client_id":null}`, issuer.LoginRequest{Email: "a", Password: "😀\"\\/éé"}},
		{`{"email":"a","password":"\\ud83d","device_token":"d"}`, issuer.LoginRequest{Email: "a", Password: `\ud83d`, DeviceToken: "d"}},
		{`{"email":"a","password":"` + strings.Repeat("é", 2048) + `"}`, issuer.LoginRequest{Email: "a", Password: strings.Repeat("é", 2048)}},
		{`{"email":"","password":""}`, issuer.LoginRequest{}},
	} {
		e := newEdge(t)
		decoded(t, e.do("POST", "/api/v1/login", c.body), 200)
		if e.provider.last != c.want {
			t.Errorf("%s: got %+v", c.body, e.provider.last)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"` + strings.Repeat("n", 5000) + `":1`)
	for i := range 2000 {
		fmt.Fprintf(&b, `,"f%d":1`, i)
	}
	b.WriteString("}")
	p := wantProblem(t, newEdge(t).do("POST", "/api/v1/login", b.String()), 400, "invalid_request")
	if len(*p.Errors) != maxFaults || !slices.ContainsFunc(*p.Errors, func(f struct{ Field, Message string }) bool { return f.Field == strings.Repeat("n", 64) }) {
		t.Errorf("%d faults: %s", len(*p.Errors), p.fields())
	}
}

func TestContentTypes(t *testing.T) {
	for ct, good := range map[string]bool{
		"application/json": true, "Application/JSON": true, "application/json; charset=utf-8": true, "application/json;charset=UTF-8": true,
		"": false, "text/plain": false, "application/x-www-form-urlencoded": false, "multipart/form-data; boundary=x": false, "application/json; charset=utf-16": false,
		"application/jsonp": false, "application/problem+json": false, "application/json, text/plain": false, "application/json;;;": false, ";": false,
	} {
		e := newEdge(t)
		r := httptest.NewRequest("POST", "/api/v1/login", strings.NewReader(loginBody))
		if ct != "" {
			r.Header.Set("Content-Type", ct)
		}
		res := e.send(r)
		if good {
			decoded(t, res, 200)
		} else {
			wantProblem(t, res, 415, "unsupported_media_type")
		}
	}
	e := newEdge(t)
	wantProblem(t, e.do("POST", "/api/v1/login", loginBody, "Content-Type", "text/plain"), 415, "unsupported_media_type") // two of them
	wantProblem(t, e.do("POST", "/api/v1/login", loginBody, "Content-Encoding", "gzip"), 415, "unsupported_media_type")
	decoded(t, e.do("POST", "/api/v1/login", loginBody, "Content-Encoding", "identity"), 200)
}

func TestEveryCallIsStrict(t *testing.T) {
	for _, c := range []struct{ method, path, body, fields string }{
		{"POST", "/api/v1/register", `{"given_name":1,"family_name":2,"client_id":3,"z":4}`, "email password given_name family_name client_id z"},
		{"POST", "/api/v1/login/verify", `{"cookie":"yes","z":4}`, "challenge_id code cookie z"},
		{"POST", "/api/v1/login/verify", `{"challenge_id":"a","code":123456,"cookie":1}`, "code cookie"},
		{"POST", "/api/v1/login/resend", `{"z":4}`, "challenge_id z"},
		{"POST", "/api/v1/token/refresh", `{"refresh_token":1,"cookie":true}`, "refresh_token cookie"},
		{"POST", "/api/v1/token/verify", `{"refresh_token":"a"}`, "token refresh_token"},
		{"POST", "/api/v1/logout", `{"all":"1","z":4}`, "all z"},
		{"POST", "/api/v1/logout", `{"all":true,"refresh_token":"a"}`, "refresh_token"},
		{"PATCH", "/api/v1/me", `{"email":"b@example.org","roles":["admin"],"username":1}`, "username email roles"},
	} {
		e := newEdge(t)
		p := wantProblem(t, e.do(c.method, c.path, c.body, "Authorization", "Bearer at"), 400, "invalid_request")
		if p.fields() != c.fields {
			t.Errorf("%s %s: named %q, want %q", c.path, c.body, p.fields(), c.fields)
		}
		if len(e.provider.calls) > 1 || (len(e.provider.calls) == 1 && c.method == "POST") {
			t.Errorf("%s: the issuer was called: %v", c.path, e.provider.calls)
		}
	}
}
