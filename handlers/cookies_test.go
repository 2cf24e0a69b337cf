package handlers

import (
	"net/http"
	"strings"
	"testing"

	"signet/issuer"
)

const (
	verifyBody   = `{"challenge_id":"a","code":"123456","cookie":true}`
	refreshHost  = "__Host-signet_refresh"
	deviceHost   = "__Host-signet_device"
	refreshValue = refreshHost + "=srt_1"
)

func cookieNamed(res *http.Response, name string) *http.Cookie {
	for _, c := range res.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func TestVerifySetsCookies(t *testing.T) {
	e := newEdge(t)
	res := e.do("POST", "/api/v1/login/verify", verifyBody, "Sec-Fetch-Site", "same-origin")
	wantKeys(t, decoded(t, res, 200), "access_token expires_in refresh_expires_in scope token_type")
	const refresh = "__Host-signet_refresh=srt_secret2; Path=/; Max-Age=1209600; HttpOnly; Secure; SameSite=Strict"
	const device = "__Host-signet_device=sdt_secret3; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax"
	if got := res.Header["Set-Cookie"]; len(got) != 2 || got[0] != refresh || got[1] != device {
		t.Errorf("Set-Cookie: %q", got)
	}
}

func TestCookiesOverHTTPInDevelopment(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Issuer = "http://localhost:8080" })
	res := e.do("POST", "/api/v1/login/verify", verifyBody)
	decoded(t, res, 200)
	const refresh = "signet_refresh=srt_secret2; Path=/; Max-Age=1209600; HttpOnly; SameSite=Strict"
	if got := res.Header["Set-Cookie"]; len(got) != 2 || got[0] != refresh || !strings.HasPrefix(got[1], "signet_device=") {
		t.Errorf("Set-Cookie: %q", got)
	}
	decoded(t, e.do("POST", "/api/v1/token/refresh", "", "Cookie", "signet_refresh=srt_1"), 200)
	wantProblem(t, e.do("POST", "/api/v1/token/refresh", "", "Cookie", refreshValue), 401, "invalid_token")
}

func TestTheDeviceIsRemembered(t *testing.T) {
	e := newEdge(t)
	decoded(t, e.do("POST", "/api/v1/login", loginBody, "Cookie", deviceHost+"=sdt_1"), 200)
	if got := e.provider.last.(issuer.LoginRequest).DeviceToken; got != "sdt_1" {
		t.Errorf("login: device %q", got)
	}
	decoded(t, e.do("POST", "/api/v1/login", `{"email":"a","password":"b","device_token":"sdt_body"}`, "Cookie", deviceHost+"=sdt_1"), 200)
	if got := e.provider.last.(issuer.LoginRequest).DeviceToken; got != "sdt_body" {
		t.Errorf("login: device %q, the body should win", got)
	}
	decoded(t, e.do("POST", "/api/v1/login/verify", verifyBody, "Cookie", deviceHost+"=sdt_1"), 200)
	if got := e.provider.last.(issuer.VerifyRequest).DeviceToken; got != "sdt_1" {
		t.Errorf("verify: device %q", got)
	}
}

func TestRefreshByCookie(t *testing.T) {
	for _, body := range []string{"", "{}"} {
		e := newEdge(t)
		res := e.do("POST", "/api/v1/token/refresh", body, "Cookie", refreshValue)
		wantKeys(t, decoded(t, res, 200), "access_token expires_in refresh_expires_in scope token_type")
		if c := cookieNamed(res, refreshHost); e.provider.last != "srt_1" || c == nil || c.Value != "srt_secret2" || c.MaxAge != 1209600 || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode {
			t.Errorf("the issuer got %v, cookie %v", e.provider.last, c)
		}
	}
}

func TestABodyTokenWinsOverTheCookie(t *testing.T) {
	e := newEdge(t)
	res := e.do("POST", "/api/v1/token/refresh", `{"refresh_token":"srt_body"}`, "Cookie", refreshValue, "Sec-Fetch-Site", "cross-site")
	if m := decoded(t, res, 200); e.provider.last != "srt_body" || m["refresh_token"] != "srt_secret2" || len(res.Cookies()) > 0 {
		t.Errorf("the issuer got %v, answer %v, cookies %v", e.provider.last, m, res.Cookies())
	}
	e.provider.err = &issuer.Error{Kind: issuer.KindInvalidToken}
	res = e.do("POST", "/api/v1/token/refresh", `{"refresh_token":"srt_body"}`, "Cookie", refreshValue)
	wantProblem(t, res, 401, "invalid_token")
	if len(res.Cookies()) > 0 {
		t.Errorf("cookies of a body refusal: %v", res.Cookies())
	}
	if res = e.do("POST", "/api/v1/logout", `{"refresh_token":"srt_body"}`, "Cookie", refreshValue); res.StatusCode != 204 || len(res.Cookies()) > 0 {
		t.Errorf("logout: %d, cookies %v", res.StatusCode, res.Cookies())
	}
}

func TestOnlyAFinalRefusalClearsTheCookie(t *testing.T) {
	for code, status := range statuses {
		e := newEdge(t)
		e.contrived = true
		e.provider.err = &issuer.Error{Kind: issuer.Kind(code)}
		res := e.do("POST", "/api/v1/token/refresh", "", "Cookie", refreshValue)
		wantProblem(t, res, status, code)
		c := cookieNamed(res, refreshHost)
		if status == 401 && (c == nil || c.MaxAge >= 0 || c.Value != "" || !c.Secure || c.Path != "/") {
			t.Errorf("%s: cookie %v", code, c)
		}
		if status != 401 && c != nil {
			t.Errorf("%s: cookie %v", code, c)
		}
	}
}

func TestNeitherTokenNorCookie(t *testing.T) {
	for _, headers := range [][]string{nil, {"Cookie", "other=1"}, {"Cookie", refreshHost + "="}, {"Cookie", "signet_refresh=srt_1"}, {"Cookie", refreshHost + "=" + strings.Repeat("a", 5000)}} {
		for _, body := range []string{"", "{}", `{"refresh_token":null}`} {
			e := newEdge(t)
			wantProblem(t, e.do("POST", "/api/v1/token/refresh", body, headers...), 401, "invalid_token")
			if len(e.provider.calls) > 0 {
				t.Errorf("the issuer was asked: %v", e.provider.calls)
			}
		}
	}
}

func TestLogoutByCookie(t *testing.T) {
	e := newEdge(t)
	res := e.do("POST", "/api/v1/logout", "", "Cookie", refreshValue)
	if c := cookieNamed(res, refreshHost); res.StatusCode != 204 || e.provider.last != "srt_1" || c == nil || c.MaxAge >= 0 {
		t.Errorf("%d, the issuer got %v, cookie %v", res.StatusCode, e.provider.last, c)
	}
	res = e.do("POST", "/api/v1/logout", `{"all":true}`, "Cookie", refreshValue, "Authorization", "Bearer at.1")
	if c := cookieNamed(res, refreshHost); res.StatusCode != 204 || c == nil || c.MaxAge >= 0 {
		t.Errorf("all: %d, cookie %v", res.StatusCode, c)
	}
	e.provider.err = &issuer.Error{Kind: issuer.KindUnavailable}
	res = e.do("POST", "/api/v1/logout", "", "Cookie", refreshValue)
	wantProblem(t, res, 503, "unavailable")
	if len(res.Cookies()) > 0 {
		t.Errorf("cleared although the session may live: %v", res.Cookies())
	}
}

// TestCrossSiteCookies posts, from pages of many origins, everything that uses cookies.
func TestCrossSiteCookies(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		pass    bool
	}{
		{"same origin", []string{"Sec-Fetch-Site", "same-origin", "Origin", testIssuer}, true},
		{"old browser, same origin", []string{"Origin", testIssuer}, true},
		{"typed by the user", []string{"Sec-Fetch-Site", "none"}, true},
		{"not a browser", nil, true},
		{"allowed origin, same site", []string{"Sec-Fetch-Site", "same-site", "Origin", testApp}, true},
		{"allowed origin, cross site", []string{"Sec-Fetch-Site", "cross-site", "Origin", testApp}, true},
		{"old browser, allowed origin", []string{"Origin", testApp}, true},
		{"cross site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, false},
		{"cross site, no origin", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"same site, another host", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://blog.example.org"}, false},
		{"old browser, cross site", []string{"Origin", "https://evil.example"}, false},
		{"null origin", []string{"Origin", "null"}, false},
		{"look-alike", []string{"Origin", testApp + ".evil.example"}, false},
		{"another scheme", []string{"Origin", "http://app.example.org"}, false},
		{"another port", []string{"Origin", testApp + ":8443"}, false},
		{"upper case", []string{"Origin", strings.ToUpper(testApp)}, false},
		{"loopback, not in development", []string{"Origin", "http://localhost:3000"}, false},
	} {
		for _, req := range []struct{ path, body, cookie string }{
			{"/api/v1/token/refresh", "", refreshValue},
			{"/api/v1/logout", "", refreshValue},
			{"/api/v1/login/verify", verifyBody, "x=y"},
			{"/api/v1/login", loginBody, deviceHost + "=sdt_1"},
		} {
			e := newEdge(t)
			res := e.do("POST", req.path, req.body, append(c.headers, "Cookie", req.cookie)...)
			if c.pass && res.StatusCode >= 400 {
				t.Errorf("%s: %s is refused: %d", c.name, req.path, res.StatusCode)
			}
			if !c.pass {
				wantProblem(t, res, 403, "forbidden")
				if len(res.Cookies()) > 0 || len(e.provider.calls) > 0 {
					t.Errorf("%s: %s: cookies %v, calls %v", c.name, req.path, res.Cookies(), e.provider.calls)
				}
			}
		}
	}
}

func TestWithoutCookiesTheOriginDoesNotMatter(t *testing.T) {
	for path, body := range map[string]string{
		"/api/v1/token/refresh": `{"refresh_token":"a"}`, "/api/v1/logout": `{"refresh_token":"a"}`, "/api/v1/login": loginBody, "/api/v1/login/verify": `{"challenge_id":"a","code":"1"}`,
	} {
		if res := newEdge(t).do("POST", path, body, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); res.StatusCode >= 400 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

func TestLoopbackOriginsInDevelopment(t *testing.T) {
	for origin, pass := range map[string]bool{
		"http://localhost:5173": true, "http://127.0.0.1:3000": true, "http://[::1]:3000": true, "https://localhost": true,
		"http://localhost.evil.example": false, "http://192.168.1.2": false, "http://localhost:3000/": false, "null": false, "file://localhost": false,
	} {
		e := newEdge(t, func(c *Config) { c.AnyLoopbackOrigin = true })
		res := e.do("POST", "/api/v1/token/refresh", "", "Cookie", refreshValue, "Origin", origin, "Sec-Fetch-Site", "cross-site")
		if pass != (res.StatusCode == 200) || pass != (res.Header.Get("Access-Control-Allow-Origin") == origin) {
			t.Errorf("%s: %d, %q", origin, res.StatusCode, res.Header.Get("Access-Control-Allow-Origin"))
		}
	}
}
