package issuer

import (
	"context"
	"errors"
	"time"
)

// MySessions lists the caller's outstanding sessions, the current one among them, in order of CreatedAt, ID. limit is 1 to 200.
// Errors: invalid_request, unavailable.
func (p *Provider) MySessions(ctx context.Context, caller Principal, after Place, limit int) (Page[Session], error) {
	return p.sessionPage(ctx, SessionQuery{UserID: caller.User.ID, Now: p.now()}, after, limit)
}

// EndSession ends one of the caller's own sessions, which may be the current one. One that is over already is fine.
//
//	{sid, not revoked} -> revoked: ended
//
// Errors: not_found for any session that is not the caller's, unavailable.
func (p *Provider) EndSession(ctx context.Context, who Requester, caller Principal, sid string) error {
	s, err := p.listedSession(ctx, sid)
	if err != nil {
		return err
	}
	if s.UserID != caller.User.ID {
		return errNoSession
	}
	return p.endSession(ctx, s, p.now(), AuditEvent{Actor: caller.User.ID, Source: who.IP, RequestID: who.RequestID})
}

func (p *Provider) sessionPage(ctx context.Context, q SessionQuery, after Place, limit int) (Page[Session], error) {
	place := func(s Session) Place { return Place{At: s.CreatedAt, ID: s.ID} }
	return pageOf(ctx, after, limit, place, func(after Place, limit int) ([]Session, error) { return p.store.ListSessions(ctx, q, after, limit) })
}

// listedSession reads a session. What can't be an id is not asked of the store.
func (p *Provider) listedSession(ctx context.Context, sid string) (Session, error) {
	if !isID(sid) {
		return Session{}, errNoSession
	}
	s, err := again(ctx, func() (Session, error) { return p.store.Session(ctx, sid) })
	if errors.Is(err, ErrNotFound) {
		err = errNoSession
	}
	return s, err
}

// endSession revokes a session and records it by e, once: on a miss the moment tells whether this call revoked it and the answer was lost.
func (p *Provider) endSession(ctx context.Context, s Session, now time.Time, e AuditEvent) error {
	_, hit, err := applied(ctx, func() (Session, bool, error) {
		return p.store.RevokeSession(ctx, s.ID, Revoking{At: now, Why: RevokedEnded})
	})
	if err != nil {
		return err
	}
	if !hit {
		there, err := p.listedSession(ctx, s.ID)
		if err != nil {
			return err
		}
		if there.Revoked == nil || there.Revoked.Why != RevokedEnded || !there.Revoked.At.Equal(now) {
			return nil
		}
	}
	e.ID, e.Type, e.At, e.Target, e.SID, e.ClientID = "session.ended:"+s.ID, "session.ended", now, s.UserID, s.ID, s.ClientID
	p.audit(ctx, e)
	return nil
}
