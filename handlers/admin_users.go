package handlers

import (
	"net/http"

	"signet/issuer"
)

type usersQuery struct {
	issuer.UserQuery
	page
}

// listUsers is GET /api/v1/admin/users.
func (a *api) listUsers() http.Handler {
	return serve(a, endpoint[usersQuery]{
		bearer: true, admin: true,
		query: func(p *params) usersQuery {
			return usersQuery{issuer.UserQuery{Prefix: p.search("q"), Role: p.text("role"), Disabled: p.flag("disabled")}, p.page(listOfUsers)}
		},
		call: func(c *call, q usersQuery) (answer, error) {
			list, err := a.provider.ListUsers(c.ctx(), c.by, q.UserQuery, q.after, q.limit)
			if err != nil {
				return answer{}, err
			}
			return listAnswer(listOfUsers, list, adminUser), nil
		},
	})
}

// createUser is POST /api/v1/admin/users: an account without a password, whose owner chooses one.
func (a *api) createUser() http.Handler {
	return serve(a, endpoint[issuer.NewUser]{
		bearer: true, admin: true,
		body: needsBody,
		decode: func(f *fields) issuer.NewUser {
			n := issuer.NewUser{Email: f.required("email"), GivenName: f.optional("given_name"), FamilyName: f.optional("family_name"), Invite: f.flag("invite")}
			if roles := f.texts("roles"); roles != nil {
				n.Roles = *roles
			}
			return n
		},
		call: func(c *call, n issuer.NewUser) (answer, error) {
			u, err := a.provider.AdminCreateUser(c.ctx(), c.by, n)
			if err != nil {
				return answer{}, err
			}
			return answer{http.StatusCreated, adminUser(u)}, nil
		},
	})
}
