package handlers

import "net/http"

type sessionsQuery struct {
	userID  string
	revoked bool
	page
}

// listSessions is GET /api/v1/admin/sessions: the outstanding ones, or those that were revoked.
func (a *api) listSessions() http.Handler {
	return serve(a, endpoint[sessionsQuery]{
		bearer: true, admin: true,
		query: func(p *params) sessionsQuery {
			return sessionsQuery{p.text("user_id"), p.choice("state", "outstanding", "revoked") == "revoked", p.page(listOfSessions)}
		},
		call: func(c *call, q sessionsQuery) (answer, error) {
			list, err := a.provider.ListSessions(c.ctx(), c.by, q.userID, q.revoked, q.after, q.limit)
			if err != nil {
				return answer{}, err
			}
			return listAnswer(listOfSessions, list, anySession), nil
		},
	})
}
