package handlers

import (
	"net/http"

	"signet/issuer"
)

// noFields is an empty object, as its answer without anything to say.
type noFields struct{}

// refreshPair is POST /api/token/refresh/.
func (a *api) refreshPair(c *call) (answer, error) {
	token, err := onlyField(c, "refresh")
	if err != nil {
		return answer{}, err
	}
	t, err := a.provider.Refresh(c.ctx(), c.who(), token)
	if err != nil {
		return answer{}, err
	}
	return pairAnswer(c, t), nil
}

// verifyAccess is POST /api/token/verify/: is this access token active?
func (a *api) verifyAccess(c *call) (answer, error) {
	token, err := onlyField(c, "token")
	if err != nil {
		return answer{}, err
	}
	_, active, err := a.provider.VerifyToken(c.ctx(), token)
	if err == nil && !active {
		err = &issuer.Error{Kind: issuer.KindInvalidToken}
	}
	return answer{http.StatusOK, noFields{}}, err
}

// blacklist is POST /api/token/blacklist/: the token's session ends.
func (a *api) blacklist(c *call) (answer, error) {
	token, err := onlyField(c, "refresh")
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, noFields{}}, a.provider.Logout(c.ctx(), c.who(), token)
}

// onlyField reads a body of which one field matters.
func onlyField(c *call, name string) (string, error) {
	b, err := readDRF(c)
	if err != nil {
		return "", err
	}
	v := b.required(name)
	return v, b.err()
}
