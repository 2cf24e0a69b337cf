package handlers

import (
	"net/http"

	"signet/issuer"
)

// mySessions is GET /api/v1/me/sessions.
func (a *api) mySessions() http.Handler {
	return serve(a, endpoint[page]{
		bearer: true,
		query:  func(p *params) page { return p.page(listOfSessions) },
		call: func(c *call, q page) (answer, error) {
			list, err := a.provider.MySessions(c.ctx(), c.principal, q.after, q.limit)
			if err != nil {
				return answer{}, err
			}
			current := c.principal.Session.ID
			return listAnswer(listOfSessions, list, func(s issuer.Session) sessionJSON { return ownSession(s, current) }), nil
		},
	})
}

// endMySession is DELETE /api/v1/me/sessions/{sid}. A caller who ends the session that asks has signed out: a browser that sent its cookie forgets it,
// as at logout.
func (a *api) endMySession() http.Handler {
	return serve(a, endpoint[struct{}]{
		bearer: true,
		call: func(c *call, _ struct{}) (answer, error) {
			sid := c.inPath("sid")
			if err := a.provider.EndSession(c.ctx(), c.who(), c.principal, sid); err != nil {
				return answer{}, err
			}
			if sid == c.principal.Session.ID && a.refreshCookie(c.r) != "" {
				a.clearRefreshCookie(c)
			}
			return answer{status: http.StatusNoContent}, nil
		},
	})
}
