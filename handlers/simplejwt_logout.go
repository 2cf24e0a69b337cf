package handlers

import (
	"net/http"

	"signet/issuer"
)

type statusJSON struct {
	Status string `json:"status"`
}

// logoutToken is POST /logout_token/, which SimpleJWT leaves to applications and most write like this: with an access token, the session of a refresh
// token ends, or with "all" every session of the caller.
func (a *api) logoutToken(c *call) (answer, error) {
	if err := a.authenticate(c); err != nil {
		return answer{}, unauthenticated(c, err)
	}
	b, err := readDRF(c)
	if err != nil {
		return answer{}, err
	}
	if b.truthy("all") {
		return answer{http.StatusOK, statusJSON{"OK, goodbye, all refresh tokens blacklisted"}}, a.provider.LogoutAll(c.ctx(), c.who(), c.principal)
	}
	token := b.required("refresh_token")
	if err := b.err(); err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, statusJSON{"OK, goodbye"}}, a.provider.Logout(c.ctx(), c.who(), token)
}

// unauthenticated tells a caller without a valid access token so, in the words of the framework.
func unauthenticated(c *call, err error) error {
	switch kind := classify(err).Kind; {
	case kind == issuer.KindInvalidToken && !c.bearer:
		return drfRefusal{err, "Authentication credentials were not provided.", "not_authenticated"}
	case kind == issuer.KindInvalidToken, kind == issuer.KindSessionRevoked:
		return drfRefusal{err, "Given token not valid for any token type", "token_not_valid"}
	}
	return err
}
