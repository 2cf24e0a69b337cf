package handlers

import (
	"net/http"

	"signet/issuer"
)

// login is POST /api/v1/login, the password step. A device that has signed in before says so in the body or by
// its cookie; the body wins.
func (a *api) login() http.Handler {
	return serve(a, endpoint[issuer.LoginRequest]{
		body: needsBody,
		decode: func(f *fields) issuer.LoginRequest {
			return issuer.LoginRequest{
				Email: f.optional("email"), Username: f.optional("username"), Password: f.required("password"),
				ClientID: f.optional("client_id"), DeviceToken: f.optional("device_token"),
			}
		},
		call: func(c *call, q issuer.LoginRequest) (answer, error) {
			if device := a.deviceCookie(c.r); q.DeviceToken == "" && device != "" {
				if err := a.guardCookies(c.r); err != nil {
					return answer{}, err
				}
				q.DeviceToken = device
			}
			t, err := a.provider.Login(c.ctx(), c.who(), q)
			if err != nil {
				return answer{}, err
			}
			c.clientID = q.ClientID
			return ticketAnswer(http.StatusOK, t), nil
		},
	})
}
