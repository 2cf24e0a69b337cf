package handlers

import (
	"net/http"

	"signet/issuer"
)

// statsJSON counts what there is.
type statsJSON struct {
	Users    userCounts    `json:"users"`
	Sessions sessionCounts `json:"sessions"`
	Mail     mailCounts    `json:"mail"`
}

type userCounts struct {
	Active   int64 `json:"active"`
	Disabled int64 `json:"disabled"`
	Deleted  int64 `json:"deleted"`
}

type sessionCounts struct {
	Outstanding int64 `json:"outstanding"`
	Revoked     int64 `json:"revoked"`
}

type mailCounts struct {
	Queued int64 `json:"queued"`
}

func shownStats(o issuer.Overview) statsJSON {
	return statsJSON{userCounts{o.Active, o.Disabled, o.Deleted}, sessionCounts{o.Outstanding, o.Revoked}, mailCounts{o.QueuedMails}}
}

// stats is GET /api/v1/admin/stats.
func (a *api) stats() http.Handler {
	return serve(a, endpoint[struct{}]{
		bearer: true, admin: true,
		call: func(c *call, _ struct{}) (answer, error) {
			o, err := a.provider.Overview(c.ctx(), c.by)
			if err != nil {
				return answer{}, err
			}
			return answer{http.StatusOK, shownStats(o)}, nil
		},
	})
}
