package issuer

import (
	"context"
	"time"
)

// auditCode records a code that was mailed or was wrong: an account's own one by one, which its budgets bound, under an id made from the cause; those of
// addresses that may be nobody's once an hour for each network and purpose, so that a stranger can't fill the log. Either way it is one operation.
func (p *Provider) auditCode(ctx context.Context, who Requester, c Challenge, kind, id string, now time.Time) {
	e := AuditEvent{ID: id, Type: kind, At: now, Target: c.UserID, ClientID: c.ClientID, Source: who.IP, RequestID: who.RequestID, Detail: string(c.Purpose)}
	switch {
	case c.Purpose == PurposeRegister || (c.Decoy && c.Purpose == PurposeReset):
		hour := now.Truncate(time.Hour).Format(time.RFC3339)
		e.ID, e.Target = kind+":"+string(c.Purpose)+":"+network(who.IP)+":"+hour, ""
		e.Detail += ", no such account yet; the first of the hour from this network"
	case c.Purpose == PurposeEmail:
		e.SID = c.SID
		if c.Decoy {
			e.Detail += ", to an address that is taken: its owner was told instead"
		}
	case c.Purpose == PurposeStepUp:
		e.SID = c.SID
	}
	p.audit(ctx, e)
}
