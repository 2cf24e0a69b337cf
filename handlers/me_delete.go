package handlers

import "net/http"

// deleteMe is DELETE /api/v1/me. The browser forgets what it kept for the account.
func (a *api) deleteMe() http.Handler {
	return serve(a, endpoint[string]{
		bearer: true,
		body:   needsBody,
		decode: func(f *fields) string { return f.required("password") },
		call: func(c *call, password string) (answer, error) {
			if err := a.provider.DeleteMe(c.ctx(), c.who(), c.principal, password); err != nil {
				return answer{}, err
			}
			if a.refreshCookie(c.r) != "" {
				a.clearRefreshCookie(c)
			}
			if a.deviceCookie(c.r) != "" {
				a.clearDeviceCookie(c)
			}
			return answer{status: http.StatusNoContent}, nil
		},
	})
}
