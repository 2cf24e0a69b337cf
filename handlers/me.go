package handlers

import (
	"net/http"
	"time"

	"signet/issuer"
)

// userJSON is a user as the API shows it. What is not set is null, never "".
type userJSON struct {
	ID            string   `json:"id"`
	Email         string   `json:"email"`
	EmailVerified bool     `json:"email_verified"`
	Username      *string  `json:"username"`
	GivenName     *string  `json:"given_name"`
	FamilyName    *string  `json:"family_name"`
	Locale        *string  `json:"locale"`
	Roles         []string `json:"roles"` // [] for none
	CreatedAt     *string  `json:"created_at"`
	LastLoginAt   *string  `json:"last_login_at"`
}

func shownUser(u issuer.User) userJSON {
	roles := u.Roles
	if roles == nil {
		roles = []string{}
	}
	return userJSON{
		ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified, Username: orNull(u.Username),
		GivenName: orNull(u.GivenName), FamilyName: orNull(u.FamilyName), Locale: orNull(u.Locale), Roles: roles,
		CreatedAt: timeOrNull(u.CreatedAt), LastLoginAt: timeOrNull(u.LastLoginAt),
	}
}

func userAnswer(u issuer.User) answer { return answer{http.StatusOK, shownUser(u)} }

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// timeOrNull is RFC 3339 in UTC; the zero time is null.
func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339Nano)
	return &s
}

// me is GET /api/v1/me: the caller, as read while the token was checked.
func (a *api) me() http.Handler {
	return serve(a, endpoint[struct{}]{
		bearer: true,
		call:   func(c *call, _ struct{}) (answer, error) { return userAnswer(c.principal.User), nil },
	})
}

// updateMe is PATCH /api/v1/me: fields that are not sent stay, null clears.
func (a *api) updateMe() http.Handler {
	return serve(a, endpoint[issuer.ProfileUpdate]{
		bearer: true,
		body:   needsBody,
		decode: func(f *fields) issuer.ProfileUpdate {
			return issuer.ProfileUpdate{
				GivenName: f.change("given_name"), FamilyName: f.change("family_name"), Username: f.change("username"), Locale: f.change("locale"),
			}
		},
		call: func(c *call, q issuer.ProfileUpdate) (answer, error) {
			u, err := a.provider.UpdateMe(c.ctx(), c.principal, q)
			if err != nil {
				return answer{}, err
			}
			return userAnswer(u), nil
		},
	})
}
