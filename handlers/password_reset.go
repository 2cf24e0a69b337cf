package handlers

import (
	"net/http"

	"signet/issuer"
)

// resetPassword is POST /api/v1/password/reset: the mailed code and the new password. It signs nobody in.
func (a *api) resetPassword() http.Handler {
	return serve(a, endpoint[issuer.ResetRequest]{
		body: needsBody,
		decode: func(f *fields) issuer.ResetRequest {
			return issuer.ResetRequest{ChallengeID: f.required("challenge_id"), Code: f.required("code"), NewPassword: f.required("new_password")}
		},
		call: func(c *call, q issuer.ResetRequest) (answer, error) {
			if err := a.provider.ResetPassword(c.ctx(), c.who(), q); err != nil {
				return answer{}, err
			}
			return answer{status: http.StatusNoContent}, nil
		},
	})
}
