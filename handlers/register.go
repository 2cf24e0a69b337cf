package handlers

import (
	"net/http"

	"signet/issuer"
)

// register is POST /api/v1/register. The answer is the same for an address that is taken.
func (a *api) register() http.Handler {
	return serve(a, endpoint[issuer.RegisterRequest]{
		body: needsBody,
		decode: func(f *fields) issuer.RegisterRequest {
			return issuer.RegisterRequest{
				Email: f.required("email"), Password: f.required("password"),
				GivenName: f.optional("given_name"), FamilyName: f.optional("family_name"), ClientID: f.optional("client_id"),
			}
		},
		call: func(c *call, q issuer.RegisterRequest) (answer, error) {
			t, err := a.provider.Register(c.ctx(), c.who(), q)
			if err != nil {
				return answer{}, err
			}
			c.clientID = q.ClientID
			return ticketAnswer(http.StatusAccepted, t), nil
		},
	})
}
