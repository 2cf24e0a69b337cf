package handlers

import "net/http"

type passwordChange struct{ current, next string }

// changePassword is POST /api/v1/me/password. The caller's own session goes on, and with it its cookie.
func (a *api) changePassword() http.Handler {
	return serve(a, endpoint[passwordChange]{
		bearer: true,
		body:   needsBody,
		decode: func(f *fields) passwordChange {
			return passwordChange{f.required("current_password"), f.required("new_password")}
		},
		call: func(c *call, q passwordChange) (answer, error) {
			if err := a.provider.ChangePassword(c.ctx(), c.who(), c.principal, q.current, q.next); err != nil {
				return answer{}, err
			}
			return answer{status: http.StatusNoContent}, nil
		},
	})
}
