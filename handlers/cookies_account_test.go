package handlers

import (
	"testing"

	"signet/issuer"
)

// withCookies are the headers of a signed-in browser that keeps its tokens in cookies.
func withCookies(more ...string) []string {
	return append([]string{"Authorization", "Bearer at.1", "Cookie", refreshValue + "; " + deviceHost + "=sdt_1"}, more...)
}

func TestStepUpKeepsTheCookie(t *testing.T) {
	const body = `{"challenge_id":"a","code":"123456"}`
	e := newEdge(t)
	e.provider.set.DeviceToken = ""
	res := e.do("POST", "/api/v1/step-up/verify", body, withCookies("Sec-Fetch-Site", "same-origin")...)
	wantKeys(t, decoded(t, res, 200), "access_token expires_in refresh_expires_in scope token_type")
	const want = "__Host-signet_refresh=srt_secret2; Path=/; Max-Age=1209600; HttpOnly; Secure; SameSite=Strict"
	if got := res.Header["Set-Cookie"]; len(got) != 1 || got[0] != want {
		t.Errorf("Set-Cookie: %q", got)
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		e := newEdge(t)
		res := e.do("POST", "/api/v1/step-up/verify", body, withCookies(headers...)...)
		wantProblem(t, res, 403, "forbidden")
		if len(e.provider.calls) != 1 || len(res.Cookies()) > 0 {
			t.Errorf("%q: calls %q, cookies %v", headers, e.provider.calls, res.Cookies())
		}
	}
	e.provider.err = &issuer.Error{Kind: issuer.KindInvalidCode}
	if res := e.do("POST", "/api/v1/step-up/verify", body, withCookies()...); len(res.Cookies()) > 0 || res.StatusCode != 401 {
		t.Errorf("a wrong code: %d, cookies %v", res.StatusCode, res.Cookies())
	}
}

func TestDeletingTheAccountClearsCookies(t *testing.T) {
	e := newEdge(t)
	res := e.do("DELETE", "/api/v1/me", `{"password":"a"}`, withCookies()...)
	for _, name := range []string{refreshHost, deviceHost} {
		if c := cookieNamed(res, name); res.StatusCode != 204 || c == nil || c.MaxAge >= 0 || c.Value != "" || c.Path != "/" || !c.Secure {
			t.Errorf("%d, cookie %v", res.StatusCode, c)
		}
	}
	if res := e.do("DELETE", "/api/v1/me", `{"password":"a"}`, bearer...); len(res.Cookies()) > 0 {
		t.Errorf("cookies that nobody sent: %v", res.Cookies())
	}
	e.provider.err = &issuer.Error{Kind: issuer.KindStepUpRequired}
	if res := e.do("DELETE", "/api/v1/me", `{"password":"a"}`, withCookies()...); len(res.Cookies()) > 0 {
		t.Errorf("refused, and cleared: %v", res.Cookies())
	}
}

func TestEndingTheCurrentSessionClearsTheCookie(t *testing.T) {
	e := newEdge(t)
	res := e.do("DELETE", "/api/v1/me/sessions/sid-1", "", withCookies()...)
	if c := cookieNamed(res, refreshHost); res.StatusCode != 204 || c == nil || c.MaxAge >= 0 || cookieNamed(res, deviceHost) != nil {
		t.Errorf("the current one: %d, %v", res.StatusCode, res.Cookies())
	}
	if res := e.do("DELETE", "/api/v1/me/sessions/sid-2", "", withCookies()...); res.StatusCode != 204 || len(res.Cookies()) > 0 {
		t.Errorf("another one: %d, %v", res.StatusCode, res.Cookies())
	}
	if res := e.do("DELETE", "/api/v1/me/sessions/sid-1", "", bearer...); res.StatusCode != 204 || len(res.Cookies()) > 0 {
		t.Errorf("without a cookie: %d, %v", res.StatusCode, res.Cookies())
	}
	e.provider.err = &issuer.Error{Kind: issuer.KindUnavailable}
	if res := e.do("DELETE", "/api/v1/me/sessions/sid-1", "", withCookies()...); len(res.Cookies()) > 0 {
		t.Errorf("cleared although the session may live: %v", res.Cookies())
	}
}

// TestOtherCallsLeaveCookies: of those that need an access token only a few touch cookies; a change of password keeps them.
func TestOtherCallsLeaveCookies(t *testing.T) {
	touch := map[string]bool{"DELETE /api/v1/me": true, "POST /api/v1/step-up/verify": true}
	for _, c := range append(openCalls, bearerCalls...) {
		e := newEdge(t)
		if res := e.do(c.method, c.path, c.body, withCookies()...); !touch[c.method+" "+c.path] && len(res.Cookies()) > 0 || res.StatusCode >= 300 {
			t.Errorf("%s %s: %d, cookies %v", c.method, c.path, res.StatusCode, res.Cookies())
		}
	}
}
