package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Access tokens are JWTs of RFC 9068: no personal data, five minutes unless set. Other services verify them offline;
// this API, besides, asks the store whether the session is still current.

const (
	scopeAccount = "account"
	scopeAdmin   = "admin"
	roleAdmin    = "admin"
)

// accessClaims is the payload of an access token, in the order it is written.
type accessClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  any      `json:"aud"` // string or []string
	ClientID  string   `json:"client_id"`
	IssuedAt  int64    `json:"iat"`
	Expires   int64    `json:"exp"`
	ID        string   `json:"jti"`
	Scope     string   `json:"scope"`
	SID       string   `json:"sid"`
	AuthTime  int64    `json:"auth_time"`
	AMR       []string `json:"amr"`
	Roles     []string `json:"roles,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	UserID    string   `json:"user_id,omitempty"`
}

// passwordAndCode is how everybody signs in (RFC 8176).
var passwordAndCode = []string{"pwd", "otp"}

// grantedScope is what a first-party sign-in is granted.
func grantedScope(roles []string) string {
	if slices.Contains(roles, roleAdmin) {
		return scopeAccount + " " + scopeAdmin
	}
	return scopeAccount
}

// scopeNow is what the session was granted, without `admin` once the role is gone. It never widens.
func scopeNow(s Session) string {
	if slices.Contains(s.Roles, roleAdmin) {
		return s.Scope
	}
	kept := strings.Fields(s.Scope)
	kept = slices.DeleteFunc(kept, func(x string) bool { return x == scopeAdmin })
	return strings.Join(kept, " ")
}

// tokens mints an access token from a session and puts its current refresh token beside it.
func (p *Provider) tokens(ctx context.Context, s Session, now time.Time) (TokenSet, error) {
	refresh, err := p.currentRefreshToken(ctx, s)
	if err != nil {
		return TokenSet{}, err
	}
	t := TokenSet{RefreshToken: refresh, RefreshExpiresIn: seconds(s.TokenExpiry().Sub(now)), Scope: scopeNow(s), SID: s.ID, UserID: s.UserID, ClientID: s.ClientID}
	t.AccessToken, err = p.keys.Sign(p.set.AccessAlg, p.set.AccessTyp, now, p.set.AccessTTL, func(iat, exp int64) any {
		t.ExpiresIn = exp - iat
		c := accessClaims{
			Issuer: p.set.Issuer, Subject: s.UserID, Audience: p.audience, ClientID: s.ClientID, IssuedAt: iat, Expires: exp, ID: randomID(),
			Scope: t.Scope, SID: s.ID, AuthTime: s.AuthTime.Unix(), AMR: passwordAndCode, Roles: s.Roles,
		}
		if p.set.SimpleJWT {
			c.TokenType, c.UserID = "access", s.UserID
		}
		return &c
	})
	if err != nil {
		return TokenSet{}, keyTrouble(err)
	}
	return t, nil
}

// seconds is a duration in whole seconds, never below zero.
func seconds(d time.Duration) int64 { return max(int64(d/time.Second), 0) }

// bearerClaims checks everything about an access token for this API that can be checked offline: signature, typ, iss, aud, times and the claims
// that only an access token has. RFC 9068, section 4.
func (p *Provider) bearerClaims(token string, now time.Time) (accessClaims, json.RawMessage, error) {
	v, err := p.keys.Verify(token)
	if err != nil {
		return accessClaims{}, nil, err
	}
	var c accessClaims
	if err := json.Unmarshal(v.Payload, &c); err != nil {
		return c, nil, err
	}
	switch {
	case !strings.EqualFold(v.Type, "at+jwt") && !strings.EqualFold(v.Type, p.set.AccessTyp):
		return c, nil, errors.New("not an access token: typ " + v.Type)
	case c.Issuer != p.set.Issuer:
		return c, nil, errors.New("another issuer")
	case !holds(c.Audience, p.set.Issuer):
		return c, nil, errors.New("another audience")
	case c.Subject == "" || c.ClientID == "" || c.SID == "" || c.ID == "":
		return c, nil, errors.New("claims of an access token are missing")
	case c.Expires <= now.Unix():
		return c, nil, errors.New("expired")
	case c.IssuedAt > now.Add(2*p.set.Skew).Unix():
		return c, nil, errors.New("not yet valid")
	}
	return c, v.Payload, nil
}

// holds says whether an aud claim, a string or an array of strings, holds want.
func holds(aud any, want string) bool {
	switch a := aud.(type) {
	case string:
		return a == want
	case []any:
		return slices.Contains(a, any(want))
	}
	return false
}
