package handlers

import (
	"net/http"

	"signet/issuer"
)

// refresh is POST /api/v1/token/refresh. A token in the body is answered in the body; else the cookie is used and answered by
// a cookie. Only a final refusal clears the cookie: trouble that passes must not sign anybody out.
func (a *api) refresh() http.Handler {
	return serve(a, endpoint[*string]{
		body:   optionalBody,
		decode: func(f *fields) *string { return f.given("refresh_token") },
		call: func(c *call, sent *string) (answer, error) {
			if sent != nil {
				t, err := a.provider.Refresh(c.ctx(), c.who(), *sent)
				if err != nil {
					return answer{}, err
				}
				return a.tokenAnswer(c, t, false), nil
			}
			return a.refreshByCookie(c)
		},
	})
}

func (a *api) refreshByCookie(c *call) (answer, error) {
	token := a.refreshCookie(c.r)
	if token == "" {
		return answer{}, &issuer.Error{Kind: issuer.KindInvalidToken, Detail: "Send a refresh token, in the body or as the cookie."}
	}
	if err := a.guardCookies(c.r); err != nil {
		return answer{}, err
	}
	t, err := a.provider.Refresh(c.ctx(), c.who(), token)
	if err != nil {
		if statusOf(err) == http.StatusUnauthorized {
			a.clearRefreshCookie(c)
		}
		return answer{}, err
	}
	return a.tokenAnswer(c, t, true), nil
}
