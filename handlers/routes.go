package handlers

import (
	"net/http"
	"strings"
)

// New is the main listener's handler. It panics when an origin of c does not pass CheckOrigin; whoever reads
// the configuration has checked them.
func New(c Config) http.Handler {
	a := newAPI(c)
	t := newTable([]route{
		{"GET", "/.well-known/jwks.json", "jwks", a.jwks()},
		{"POST", "/api/v1/token/refresh", "refresh", a.refresh()},
		{"POST", "/api/v1/token/verify", "token_verify", a.verifyToken()},
		{"GET", "/api/v1/me", "me", a.me()},
		{"PATCH", "/api/v1/me", "me_update", a.updateMe()},
		{"POST", "/api/v1/login", "login", a.login()},
		{"POST", "/api/v1/login/verify", "login_verify", a.verify()},
		{"POST", "/api/v1/login/resend", "login_resend", a.resend()},
		{"POST", "/api/v1/register", "register", a.register()},
		{"POST", "/api/v1/logout", "logout", a.logout()},
		{"GET", "/.well-known/openid-configuration", "discovery", a.discovery()},
		{"GET", "/.well-known/oauth-authorization-server", "discovery", a.discovery()},
		{"GET", "/healthz", "healthz", a.healthz()},
		{"GET", "/readyz", "readyz", a.readyz()},
	})
	if c.Metrics != nil && !c.OpsListener {
		t.add(route{"GET", "/metrics", "metrics", a.loopbackOnly(c.Metrics)})
	}
	if c.Mailbox != nil {
		t.add(route{"GET", "/dev/mailbox", "dev_mailbox", a.loopbackOnly(c.Mailbox)})
	}
	api, public := a.apiCORS(t), publicCORS(t)
	byPath := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/v1/"):
			api.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, publicPrefix):
			public.ServeHTTP(w, r)
		default:
			t.ServeHTTP(w, r)
		}
	})
	return a.logged(a.secured(recovered(byPath)))
}

// OpsHandler is the handler of the operators' own listener: metrics and health, for whoever can reach it.
func OpsHandler(c Config) http.Handler {
	a := newAPI(c)
	t := newTable([]route{
		{"GET", "/healthz", "healthz", a.healthz()},
		{"GET", "/readyz", "readyz", a.readyz()},
	})
	if c.Metrics != nil {
		t.add(route{"GET", "/metrics", "metrics", c.Metrics})
	}
	return a.logged(a.secured(recovered(t)))
}
