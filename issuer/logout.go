package issuer

import "context"

// Logout ends the session of a refresh token, of any generation, expired or not: whoever holds one may end it. Nothing to end is fine.
//
//	{sid, not revoked} -> revoked
//
// Errors: unavailable.
func (p *Provider) Logout(ctx context.Context, who Requester, token string) error {
	t, err := p.provenRefreshToken(ctx, token)
	if err != nil {
		if KindOf(err) == KindInvalidToken {
			return nil
		}
		return err
	}
	now := p.now()
	s, hit, err := applied(ctx, func() (Session, bool, error) {
		return p.store.RevokeSession(ctx, t.sid, Revoking{At: now, Why: RevokedLogout})
	})
	if hit {
		p.audit(ctx, AuditEvent{ID: "logout:" + s.ID, Type: "logout", At: now, Actor: s.UserID, SID: s.ID, ClientID: s.ClientID, Source: who.IP, RequestID: who.RequestID})
	}
	return err
}

// LogoutAll ends every session of the caller, this one too: once it has answered, no refresh of any of them succeeds.
// Errors: session_revoked, unavailable.
func (p *Provider) LogoutAll(ctx context.Context, who Requester, caller Principal) error {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	now := p.now()
	u, err := p.act(ctx, caller.User, randomID(), now, func(u User) (Act, error) {
		if u.State != UserActive {
			return Act{}, errSessionRevoked
		}
		return Act{EndAll: RevokedLogoutAll}, nil
	})
	if err != nil {
		return err
	}
	p.audit(ctx, AuditEvent{
		ID: "logout_all:" + u.ID + ":" + randomID(), Type: "logout.all", At: now, Actor: u.ID, SID: caller.Session.ID, ClientID: caller.Session.ClientID,
		Source: who.IP, RequestID: who.RequestID,
	})
	return p.sweep(ctx, u, now)
}
