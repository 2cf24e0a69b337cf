package handlers

import (
	"net/http"

	"signet/issuer"
)

// tokenSetJSON is the API's TokenSet, an RFC 6749 token response (section 5.1). In cookie mode the refresh and device
// tokens are left out.
type tokenSetJSON struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int64  `json:"expires_in"`
	RefreshToken     string `json:"refresh_token,omitempty"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"`
	Scope            string `json:"scope"`
	DeviceToken      string `json:"device_token,omitempty"`
}

// tokenAnswer hands tokens out: in the body, or, in cookie mode, what a script must not read in cookies.
func (a *api) tokenAnswer(c *call, t issuer.TokenSet, cookies bool) answer {
	c.sub, c.sid, c.clientID = t.UserID, t.SID, t.ClientID
	body := tokenSetJSON{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: t.ExpiresIn,
		RefreshToken: t.RefreshToken, RefreshExpiresIn: t.RefreshExpiresIn, Scope: t.Scope, DeviceToken: t.DeviceToken,
	}
	if cookies {
		a.setRefreshCookie(c, t.RefreshToken, t.RefreshExpiresIn)
		if t.DeviceToken != "" {
			a.setDeviceCookie(c, t.DeviceToken)
		}
		body.RefreshToken, body.DeviceToken = "", ""
	}
	return answer{http.StatusOK, body}
}
