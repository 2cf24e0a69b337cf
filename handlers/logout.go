package handlers

import (
	"net/http"
)

type logoutRequest struct {
	token *string
	all   bool
}

// logout is POST /api/v1/logout: the session of a refresh token, sent or in the cookie, or with {"all":true} and a bearer
// token every session of its user. Nothing to end is as good as ended.
func (a *api) logout() http.Handler {
	return serve(a, endpoint[logoutRequest]{
		body: optionalBody,
		decode: func(f *fields) logoutRequest {
			q := logoutRequest{f.given("refresh_token"), f.flag("all")}
			if q.all && q.token != nil {
				f.fault("refresh_token", "must not be sent together with all")
			}
			return q
		},
		call: func(c *call, q logoutRequest) (answer, error) {
			if err := a.endSessions(c, q); err != nil {
				return answer{}, err
			}
			return answer{status: http.StatusNoContent}, nil
		},
	})
}

func (a *api) endSessions(c *call, q logoutRequest) error {
	switch {
	case q.all:
		if err := a.authenticate(c); err != nil {
			return err
		}
		if err := a.provider.LogoutAll(c.ctx(), c.who(), c.principal); err != nil {
			return err
		}
		if a.refreshCookie(c.r) != "" {
			a.clearRefreshCookie(c)
		}
		return nil
	case q.token != nil:
		return a.endSession(c, *q.token)
	}
	token := a.refreshCookie(c.r)
	if token == "" {
		return nil
	}
	if err := a.guardCookies(c.r); err != nil {
		return err
	}
	if err := a.endSession(c, token); err != nil {
		return err
	}
	a.clearRefreshCookie(c)
	return nil
}

// endSession ends the session of a refresh token. One that is not valid any more has none.
func (a *api) endSession(c *call, token string) error {
	err := a.provider.Logout(c.ctx(), c.who(), token)
	if err != nil && statusOf(err) == http.StatusUnauthorized {
		return nil
	}
	return err
}
