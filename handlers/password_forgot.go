package handlers

import "net/http"

// forgotPassword is POST /api/v1/password/forgot. The answer is the same for an address that nobody has.
func (a *api) forgotPassword() http.Handler {
	return serve(a, endpoint[string]{
		body:   needsBody,
		decode: func(f *fields) string { return f.required("email") },
		call: func(c *call, email string) (answer, error) {
			t, err := a.provider.ForgotPassword(c.ctx(), c.who(), email)
			if err != nil {
				return answer{}, err
			}
			return ticketAnswer(http.StatusAccepted, t), nil
		},
	})
}
