package handlers

import (
	"context"
	"net/http"
	"slices"

	"signet/issuer"
)

// The paths and bodies of djangorestframework-simplejwt, for applications that were written for it: the same use cases as /api/v1, hence the same
// second step, throttles and audit. Bodies are JSON or forms, and fields that nobody asked for are ignored. No cookie is ever read or set, so that no
// page of another origin can act by one.
//
// What differs from SimpleJWT: a sign-in is answered 401 second_step_required until the mailed code is sent; refresh always rotates; an old refresh
// token, used again, ends the session.

// simpleJWTPaths end in a slash, as Django's do.
var simpleJWTPaths = []string{"/api/token/", "/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/", "/logout_token/"}

func isSimpleJWT(path string) bool { return slices.Contains(simpleJWTPaths, path) }

func (a *api) simpleJWTRoutes() []route {
	return []route{
		{"POST", "/api/token/", "simplejwt_obtain", a.simpleJWT(a.obtainPair)},
		{"POST", "/api/token/refresh/", "simplejwt_refresh", a.simpleJWT(a.refreshPair)},
		{"POST", "/api/token/verify/", "simplejwt_verify", a.simpleJWT(a.verifyAccess)},
		{"POST", "/api/token/blacklist/", "simplejwt_blacklist", a.simpleJWT(a.blacklist)},
		{"POST", "/logout_token/", "simplejwt_logout", a.simpleJWT(a.logoutToken)},
	}
}

// simpleJWT makes a handler of a call that takes its body apart itself.
func (a *api) simpleJWT(do func(*call) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
		defer cancel()
		r = r.WithContext(ctx)
		ans, err := do(&call{exchange: exchangeOf(w), r: r})
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		writeAnswer(w, r, ans)
	})
}

// pairJSON is what its clients keep.
type pairJSON struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
}

func pairAnswer(c *call, t issuer.TokenSet) answer {
	c.sub, c.sid, c.clientID = t.UserID, t.SID, t.ClientID
	return answer{http.StatusOK, pairJSON{t.AccessToken, t.RefreshToken}}
}
