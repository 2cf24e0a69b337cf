package issuer

import "context"

// ListSessions lists sessions of one user, or of all with userID "": the outstanding ones, or those that were revoked, which stay for their absolute
// lifetime. In order of CreatedAt, ID; limit is 1 to 200. Nothing is listed of a user whom nobody knows.
// Errors: invalid_request, forbidden, unavailable.
func (p *Provider) ListSessions(ctx context.Context, by Admin, userID string, revoked bool, after Place, limit int) (Page[Session], error) {
	if err := by.mayRead(); err != nil {
		return Page[Session]{}, err
	}
	if userID != "" && !isID(userID) {
		return Page[Session]{}, fields{{Field: "user_id", Message: "must be the id of a user"}}.err()
	}
	return p.sessionPage(ctx, SessionQuery{UserID: userID, Revoked: revoked, Now: p.now()}, after, limit)
}

// EndAnySession ends one session of anybody. One that is over already is fine.
// Errors: step_up_required, forbidden, session_revoked, not_found, unavailable.
func (p *Provider) EndAnySession(ctx context.Context, by Admin, sid string) error {
	ctx, cancel := by.unhurried(ctx)
	defer cancel()
	now := p.now()
	if err := p.mayChange(ctx, by, now); err != nil {
		return err
	}
	s, err := p.listedSession(ctx, sid)
	if err != nil {
		return err
	}
	e := by.event(AuditEvent{})
	if by.caller != nil {
		e.Detail = "from session " + by.caller.Session.ID
	}
	return p.endSession(ctx, s, now, e)
}
