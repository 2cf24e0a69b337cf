package handlers

import (
	"context"
	"net/http"

	"signet/issuer"
)

// Acts of an administrator that need no more than whom or what they are about, and answer 204.

// deleteUser is DELETE /api/v1/admin/users/{id}.
func (a *api) deleteUser() http.Handler { return a.adminAct("id", a.provider.DeleteUser) }

// logoutUser is POST /api/v1/admin/users/{id}/logout: every session of the user ends.
func (a *api) logoutUser() http.Handler { return a.adminAct("id", a.provider.LogoutUser) }

// requireReset is POST /api/v1/admin/users/{id}/password-reset: no sign-in until the password was reset.
func (a *api) requireReset() http.Handler { return a.adminAct("id", a.provider.RequirePasswordReset) }

// endAnySession is DELETE /api/v1/admin/sessions/{sid}.
func (a *api) endAnySession() http.Handler { return a.adminAct("sid", a.provider.EndAnySession) }

func (a *api) adminAct(variable string, act func(context.Context, issuer.Admin, string) error) http.Handler {
	return serve(a, endpoint[struct{}]{
		bearer: true, admin: true,
		call: func(c *call, _ struct{}) (answer, error) {
			if err := act(c.ctx(), c.by, c.inPath(variable)); err != nil {
				return answer{}, err
			}
			return answer{status: http.StatusNoContent}, nil
		},
	})
}
