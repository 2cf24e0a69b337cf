package handlers

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

func wantKeys(t *testing.T, m map[string]any, names string) {
	t.Helper()
	if got := strings.Join(slices.Sorted(maps.Keys(m)), " "); got != names {
		t.Errorf("fields %s, want %s", got, names)
	}
}

func TestTickets(t *testing.T) {
	for _, c := range []struct {
		path, body string
		status     int
		want       any
	}{
		{"/api/v1/register", `{"email":"a","password":"b","given_name":"c","family_name":"d","client_id":"e"}`, 202,
			issuer.RegisterRequest{Email: "a", Password: "b", GivenName: "c", FamilyName: "d", ClientID: "e"}},
		{"/api/v1/login", `{"username":"a","password":"b","client_id":"c","device_token":"d"}`, 200,
			issuer.LoginRequest{Username: "a", Password: "b", ClientID: "c", DeviceToken: "d"}},
		{"/api/v1/login/resend", `{"challenge_id":"a"}`, 202, "a"},
	} {
		e := newEdge(t)
		m := decoded(t, e.do("POST", c.path, c.body), c.status)
		wantKeys(t, m, "challenge_id code_length delivery expires_in resend_in")
		if !reflect.DeepEqual(m["delivery"], map[string]any{"channel": "email", "hint": "a***@e***.org"}) || m["challenge_id"] != "chal-secret-1" || m["expires_in"] != 600.0 ||
			m["resend_in"] != 30.0 || m["code_length"] != 6.0 {
			t.Errorf("%s: %v", c.path, m)
		}
		if e.provider.last != c.want {
			t.Errorf("%s: the issuer got %+v", c.path, e.provider.last)
		}
	}
}

func TestWhoAsks(t *testing.T) {
	e := newEdge(t)
	decoded(t, e.do("POST", "/api/v1/login", loginBody, "User-Agent", "curl/8\x01"+strings.Repeat("x", 500), "Accept-Language", "fr;q=0.5, de-AT, en;q=0.9", "X-Request-Id", "abc"), 200)
	want := issuer.Requester{IP: "192.0.2.1", UserAgent: "curl/8" + strings.Repeat("x", 249), RequestID: "abc", Locale: "de-AT"}
	if e.provider.who != want {
		t.Errorf("got %+v", e.provider.who)
	}
}

func TestPreferredLocale(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "en": "en", "en-GB,en;q=0.9": "en-GB", "fr;q=0.1,de;q=0.8, it ;q=0.3": "de", "*": "", "*, en;q=0.2": "en", "en;q=0": "", "en;q=NaN, de;q=0.1": "de", "en;q=2": "",
		"en;q=x": "", "<script>": "", "e\u00e9": "", "toolongtag": "", "en-toolongtag": "", "1en": "", "zh-Hant-TW": "zh-Hant-TW", "en_US": "", ",,,de": "de", strings.Repeat("x-", 30) + "x": "",
		strings.Repeat("*,", 100) + "de": "",
	} {
		if got := preferredLocale(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestVerifyAndRefreshInTheBody(t *testing.T) {
	for path, body := range map[string]string{
		"/api/v1/login/verify":  `{"challenge_id":"a","code":"123456","cookie":false}`,
		"/api/v1/token/refresh": `{"refresh_token":"srt_1"}`,
	} {
		e := newEdge(t)
		res := e.do("POST", path, body)
		m := decoded(t, res, 200)
		wantKeys(t, m, "access_token device_token expires_in refresh_expires_in refresh_token scope token_type")
		if m["access_token"] != "at.secret.1" || m["token_type"] != "Bearer" || m["expires_in"] != 300.0 || m["refresh_token"] != "srt_secret2" || m["refresh_expires_in"] != 1209600.0 ||
			m["scope"] != "account" || m["device_token"] != "sdt_secret3" {
			t.Errorf("%s: %v", path, m)
		}
		if len(res.Cookies()) > 0 {
			t.Errorf("%s sets cookies: %v", path, res.Cookies())
		}
		e.provider.set.DeviceToken = ""
		wantKeys(t, decoded(t, e.do("POST", path, body), 200), "access_token expires_in refresh_expires_in refresh_token scope token_type")
	}
}

func TestVerifyToken(t *testing.T) {
	for claims, want := range map[string]string{
		"":                                `{"active":false}`,
		"{}":                              `{"active":true}`,
		" { } ":                           `{"active":true}`,
		`{"sub":"u","aud":["a"],"exp":1}`: `{"active":true,"sub":"u","aud":["a"],"exp":1}`,
	} {
		e := newEdge(t)
		e.provider.claim = claims
		res := e.do("POST", "/api/v1/token/verify", `{"token":"at"}`)
		if b, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(b) != want {
			t.Errorf("%s: %d %s", claims, res.StatusCode, b)
		}
	}
	e := newEdge(t)
	e.provider.claim = `[]`
	wantProblem(t, e.do("POST", "/api/v1/token/verify", `{"token":"at"}`), 500, "internal")
}

func TestMe(t *testing.T) {
	const names = "created_at email email_verified family_name given_name id last_login_at locale roles username"
	e := newEdge(t)
	m := decoded(t, e.do("GET", "/api/v1/me", "", "Authorization", "Bearer at.1"), 200)
	wantKeys(t, m, names)
	if m["id"] != "user-1" || m["email"] != "ada@example.org" || m["email_verified"] != true || m["created_at"] != "2026-01-02T03:04:05Z" || !reflect.DeepEqual(m["roles"], []any{}) {
		t.Errorf("got %v", m)
	}
	for _, unset := range []string{"family_name", "given_name", "last_login_at", "locale", "username"} {
		if m[unset] != nil {
			t.Errorf("%s is not null: %v", unset, m[unset])
		}
	}
	e.provider.user = issuer.User{
		ID: "u", Username: "ada", GivenName: "Ada", FamilyName: "Lovelace", Locale: "en", Roles: []string{"admin"}, CreatedAt: time.Unix(0, 0),
		LastLoginAt: time.Date(2026, 1, 2, 5, 4, 5, 6e6, time.FixedZone("", 7200)),
	}
	m = decoded(t, e.do("GET", "/api/v1/me", "", "Authorization", "Bearer at.1"), 200)
	if fmt.Sprintf("%v %v %v %v %v %v", m["username"], m["given_name"], m["family_name"], m["locale"], m["roles"], m["last_login_at"]) != "ada Ada Lovelace en [admin] 2026-01-02T03:04:05.006Z" {
		t.Errorf("got %v", m)
	}
}

func TestUpdateMe(t *testing.T) {
	text := func(s string) *string { return &s }
	for body, want := range map[string]issuer.ProfileUpdate{
		`{}`: {},
		`{"given_name":"Ada","family_name":null,"username":""}`:               {GivenName: text("Ada"), FamilyName: text(""), Username: text("")},
		`{"locale":"pt-BR","username":"ada"}`:                                 {Locale: text("pt-BR"), Username: text("ada")},
		`{"given_name":null,"family_name":"b","username":null,"locale":null}`: {GivenName: text(""), FamilyName: text("b"), Username: text(""), Locale: text("")},
	} {
		e := newEdge(t)
		m := decoded(t, e.do("PATCH", "/api/v1/me", body, "Authorization", "Bearer at.1"), 200)
		if m["id"] != "user-1" || !reflect.DeepEqual(e.provider.last, want) {
			t.Errorf("%s: the issuer got %+v", body, e.provider.last)
		}
	}
	e := newEdge(t)
	wantProblem(t, e.do("PATCH", "/api/v1/me", "", "Authorization", "Bearer at.1"), 400, "invalid_request")
	wantProblem(t, e.do("PATCH", "/api/v1/me", `{}`), 401, "invalid_token")
}

func TestLogout(t *testing.T) {
	for _, c := range []struct {
		name, body string
		headers    []string
		calls      string
		status     int
	}{
		{"by token", `{"refresh_token":"srt_1"}`, nil, "Logout", 204},
		{"nothing to end", "", nil, "", 204},
		{"nothing to end, an object", "{}", nil, "", 204},
		{"all", `{"all":true}`, []string{"Authorization", "Bearer at.1"}, "Authenticate at.1 LogoutAll", 204},
		{"all without a bearer", `{"all":true}`, nil, "", 401},
		{"all, by a cookie", `{"all":true}`, []string{"Cookie", "__Host-signet_refresh=srt_1"}, "", 401},
		{"not all", `{"all":false,"refresh_token":"srt_1"}`, []string{"Authorization", "Bearer at.1"}, "Logout", 204},
		{"a bearer alone", "", []string{"Authorization", "Bearer at.1"}, "", 204},
	} {
		e := newEdge(t)
		res := e.do("POST", "/api/v1/logout", c.body, c.headers...)
		if calls := strings.Join(e.provider.calls, " "); res.StatusCode != c.status || calls != c.calls {
			t.Errorf("%s: %d, calls %q", c.name, res.StatusCode, calls)
		}
	}
	e := newEdge(t)
	e.provider.err = &issuer.Error{Kind: issuer.KindInvalidToken}
	if res := e.do("POST", "/api/v1/logout", `{"refresh_token":"forged"}`); res.StatusCode != 204 {
		t.Errorf("a token that is not valid: %d", res.StatusCode)
	}
	e.provider.err = issuer.ErrUnknown
	wantProblem(t, e.do("POST", "/api/v1/logout", `{"refresh_token":"srt_1"}`), 503, "unavailable")
	wantProblem(t, e.do("POST", "/api/v1/logout", `{"all":true}`, "Authorization", "Bearer at.1"), 503, "unavailable")
}
