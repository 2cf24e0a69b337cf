package handlers

import (
	"net/http"

	"signet/issuer"
)

// secondStepJSON is the answer to a right password. It is a 401: no SimpleJWT client takes it for a sign-in.
type secondStepJSON struct {
	Detail      string `json:"detail"`
	Code        string `json:"code"`
	ChallengeID string `json:"challenge_id"`
}

// obtainPair is POST /api/token/: the password step, or, with a challenge and its code, the code step.
func (a *api) obtainPair(c *call) (answer, error) {
	b, err := readDRF(c)
	if err != nil {
		return answer{}, err
	}
	if b.has("challenge_id") || b.has("code") {
		return a.obtainByCode(c, b)
	}
	q := issuer.LoginRequest{}
	if b.naming("email", "username") == "email" {
		q.Email = b.required("email")
	} else {
		q.Username = b.required("username")
	}
	q.Password = b.secret("password")
	if err := b.err(); err != nil {
		return answer{}, err
	}
	t, err := a.provider.Login(c.ctx(), c.who(), q)
	if err != nil {
		return answer{}, err
	}
	const code = "second_step_required"
	c.code = code
	c.Header().Set("WWW-Authenticate", challenge(c.exchange, http.StatusUnauthorized, code))
	return answer{http.StatusUnauthorized, secondStepJSON{"A code was mailed. Send it here, with this challenge_id, as code.", code, t.ChallengeID}}, nil
}

func (a *api) obtainByCode(c *call, b *drfBody) (answer, error) {
	q := issuer.VerifyRequest{ChallengeID: b.required("challenge_id"), Code: b.required("code")}
	if err := b.err(); err != nil {
		return answer{}, err
	}
	t, err := a.provider.Verify(c.ctx(), c.who(), q)
	if err != nil {
		return answer{}, err
	}
	return pairAnswer(c, t), nil
}
