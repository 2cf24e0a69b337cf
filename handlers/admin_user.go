package handlers

import (
	"net/http"

	"signet/issuer"
)

// adminUserJSON is a user as administrators see it.
type adminUserJSON struct {
	userJSON
	Disabled              bool `json:"disabled"`
	PasswordResetRequired bool `json:"password_reset_required"`
}

func adminUser(u issuer.User) adminUserJSON {
	return adminUserJSON{shownUser(u), u.State == issuer.UserDisabled, u.ResetRequired}
}

// getUser is GET /api/v1/admin/users/{id}.
func (a *api) getUser() http.Handler {
	return serve(a, endpoint[struct{}]{
		bearer: true, admin: true,
		call: func(c *call, _ struct{}) (answer, error) {
			u, err := a.provider.GetUser(c.ctx(), c.by, c.inPath("id"))
			if err != nil {
				return answer{}, err
			}
			return answer{http.StatusOK, adminUser(u)}, nil
		},
	})
}

// patchUser is PATCH /api/v1/admin/users/{id}: fields that are not sent stay, and null clears a name.
func (a *api) patchUser() http.Handler {
	return serve(a, endpoint[issuer.UserPatch]{
		bearer: true, admin: true,
		body: needsBody,
		decode: func(f *fields) issuer.UserPatch {
			return issuer.UserPatch{
				Disabled: f.changeFlag("disabled"), Roles: f.texts("roles"), GivenName: f.change("given_name"), FamilyName: f.change("family_name"),
			}
		},
		call: func(c *call, q issuer.UserPatch) (answer, error) {
			u, err := a.provider.PatchUser(c.ctx(), c.by, c.inPath("id"), q)
			if err != nil {
				return answer{}, err
			}
			return answer{http.StatusOK, adminUser(u)}, nil
		},
	})
}
