package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// caller is what an access token says, RFC 9068.
type caller struct {
	jwt.RegisteredClaims
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	Roles    []string `json:"roles"`
}

// Validate is called by the parser after its own checks. An ID token has no client_id.
func (c caller) Validate() error {
	if c.Subject == "" || c.ClientID == "" {
		return errors.New("sub or client_id is missing")
	}
	return nil
}

type verifier struct {
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
}

// newVerifier fetches the keys now, again at each interval, and, at most once in five minutes, when a token names one that it
// has not seen. A key that was revoked is gone from here after one interval.
func newVerifier(ctx context.Context, issuer, audience string, every time.Duration) (*verifier, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{issuer + "/.well-known/jwks.json"},
		keyfunc.Override{RefreshInterval: every, HTTPTimeout: 10 * time.Second, RateLimitWaitMax: time.Second})
	if err != nil {
		return nil, err
	}
	return &verifier{keys, jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256", "RS256"}), // as the issuer's metadata names them; a key takes only its own of the two
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(30*time.Second),
	)}, nil
}

func (v *verifier) verify(ctx context.Context, token string) (caller, error) {
	var who caller
	parsed, err := v.parser.ParseWithClaims(token, &who, v.keys.KeyfuncCtx(ctx))
	if err != nil {
		return caller{}, err
	}
	if parsed.Header["typ"] != "at+jwt" {
		return caller{}, errors.New("not an access token")
	}
	return who, nil
}

// require lets a caller through who has the scope `account` and, if one is named, the role. Challenges are RFC 6750, section 3.
func (v *verifier) require(role string, next func(http.ResponseWriter, *http.Request, caller)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			refuse(w, http.StatusUnauthorized, "Bearer")
			return
		}
		who, err := v.verify(r.Context(), token)
		switch {
		case err != nil:
			refuse(w, http.StatusUnauthorized, `Bearer error="invalid_token"`)
		case !slices.Contains(strings.Fields(who.Scope), "account"):
			refuse(w, http.StatusForbidden, `Bearer error="insufficient_scope", scope="account"`)
		case role != "" && !slices.Contains(who.Roles, role):
			refuse(w, http.StatusForbidden, `Bearer error="insufficient_scope"`)
		default:
			next(w, r, who)
		}
	})
}

func refuse(w http.ResponseWriter, status int, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	http.Error(w, http.StatusText(status), status)
}
