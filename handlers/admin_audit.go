package handlers

import (
	"net/http"

	"signet/issuer"
)

// auditJSON is a line of the audit log. What does not apply is null.
type auditJSON struct {
	ID        string  `json:"id"`
	Type      string  `json:"type"`
	At        *string `json:"at"`
	Actor     *string `json:"actor"`
	Target    *string `json:"target"`
	SID       *string `json:"sid"`
	ClientID  *string `json:"client_id"`
	Source    *string `json:"source"`
	RequestID *string `json:"request_id"`
	Detail    *string `json:"detail"`
}

func auditEvent(e issuer.AuditEvent) auditJSON {
	return auditJSON{
		ID: e.ID, Type: e.Type, At: timeOrNull(e.At), Actor: orNull(e.Actor), Target: orNull(e.Target), SID: orNull(e.SID), ClientID: orNull(e.ClientID),
		Source: orNull(e.Source), RequestID: orNull(e.RequestID), Detail: orNull(e.Detail),
	}
}

type auditQuery struct {
	issuer.AuditQuery
	page
}

// listAudit is GET /api/v1/admin/audit, oldest first.
func (a *api) listAudit() http.Handler {
	return serve(a, endpoint[auditQuery]{
		bearer: true, admin: true,
		query: func(p *params) auditQuery {
			return auditQuery{issuer.AuditQuery{Since: p.moment("since"), Until: p.moment("until"), Type: p.text("type"), UserID: p.text("user_id")}, p.page(listOfAudit)}
		},
		call: func(c *call, q auditQuery) (answer, error) {
			list, err := a.provider.ListAudit(c.ctx(), c.by, q.AuditQuery, q.after, q.limit)
			if err != nil {
				return answer{}, err
			}
			return listAnswer(listOfAudit, list, auditEvent), nil
		},
	})
}
