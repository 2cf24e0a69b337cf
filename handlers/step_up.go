package handlers

import (
	"net/http"

	"signet/issuer"
)

// stepUp is POST /api/v1/step-up: the password again, and a code is mailed.
func (a *api) stepUp() http.Handler {
	return serve(a, endpoint[string]{
		bearer: true,
		body:   needsBody,
		decode: func(f *fields) string { return f.required("password") },
		call: func(c *call, password string) (answer, error) {
			t, err := a.provider.StepUp(c.ctx(), c.who(), c.principal, password)
			if err != nil {
				return answer{}, err
			}
			return ticketAnswer(http.StatusOK, t), nil
		},
	})
}

// verifyStepUp is POST /api/v1/step-up/verify: the session's tokens with a new auth_time. Who keeps the refresh token in the cookie has it there
// again, and not in the body, where a script could read it; setting it is guarded as at sign-in (verify).
func (a *api) verifyStepUp() http.Handler {
	return serve(a, endpoint[issuer.VerifyRequest]{
		bearer: true,
		body:   needsBody,
		decode: proof,
		call: func(c *call, q issuer.VerifyRequest) (answer, error) {
			cookies := a.refreshCookie(c.r) != ""
			if cookies {
				if err := a.guardCookies(c.r); err != nil {
					return answer{}, err
				}
			}
			t, err := a.provider.VerifyStepUp(c.ctx(), c.who(), c.principal, q)
			if err != nil {
				return answer{}, err
			}
			return a.tokenAnswer(c, t, cookies), nil
		},
	})
}
