package handlers

import (
	"net/http"
	"strings"
)

// New is the main listener's handler. It panics when an origin of c does not pass CheckOrigin; whoever reads
// the configuration has checked them.
func New(c Config) http.Handler {
	a := newAPI(c)
	t := newTable(a.mainRoutes(c))
	api, public := a.apiCORS(t), publicCORS(t)
	byPath := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/v1/"):
			api.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, publicPrefix), r.URL.Path == openAPIPath:
			public.ServeHTTP(w, r)
		case c.SimpleJWT && isSimpleJWT(r.URL.Path):
			exchangeOf(w).drf = true
			api.ServeHTTP(w, r) // a page that was written for SimpleJWT calls from its own origin as others do
		default:
			t.ServeHTTP(w, r)
		}
	})
	return a.logged(a.secured(recovered(byPath)))
}

// mainRoutes is the table of the main listener: what is asked for most comes first, routes with variables last.
func (a *api) mainRoutes(c Config) []route {
	routes := []route{
		{"GET", "/.well-known/jwks.json", "jwks", a.jwks()},
		{"POST", "/api/v1/token/refresh", "refresh", a.refresh()},
		{"POST", "/api/v1/token/verify", "token_verify", a.verifyToken()},
		{"GET", "/api/v1/me", "me", a.me()},
		{"PATCH", "/api/v1/me", "me_update", a.updateMe()},
		{"DELETE", "/api/v1/me", "me_delete", a.deleteMe()},
		{"POST", "/api/v1/login", "login", a.login()},
		{"POST", "/api/v1/login/verify", "login_verify", a.verify()},
		{"POST", "/api/v1/login/resend", "login_resend", a.resend()},
		{"POST", "/api/v1/register", "register", a.register()},
		{"POST", "/api/v1/logout", "logout", a.logout()},
		{"POST", "/api/v1/step-up", "step_up", a.stepUp()},
		{"POST", "/api/v1/step-up/verify", "step_up_verify", a.verifyStepUp()},
		{"POST", "/api/v1/password/forgot", "password_forgot", a.forgotPassword()},
		{"POST", "/api/v1/password/reset", "password_reset", a.resetPassword()},
		{"POST", "/api/v1/me/password", "me_password", a.changePassword()},
		{"POST", "/api/v1/me/email", "me_email", a.changeEmail()},
		{"POST", "/api/v1/me/email/verify", "me_email_verify", a.verifyEmail()},
		{"GET", "/api/v1/me/sessions", "me_sessions", a.mySessions()},
		{"GET", "/.well-known/openid-configuration", "discovery", a.discovery()},
		{"GET", "/.well-known/oauth-authorization-server", "discovery", a.discovery()},
		{"GET", openAPIPath, "openapi", a.openAPI()},
		{"GET", "/healthz", "healthz", a.healthz()},
		{"GET", "/readyz", "readyz", a.readyz()},
	}
	if c.Metrics != nil && !c.OpsListener {
		routes = append(routes, route{"GET", "/metrics", "metrics", a.loopbackOnly(c.Metrics)})
	}
	if c.Mailbox != nil {
		routes = append(routes, route{"GET", "/dev/mailbox", "dev_mailbox", a.loopbackOnly(c.Mailbox)})
	}
	if c.SimpleJWT {
		routes = append(routes, a.simpleJWTRoutes()...)
	}
	routes = append(routes, route{"DELETE", "/api/v1/me/sessions/{sid}", "me_session_end", a.endMySession()})
	if !c.AdminListener {
		routes = append(routes, a.adminRoutes()...)
	}
	return routes
}

// adminRoutes is the table of the admin API.
func (a *api) adminRoutes() []route {
	return []route{
		{"GET", "/api/v1/admin/users", "admin_users", a.listUsers()},
		{"POST", "/api/v1/admin/users", "admin_user_create", a.createUser()},
		{"GET", "/api/v1/admin/sessions", "admin_sessions", a.listSessions()},
		{"GET", "/api/v1/admin/audit", "admin_audit", a.listAudit()},
		{"GET", "/api/v1/admin/stats", "admin_stats", a.stats()},
		{"GET", "/api/v1/admin/users/{id}", "admin_user", a.getUser()},
		{"PATCH", "/api/v1/admin/users/{id}", "admin_user_update", a.patchUser()},
		{"DELETE", "/api/v1/admin/users/{id}", "admin_user_delete", a.deleteUser()},
		{"POST", "/api/v1/admin/users/{id}/logout", "admin_user_logout", a.logoutUser()},
		{"POST", "/api/v1/admin/users/{id}/password-reset", "admin_user_reset", a.requireReset()},
		{"DELETE", "/api/v1/admin/sessions/{sid}", "admin_session_end", a.endAnySession()},
	}
}

// AdminHandler is the handler of the administrators' own listener (Config.AdminListener): the admin API and nothing else, under the same rules as on
// the main one. Administrators sign in, refresh and step up there.
func AdminHandler(c Config) http.Handler {
	a := newAPI(c)
	return a.logged(a.secured(recovered(a.apiCORS(newTable(a.adminRoutes())))))
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
