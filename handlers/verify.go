package handlers

import (
	"net/http"

	"signet/issuer"
)

type verifyRequest struct {
	challengeID, code string
	cookie            bool
}

// verify is POST /api/v1/login/verify, the code step: the only one that gives tokens. With "cookie" they go to cookies, which a page
// of another origin may no more set than send: else it could sign its visitor in to an account of its own.
func (a *api) verify() http.Handler {
	return serve(a, endpoint[verifyRequest]{
		body: needsBody,
		decode: func(f *fields) verifyRequest {
			return verifyRequest{f.required("challenge_id"), f.required("code"), f.flag("cookie")}
		},
		call: func(c *call, q verifyRequest) (answer, error) {
			v := issuer.VerifyRequest{ChallengeID: q.challengeID, Code: q.code}
			if q.cookie {
				if err := a.guardCookies(c.r); err != nil {
					return answer{}, err
				}
				v.DeviceToken = a.deviceCookie(c.r)
			}
			t, err := a.provider.Verify(c.ctx(), c.who(), v)
			if err != nil {
				return answer{}, err
			}
			return a.tokenAnswer(c, t, q.cookie), nil
		},
	})
}
