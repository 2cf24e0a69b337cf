package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"signet/issuer"
)

// stepUpAge is how old a sign-in may be for what needs a recent one, in seconds.
const stepUpAge = 15 * 60

// authenticate finds out who calls, by the bearer token of the request (RFC 6750, section 2.1).
func (a *api) authenticate(c *call) error {
	token, presented := bearerToken(c.r.Header)
	c.bearer = presented
	switch {
	case !presented:
		return &issuer.Error{Kind: issuer.KindInvalidToken, Detail: "This needs an access token: Authorization: Bearer <token>."}
	case token == "":
		return &issuer.Error{Kind: issuer.KindInvalidToken, Detail: "The Authorization header must be one line: Bearer <token>."}
	}
	p, err := a.provider.Authenticate(c.ctx(), token)
	if err != nil {
		return err
	}
	c.principal = p
	c.sub, c.sid, c.clientID = p.User.ID, p.Session.ID, p.Session.ClientID
	return nil
}

// bearerToken reads the Authorization header (RFC 6750, section 2.1), the only place where a token is looked for. presented is
// false when there is none or it has another scheme; the token is "" when what was presented can't be one: several
// headers, a token of other characters than `b64token`, or too long a one.
func bearerToken(h http.Header) (token string, presented bool) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", false
	}
	for _, v := range values {
		scheme, rest, _ := strings.Cut(v, " ")
		if strings.EqualFold(scheme, "Bearer") {
			token, presented = strings.Trim(rest, " "), true
		}
	}
	if len(values) > 1 || !isB64Token(token) {
		token = ""
	}
	return token, presented
}

// isB64Token is RFC 6750's b64token, at most maxText long.
func isB64Token(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" || len(s) > maxText {
		return false
	}
	for _, c := range []byte(body) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// challenge is the WWW-Authenticate header of an answer, "" for none. Every 401 has one (RFC 9110, section 15.5.2). It says
// what is wrong only where a token was presented (RFC 6750, section 3.1; RFC 9470, section 3).
func challenge(x *exchange, status int, code issuer.Kind) string {
	const plain = `Bearer realm="signet"`
	switch {
	case status == http.StatusForbidden && x.bearer && code == issuer.KindForbidden:
		return plain + `, error="insufficient_scope"`
	case status != http.StatusUnauthorized:
		return ""
	case code == issuer.KindStepUpRequired:
		return plain + `, error="insufficient_user_authentication", max_age="` + strconv.Itoa(stepUpAge) + `"`
	case x.bearer && (code == issuer.KindInvalidToken || code == issuer.KindSessionRevoked):
		return plain + `, error="invalid_token"`
	default:
		return plain
	}
}
