package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"signet/keys"
)

// Authenticate is the bearer of an access token for this API: valid, of a first-party client, with the scope `account`,
// and its session and user current in the store just now: a bearer token alone would outlive a logout.
// Errors: invalid_token, session_revoked, forbidden (RFC 6750's insufficient_scope), unavailable.
func (p *Provider) Authenticate(ctx context.Context, bearer string) (Principal, error) {
	now := p.now()
	c, _, err := p.bearerClaims(bearer, now)
	if err != nil {
		return Principal{}, tokenTrouble(err)
	}
	scope := strings.Fields(c.Scope)
	if _, err := p.firstPartyClient(c.ClientID); err != nil || !slices.Contains(scope, scopeAccount) {
		return Principal{}, errForbidden
	}
	s, u, err := p.currentSession(ctx, c, now)
	if err != nil {
		return Principal{}, err
	}
	return Principal{User: u, Session: s, Scope: scope, AuthTime: time.Unix(c.AuthTime, 0).UTC()}, nil
}

// currentSession reads the session and the user that a token names, and refuses unless both are current.
func (p *Provider) currentSession(ctx context.Context, c accessClaims, now time.Time) (Session, User, error) {
	s, err := again(ctx, func() (Session, error) { return p.store.Session(ctx, c.SID) })
	switch {
	case errors.Is(err, ErrNotFound):
		return Session{}, User{}, errInvalidToken
	case err != nil:
		return Session{}, User{}, err
	case s.UserID != c.Subject:
		return Session{}, User{}, errInvalidToken
	case s.Ended(now):
		return Session{}, User{}, errSessionRevoked
	}
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, c.Subject) })
	switch {
	case errors.Is(err, ErrNotFound):
		return Session{}, User{}, errInvalidToken
	case err != nil:
		return Session{}, User{}, err
	case u.State != UserActive || (s.Ver < u.Epoch && s.ID != u.Keep):
		return Session{}, User{}, errSessionRevoked
	}
	return s, u, nil
}

// VerifyToken says whether an access token is active here and now: valid and of a session that has not ended. The claims are as signed.
// An inactive token is not an error.
func (p *Provider) VerifyToken(ctx context.Context, token string) (claims json.RawMessage, active bool, err error) {
	now := p.now()
	c, payload, err := p.bearerClaims(token, now)
	if err != nil {
		if errors.Is(err, keys.ErrStale) {
			return nil, false, unavailable(err)
		}
		return nil, false, nil
	}
	if _, _, err := p.currentSession(ctx, c, now); err != nil {
		if k := KindOf(err); k == KindInvalidToken || k == KindSessionRevoked {
			return nil, false, nil
		}
		return nil, false, err
	}
	return payload, true, nil
}

// tokenTrouble hides why a token was refused from its bearer and keeps it for the log.
func tokenTrouble(err error) error {
	if errors.Is(err, keys.ErrStale) {
		return unavailable(err)
	}
	return &Error{Kind: KindInvalidToken, Detail: "The token is missing, expired or not one of this service's.", Cause: err}
}
