package handlers

import (
	"net/http"

	"signet/issuer"
)

type emailChange struct{ email, password string }

// changeEmail is POST /api/v1/me/email: a code goes to the new address, a notice to the old one.
func (a *api) changeEmail() http.Handler {
	return serve(a, endpoint[emailChange]{
		bearer: true,
		body:   needsBody,
		decode: func(f *fields) emailChange { return emailChange{f.required("new_email"), f.required("password")} },
		call: func(c *call, q emailChange) (answer, error) {
			t, err := a.provider.ChangeEmail(c.ctx(), c.who(), c.principal, q.email, q.password)
			if err != nil {
				return answer{}, err
			}
			return ticketAnswer(http.StatusAccepted, t), nil
		},
	})
}

// verifyEmail is POST /api/v1/me/email/verify: the code arrived, so the address is the account's from now on.
func (a *api) verifyEmail() http.Handler {
	return serve(a, endpoint[issuer.VerifyRequest]{
		bearer: true,
		body:   needsBody,
		decode: proof,
		call: func(c *call, q issuer.VerifyRequest) (answer, error) {
			u, err := a.provider.VerifyEmail(c.ctx(), c.who(), c.principal, q)
			if err != nil {
				return answer{}, err
			}
			return userAnswer(u), nil
		},
	})
}

// proof is a challenge and the code that was mailed for it.
func proof(f *fields) issuer.VerifyRequest {
	return issuer.VerifyRequest{ChallengeID: f.required("challenge_id"), Code: f.required("code")}
}
