package handlers

import "net/http"

// resend is POST /api/v1/login/resend: a new code for the same challenge.
func (a *api) resend() http.Handler {
	return serve(a, endpoint[string]{
		body:   needsBody,
		decode: func(f *fields) string { return f.required("challenge_id") },
		call: func(c *call, challengeID string) (answer, error) {
			t, err := a.provider.Resend(c.ctx(), c.who(), challengeID)
			if err != nil {
				return answer{}, err
			}
			return ticketAnswer(http.StatusAccepted, t), nil
		},
	})
}
