package handlers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

const (
	asForm = "application/x-www-form-urlencoded"
	asJSON = "application/json"
)

func compatible(t *testing.T) *edge {
	return newEdge(t, func(c *Config) { c.SimpleJWT = true })
}

// post sends a body of any type.
func (e *edge) post(path, mediaType, body string, headers ...string) *http.Response {
	e.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return e.send(r)
}

// wantJSON checks an answer of the compatible paths byte for byte, and what all of them have.
func wantJSON(t *testing.T, res *http.Response, status int, body string) {
	t.Helper()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != status || string(b) != body || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s, want %d %s", res.StatusCode, res.Header, b, status, body)
	}
	if status == 401 && res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("a 401 without a challenge: %v", res.Header)
	}
	if len(res.Cookies()) > 0 {
		t.Errorf("cookies: %v", res.Cookies())
	}
}

// bothWays are the fields of a flat object as JSON and as a form.
func bothWays(object string) map[string]string {
	var fields map[string]string
	if err := json.Unmarshal([]byte(object), &fields); err != nil {
		panic(err)
	}
	form := url.Values{}
	for k, v := range fields {
		form.Set(k, v)
	}
	return map[string]string{asJSON: object, asForm: form.Encode()}
}

func TestSimpleJWTCalls(t *testing.T) {
	const pair = `{"access":"at.secret.1","refresh":"srt_secret2"}`
	const secondStep = `{"detail":"A code was mailed. Send it here, with this challenge_id, as code.","code":"second_step_required","challenge_id":"chal-secret-1"}`
	for _, c := range []struct {
		path, body string
		call       string
		want       any
		status     int
		answer     string
	}{
		{"/api/token/", `{"email":"ada@example.org","password":" a b "}`, "Login", issuer.LoginRequest{Email: "ada@example.org", Password: " a b "}, 401, secondStep},
		{"/api/token/", `{"username":" ada ","password":"é+&="}`, "Login", issuer.LoginRequest{Username: "ada", Password: "é+&="}, 401, secondStep},
		{"/api/token/", `{"email":"","username":"ada","password":"b","challenge_id":"","code":"","next":"/"}`, "Login", issuer.LoginRequest{Username: "ada", Password: "b"}, 401, secondStep},
		{"/api/token/", `{"challenge_id":"c","code":" 123456 ","password":"b"}`, "Verify", issuer.VerifyRequest{ChallengeID: "c", Code: "123456"}, 200, pair},
		{"/api/token/refresh/", `{"refresh":"srt_1"}`, "Refresh", "srt_1", 200, pair},
		{"/api/token/verify/", `{"token":"at.1"}`, "VerifyToken", "at.1", 200, `{}`},
		{"/api/token/blacklist/", `{"refresh":"srt_1"}`, "Logout", "srt_1", 200, `{}`},
		{"/logout_token/", `{"refresh_token":"srt_1","all":"0"}`, "Logout", "srt_1", 200, `{"status":"OK, goodbye"}`},
		{"/logout_token/", `{"all":"1"}`, "LogoutAll", "user-1", 200, `{"status":"OK, goodbye, all refresh tokens blacklisted"}`},
	} {
		for mediaType, body := range bothWays(c.body) {
			for _, params := range []string{"", "; charset=utf-8"} {
				e := compatible(t)
				e.provider.claim = `{"sub":"user-1"}`
				wantJSON(t, e.post(c.path, mediaType+params, body, "Authorization", "Bearer at.1", "Cookie", refreshValue), c.status, c.answer)
				if got := e.provider.calls; got[len(got)-1] != c.call || e.provider.last != c.want {
					t.Errorf("%s %s: calls %q, the issuer got %+v", c.path, body, got, e.provider.last)
				}
			}
		}
	}
	e := compatible(t)
	decoded(t, e.post("/api/token/", asJSON, `{"challenge_id":"c","code":123456}`), 200)
	if got := e.provider.last.(issuer.VerifyRequest).Code; got != "123456" {
		t.Errorf("a number: %q", got)
	}
	if line := e.lines()[0]; line["sub"] != "user-1" || line["event"] != "simplejwt_obtain" || line["route"] != "/api/token/" {
		t.Errorf("logged as %v", line)
	}
	e = compatible(t)
	e.post("/api/token/", asJSON, `{"email":"a","password":"b"}`)
	if line := e.lines()[0]; line["code"] != "second_step_required" || line["status"] != 401.0 {
		t.Errorf("logged as %v", line)
	}
}

// TestSimpleJWTErrors: every kind of trouble in the words that its clients know.
func TestSimpleJWTErrors(t *testing.T) {
	login, code, refresh := `{"email":"a","password":"b"}`, `{"challenge_id":"c","code":"1"}`, `{"refresh":"srt_1"}`
	for _, c := range []struct {
		path, body string
		err        issuer.Error
		status     int
		answer     string
	}{
		{"/api/token/", login, issuer.Error{Kind: issuer.KindInvalidCredentials}, 401, `{"detail":"No active account found with the given credentials","code":"no_active_account"}`},
		{"/api/token/", login, issuer.Error{Kind: issuer.KindPasswordResetRequired}, 403, `{"detail":"The password has to be reset first.","code":"password_reset_required"}`},
		{"/api/token/", login, issuer.Error{Kind: issuer.KindRateLimited, RetryAfter: 29500 * time.Millisecond}, 429, `{"detail":"Request was throttled. Expected available in 30 seconds.","code":"throttled"}`},
		{"/api/token/", login, issuer.Error{Kind: issuer.KindRateLimited}, 429, `{"detail":"Request was throttled. Expected available in 1 second.","code":"throttled"}`},
		{"/api/token/", login, issuer.Error{Kind: issuer.KindInvalidRequest, Fields: []issuer.FieldError{{Field: "email", Message: "must be an address"}, {Field: "email", Message: "is too long"}}}, 400,
			`{"email":["must be an address","is too long"]}`},
		{"/api/token/", code, issuer.Error{Kind: issuer.KindInvalidCode}, 401, `{"detail":"That is not the code that was mailed last.","code":"invalid_code"}`},
		{"/api/token/", code, issuer.Error{Kind: issuer.KindChallengeExpired}, 401, `{"detail":"Start again.","code":"challenge_expired"}`},
		{"/api/token/", code, issuer.Error{Kind: issuer.KindTooManyAttempts}, 401, `{"detail":"Start again.","code":"too_many_attempts"}`},
		{"/api/token/refresh/", refresh, issuer.Error{Kind: issuer.KindInvalidToken}, 401, `{"detail":"Token is invalid or expired","code":"token_not_valid"}`},
		{"/api/token/refresh/", refresh, issuer.Error{Kind: issuer.KindTokenReused}, 401, `{"detail":"Token is blacklisted","code":"token_not_valid"}`},
		{"/api/token/refresh/", refresh, issuer.Error{Kind: issuer.KindSessionRevoked}, 401, `{"detail":"Token is blacklisted","code":"token_not_valid"}`},
		{"/api/token/refresh/", refresh, issuer.Error{Kind: issuer.KindUnavailable, RetryAfter: time.Second}, 503, `{"detail":"The service can't answer just now.","code":"unavailable"}`},
		{"/api/token/refresh/", refresh, issuer.Error{Kind: issuer.KindInternal, Detail: "Something went wrong."}, 500, `{"detail":"Something went wrong.","code":"internal"}`},
		{"/api/token/verify/", `{"token":"at.1"}`, issuer.Error{Kind: issuer.KindUnavailable}, 503, `{"detail":"The service can't answer just now.","code":"unavailable"}`},
		{"/api/token/blacklist/", refresh, issuer.Error{Kind: issuer.KindInvalidToken}, 401, `{"detail":"Token is invalid or expired","code":"token_not_valid"}`},
		{"/logout_token/", `{"refresh_token":"x"}`, issuer.Error{Kind: issuer.KindInvalidToken}, 401, `{"detail":"Token is invalid or expired","code":"token_not_valid"}`},
	} {
		e := compatible(t)
		e.provider.err = &c.err
		res := e.post(c.path, asJSON, c.body, "Authorization", "Bearer at.1")
		wantJSON(t, res, c.status, c.answer)
		if waits := c.status == 429 || c.status == 503; waits != (res.Header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", c.answer, res.Header.Get("Retry-After"))
		}
	}
	wantJSON(t, compatible(t).post("/api/token/verify/", asJSON, `{"token":"at.1"}`), 401, `{"detail":"Token is invalid or expired","code":"token_not_valid"}`)
}

func TestSimpleJWTFields(t *testing.T) {
	const required, null, blank, repeated, odd = "This field is required.", "This field may not be null.", "This field may not be blank.", "This field may not be repeated.", "Not a valid string."
	long := strings.Repeat("a", maxText+1)
	for _, c := range []struct{ path, mediaType, body, answer string }{
		{"/api/token/", "", "", `{"password":["` + required + `"],"username":["` + required + `"]}`},
		{"/api/token/", asJSON, `{}`, `{"password":["` + required + `"],"username":["` + required + `"]}`},
		{"/api/token/", asJSON, `{"email":null,"password":""}`, `{"email":["` + null + `"],"password":["` + blank + `"]}`},
		{"/api/token/", asForm, "username=+&password=", `{"password":["` + blank + `"],"username":["` + blank + `"]}`},
		{"/api/token/", asJSON, `{"username":["a"],"password":{"a":1}}`, `{"password":["` + odd + `"],"username":["` + odd + `"]}`},
		{"/api/token/", asJSON, `{"username":true,"password":1.5}`, `{"password":["` + odd + `"],"username":["` + odd + `"]}`},
		{"/api/token/", asJSON, `{"username":"\ud800","password":"\u0000"}`, `{"password":["` + odd + `"],"username":["` + odd + `"]}`},
		{"/api/token/", asJSON, `{"username":"` + long + `","password":"a"}`, `{"username":["Ensure this field has no more than 4096 characters."]}`},
		{"/api/token/", asForm, "username=a&password=b&password=c", `{"password":["` + repeated + `"]}`},
		{"/api/token/", asJSON, `{"username":"a","password":"b","password":"b"}`, `{"password":["` + repeated + `"]}`},
		{"/api/token/", asJSON, `{"code":"1"}`, `{"challenge_id":["` + required + `"]}`},
		{"/api/token/refresh/", asForm, "token=a", `{"refresh":["` + required + `"]}`},
		{"/api/token/verify/", asJSON, `{"token":" "}`, `{"token":["` + blank + `"]}`},
		{"/api/token/blacklist/", "", "", `{"refresh":["` + required + `"]}`},
		{"/logout_token/", asJSON, `{"all":false}`, `{"refresh_token":["` + required + `"]}`},
		{"/logout_token/", asForm, "all=1&all=1", `{"all":["` + repeated + `"],"refresh_token":["` + required + `"]}`},
	} {
		e := compatible(t)
		wantJSON(t, e.post(c.path, c.mediaType, c.body, "Authorization", "Bearer at.1"), 400, c.answer)
		if n := len(e.provider.calls); n > 1 || (n == 1 && c.path != "/logout_token/") {
			t.Errorf("%s %.80s: calls %q", c.path, c.body, e.provider.calls)
		}
	}
	for _, all := range []string{`"1"`, `1`, `true`, `"true"`, `"yes"`} {
		e := compatible(t)
		if e.post("/logout_token/", asJSON, `{"all":`+all+`}`, "Authorization", "Bearer at.1"); e.provider.calls[len(e.provider.calls)-1] != "LogoutAll" {
			t.Errorf("all: %s: calls %q", all, e.provider.calls)
		}
	}
	for _, all := range []string{`"0"`, `0`, `false`, `"False"`, `""`, `null`, `[]`} {
		e := compatible(t)
		if e.post("/logout_token/", asJSON, `{"refresh_token":"a","all":`+all+`}`, "Authorization", "Bearer at.1"); e.provider.calls[len(e.provider.calls)-1] != "Logout" {
			t.Errorf("all: %s: calls %q", all, e.provider.calls)
		}
	}
}

func TestSimpleJWTBadBodies(t *testing.T) {
	for _, path := range simpleJWTPaths {
		for _, c := range []struct {
			mediaType, body string
			status          int
			code            string
		}{
			{asJSON, `[]`, 400, "parse_error"}, {asJSON, `{`, 400, "parse_error"}, {asJSON, "{\"a\":\"\xff\"}", 400, "parse_error"}, {asJSON, strings.Repeat("[", 1000), 400, "parse_error"},
			{asForm, "a=%zz", 400, "parse_error"}, {asForm, "a=%ff", 400, "parse_error"}, {asForm, "a=\x00", 400, "parse_error"},
			{"", `{}`, 415, "unsupported_media_type"}, {"text/plain", `{}`, 415, "unsupported_media_type"}, {"multipart/form-data; boundary=x", "--x--", 415, "unsupported_media_type"},
			{asForm + "; charset=latin-1", "a=b", 415, "unsupported_media_type"}, {asJSON + "; charset=utf-16", "{}", 415, "unsupported_media_type"},
			{asJSON, strings.Repeat(" ", maxBody+1), 413, "payload_too_large"}, {asForm, strings.Repeat("a", maxBody+1), 413, "payload_too_large"},
		} {
			e := compatible(t)
			res := e.post(path, c.mediaType, c.body, "Authorization", "Bearer at.1")
			m := decoded(t, res, c.status)
			wantKeys(t, m, "code detail")
			if m["code"] != c.code || res.Header.Get("Content-Type") != asJSON || (len(e.provider.calls) > 0 && path != "/logout_token/") {
				t.Errorf("%s %s %.40q: %v, calls %q", path, c.mediaType, c.body, m, e.provider.calls)
			}
		}
		e := compatible(t)
		if m := decoded(t, e.post(path, asForm, "a=b", "Content-Encoding", "gzip", "Authorization", "Bearer at.1"), 415); m["code"] != "unsupported_media_type" {
			t.Errorf("compressed: %v", m)
		}
	}
}

func TestSimpleJWTLogoutNeedsAToken(t *testing.T) {
	e := compatible(t)
	wantJSON(t, e.post("/logout_token/", asJSON, `{"all":"1"}`), 401, `{"detail":"Authentication credentials were not provided.","code":"not_authenticated"}`)
	wantJSON(t, e.post("/logout_token/", asJSON, `{"all":"1"}`, "Authorization", "Bearer a b"), 401, `{"detail":"Given token not valid for any token type","code":"token_not_valid"}`)
	e.provider.auth = &issuer.Error{Kind: issuer.KindSessionRevoked}
	wantJSON(t, e.post("/logout_token/", asJSON, `{"all":"1"}`, "Authorization", "Bearer at.1"), 401, `{"detail":"Given token not valid for any token type","code":"token_not_valid"}`)
	e.provider.auth = &issuer.Error{Kind: issuer.KindForbidden}
	wantJSON(t, e.post("/logout_token/", asJSON, `{"all":"1"}`, "Authorization", "Bearer at.1"), 403, `{"detail":"You do not have permission to perform this action.","code":"permission_denied"}`)
	for _, call := range e.provider.calls {
		if !strings.HasPrefix(call, "Authenticate") {
			t.Errorf("called %s", call)
		}
	}
}

func TestSimpleJWTMethodsAndPaths(t *testing.T) {
	for _, path := range simpleJWTPaths {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
			res := compatible(t).do(method, path, "")
			if res.Header.Get("Allow") != "POST, OPTIONS" {
				t.Errorf("%s %s: Allow %q", method, path, res.Header.Get("Allow"))
			}
			wantJSON(t, res, 405, fmt.Sprintf(`{"detail":"Method \"%s\" not allowed.","code":"method_not_allowed"}`, method))
		}
		wantProblem(t, compatible(t).do("POST", strings.TrimSuffix(path, "/"), ""), 404, "not_found")
		wantProblem(t, newEdge(t).do("POST", path, ""), 404, "not_found")

		res := compatible(t).do("OPTIONS", path, "", "Origin", testApp, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		if res.StatusCode/100 != 2 || res.Header.Get("Access-Control-Allow-Origin") != testApp {
			t.Errorf("preflight of %s: %d %v", path, res.StatusCode, res.Header)
		}
		for origin, allowed := range map[string]string{testApp: testApp, "https://evil.example": ""} {
			if got := compatible(t).post(path, asJSON, "{", "Origin", origin).Header.Get("Access-Control-Allow-Origin"); got != allowed {
				t.Errorf("%s from %s: allows %q", path, origin, got)
			}
		}
	}
	e := compatible(t)
	e.provider.panic = "something broke"
	wantJSON(t, e.post("/api/token/refresh/", asJSON, `{"refresh":"a"}`), 500, `{"detail":"Something went wrong.","code":"internal"}`)
}
