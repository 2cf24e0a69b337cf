package issuer

import (
	"context"
	"errors"
	"slices"
	"time"
)

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
	now := p.now()
	u, err := p.endAll(ctx, caller.User, "", now)
	if err != nil {
		return err
	}
	p.audit(ctx, AuditEvent{
		ID: "logout_all:" + u.ID + ":" + randomID(), Type: "logout.all", At: now, Actor: u.ID, SID: caller.Session.ID, ClientID: caller.Session.ClientID,
		Source: who.IP, RequestID: who.RequestID,
	})
	return p.sweep(ctx, u, now)
}

// endAll is the one write that ends all sessions of a user but keep:
//
//	{user, active, Ver v} -> Ver, Cred, Epoch, Pending v+1; Keep; Ops + att
//
// A sign-in inserts its session before its write to the user, an end-all writes the user before it lists sessions: one of them sees the other.
func (p *Provider) endAll(ctx context.Context, u User, keep string, now time.Time) (User, error) {
	att := randomID()
	for range 8 {
		next, hit, err := applied(ctx, func() (User, bool, error) { return p.store.EndAll(ctx, u.ID, u.Ver, keep, att, now) })
		if err != nil || hit {
			return next, err
		}
		if u, err = again(ctx, func() (User, error) { return p.store.User(ctx, u.ID) }); err != nil {
			return u, err
		}
		if slices.Contains(u.Ops, att) {
			return u, nil
		}
		if u.State != UserActive {
			return u, errSessionRevoked
		}
	}
	return u, unavailable(errors.New("the account changes too often"))
}

const sweepPage = 100

// sweep carries out what an act left on the user: sessions older than its Epoch are revoked, the others raised to its Ver and roles, and the
// mark taken off under the same Ver. All of it only moves forward, so a sweeper with an older user undoes nothing. Done by the
// caller before it answers, and again by any poll that finds the mark.
func (p *Provider) sweep(ctx context.Context, u User, began time.Time) error {
	for after := ""; ; {
		page, err := again(ctx, func() ([]Session, error) { return p.store.SessionsOf(ctx, u.ID, after, sweepPage) })
		if err != nil {
			return err
		}
		for _, s := range page {
			if err := p.sweepSession(ctx, u, s, began); err != nil {
				return err
			}
			after = s.ID
		}
		if len(page) < sweepPage {
			break
		}
	}
	if u.Pending == 0 || began.Before(u.PendingAt.Add(p.store.EffectDelay())) {
		return nil
	}
	_, err := again(ctx, func() (bool, error) { return p.store.ClearPending(ctx, u.ID, u.Ver) })
	return err
}

func (p *Provider) sweepSession(ctx context.Context, u User, s Session, now time.Time) error {
	if s.Revoked != nil {
		return nil
	}
	if s.Ver < u.Epoch && s.ID != u.Keep {
		epoch := u.Epoch
		_, hit, err := applied(ctx, func() (Session, bool, error) {
			return p.store.RevokeSession(ctx, s.ID, Revoking{At: now, Why: RevokedLogoutAll, VerBelow: &epoch})
		})
		if err != nil || hit {
			return err
		}
	}
	if s.Ver >= u.Ver {
		return nil
	}
	_, _, err := applied(ctx, func() (Session, bool, error) { return p.store.RaiseSession(ctx, s.ID, u.Ver, u.Roles, u.Epoch, u.Keep) })
	return err
}
