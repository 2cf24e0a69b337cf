package handlers

import (
	"strings"
	"testing"

	"signet/issuer"
)

func TestBearer(t *testing.T) {
	const none, bad = `Bearer realm="signet"`, `Bearer realm="signet", error="invalid_token"`
	for _, c := range []struct {
		name      string
		headers   []string
		challenge string // "" when the token arrives
	}{
		{"none", nil, none},
		{"empty", []string{""}, none},
		{"Basic", []string{"Basic YTpi"}, none},
		{"another scheme", []string{"DPoP at.1"}, none},
		{"scheme alone", []string{"Bearer"}, bad},
		{"scheme and blank", []string{"Bearer "}, bad},
		{"good", []string{"Bearer at.1-x_~+/=="}, ""},
		{"lower case", []string{"bearer at.1"}, ""},
		{"odd case and blanks", []string{"bEaReR   at.1 "}, ""},
		{"two tokens", []string{"Bearer a b"}, bad},
		{"a list", []string{"Bearer a, Bearer b"}, bad},
		{"twice", []string{"Bearer at.1", "Bearer at.1"}, bad},
		{"beside Basic", []string{"Basic YTpi", "Bearer at.1"}, bad},
		{"quoted", []string{`Bearer "at.1"`}, bad},
		{"only padding", []string{"Bearer =="}, bad},
		{"padding inside", []string{"Bearer a=b"}, bad},
		{"tab", []string{"Bearer\tat.1"}, none},
		{"not ASCII", []string{"Bearer é"}, bad},
		{"huge", []string{"Bearer " + strings.Repeat("a", maxText+1)}, bad},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEdge(t)
			var headers []string
			for _, h := range c.headers {
				headers = append(headers, "Authorization", h)
			}
			res := e.do("GET", "/api/v1/me", "", headers...)
			if c.challenge == "" {
				decoded(t, res, 200)
				return
			}
			wantProblem(t, res, 401, "invalid_token")
			if got := res.Header.Get("WWW-Authenticate"); got != c.challenge {
				t.Errorf("WWW-Authenticate: %s", got)
			}
			if len(e.provider.calls) > 0 {
				t.Errorf("the issuer was asked: %v", e.provider.calls)
			}
		})
	}
}

func TestTokenInTheQueryIsIgnored(t *testing.T) {
	e := newEdge(t)
	res := e.do("GET", "/api/v1/me?access_token=at.1", "")
	wantProblem(t, res, 401, "invalid_token")
	if got := res.Header.Get("WWW-Authenticate"); got != `Bearer realm="signet"` {
		t.Errorf("WWW-Authenticate: %s", got)
	}
}

func TestBearerRefusals(t *testing.T) {
	for kind, challenge := range map[issuer.Kind]string{
		issuer.KindInvalidToken:       `Bearer realm="signet", error="invalid_token"`,
		issuer.KindSessionRevoked:     `Bearer realm="signet", error="invalid_token"`,
		issuer.KindStepUpRequired:     `Bearer realm="signet", error="insufficient_user_authentication", max_age="900"`,
		issuer.KindForbidden:          `Bearer realm="signet", error="insufficient_scope"`,
		issuer.KindInvalidCredentials: `Bearer realm="signet"`,
		issuer.KindUnavailable:        "",
	} {
		e := newEdge(t)
		e.contrived = true
		e.provider.auth = &issuer.Error{Kind: kind}
		res := e.do("PATCH", "/api/v1/me", `{`, "Authorization", "Bearer at.1")
		wantProblem(t, res, statuses[string(kind)], string(kind))
		if got := res.Header.Get("WWW-Authenticate"); got != challenge {
			t.Errorf("%s: WWW-Authenticate: %s", kind, got)
		}
	}
}
