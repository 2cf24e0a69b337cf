package issuer

import (
	"context"
	"errors"
	"slices"
	"time"

	"signet/keys"
)

// Refresh trades a refresh token for new tokens. One storage operation and one signature on the normal path.
//
//  1. Check MAC and expiry in memory.
//  2. {sid, Gen g, secret, first-party client, not revoked, not expired} -> Gen g+1: mint from the document after.
//  3. Miss: read; the first line that holds decides:
//     absent or expired                                   invalid_token
//     revoked                                             session_revoked
//     the rotation to g+1 is this attempt's               won
//     g is the current generation or a later one          invalid_token
//     g superseded within the grace                       the current token
//     g older than all remembered, all within the grace   invalid_token, the session stays
//     a rotation of the session is still to be dated anew unavailable (late_answer.go)
//     else                                                theft: revoke the session, tell its owner
//
// Invariants: each generation rotates once; all tokens of one generation are byte-equal, on every replica; nobody arriving after the grace gets
// tokens; nobody inside it is called a thief.
//
// An answer that comes late, or never, is dated anew (late_answer.go).
//
// Errors: invalid_token, session_revoked, token_reused, unavailable. Only the first three are final.
func (p *Provider) Refresh(ctx context.Context, who Requester, token string) (TokenSet, error) {
	t, outcome, err := p.refresh(ctx, who, token)
	if err != nil {
		outcome = string(KindOf(err))
	}
	p.observe.Refresh(outcome)
	return t, err
}

func (p *Provider) refresh(ctx context.Context, who Requester, token string) (TokenSet, string, error) {
	now, att := p.now(), randomID()
	presented, err := p.provenRefreshToken(ctx, token)
	if err != nil {
		return TokenSet{}, "", err
	}
	if !presented.exp.After(now) {
		return TokenSet{}, "", errInvalidToken
	}
	s, sure, err := p.rotate(ctx, presented, att, now)
	if err != nil {
		p.redateLater(ctx, presented.sid, presented.gen+1, att) // it may have been applied
		return TokenSet{}, "", err
	}
	outcome := "rotated"
	if s.ID == "" {
		if s, outcome, err = p.unrotated(ctx, who, presented, att, now); err != nil {
			return TokenSet{}, "", err
		}
	}
	t, err := p.tokens(ctx, s, now)
	if outcome == "rotated" && (err != nil || !sure || p.late(now)) {
		p.redate(ctx, s, att)
	}
	return t, outcome, err
}

// rotate is step 2. A miss is the zero Session; sure is false when the outcome was unknown on the way.
func (p *Provider) rotate(ctx context.Context, t refreshToken, att string, now time.Time) (s Session, sure bool, err error) {
	next, err := p.keys.MACSecret(keys.MACRefresh)
	if err != nil {
		return Session{}, true, keyTrouble(err)
	}
	r := Rotation{
		SID: t.sid, Gen: t.gen, Secret: t.secret, ClientIDs: p.clients.Load().firstParty, Now: now, Next: next.ID, Idle: p.set.RefreshIdle, Att: att,
	}
	tries := 0
	s, hit, err := applied(ctx, func() (Session, bool, error) {
		tries++
		return p.store.RotateSession(ctx, r)
	})
	if !hit {
		s = Session{}
	}
	return s, tries == 1, err
}

// unrotated is step 3: why generation t.gen did not rotate, and what its bearer gets.
func (p *Provider) unrotated(ctx context.Context, who Requester, t refreshToken, att string, now time.Time) (Session, string, error) {
	s, err := again(ctx, func() (Session, error) { return p.store.Session(ctx, t.sid) })
	switch {
	case errors.Is(err, ErrNotFound):
		return s, "", errInvalidToken
	case err != nil:
		return s, "", err
	case !s.IdleAt.After(now) || !s.AbsAt.After(now):
		return s, "", errInvalidToken
	case s.Revoked != nil:
		return s, "", errSessionRevoked
	case s.By == att && s.Gen == t.gen+1:
		return s, "rotated", nil
	case s.Gen <= t.gen:
		return s, "", errInvalidToken
	case !slices.Contains(p.clients.Load().firstParty, s.ClientID):
		return s, "", errInvalidToken
	case p.withinGrace(s, t.gen, now):
		return s, "repeated", nil
	case p.forgottenWithinGrace(s, t.gen, now):
		return s, "", errInvalidToken
	case p.unanswered.has(s.ID):
		return s, "", unavailable(errors.New("a rotation of this session is still to be dated anew"))
	}
	return s, "", p.theft(ctx, who, s, t, now)
}

// withinGrace says whether gen was superseded less than the grace before the request arrived.
func (p *Provider) withinGrace(s Session, gen int64, now time.Time) bool {
	return slices.ContainsFunc(s.Recent, func(r Superseded) bool { return r.Gen == gen && now.Sub(r.At) < p.set.RefreshGrace })
}

// forgottenWithinGrace says whether gen may have been superseded within the grace and forgotten since: so many rotations so fast are no theft.
func (p *Provider) forgottenWithinGrace(s Session, gen int64, now time.Time) bool {
	return len(s.Recent) == RecentKept && gen < s.Recent[0].Gen && now.Sub(s.Recent[0].At) < p.set.RefreshGrace
}

// theft revokes the session and records that its owner is to be told; the telling is carried out at once, or by any replica's poll.
func (p *Provider) theft(ctx context.Context, who Requester, s Session, t refreshToken, now time.Time) error {
	gen := t.gen
	revoked, hit, err := applied(ctx, func() (Session, bool, error) {
		return p.store.RevokeSession(ctx, s.ID, Revoking{At: now, Why: RevokedReuse, Notice: true, GenAbove: &gen})
	})
	if err != nil {
		return err
	}
	p.log.Warn().Str("event", "token.reuse").Str("sub", s.UserID).Str("sid", s.ID).Str("client_id", s.ClientID).Str("ip", who.IP).
		Str("request_id", who.RequestID).Msg("a refresh token was used twice, the session has ended")
	if hit {
		p.audit(ctx, AuditEvent{ID: reuseCause(s.ID), Type: "token.reuse", At: now, Target: s.UserID, SID: s.ID, ClientID: s.ClientID, Source: who.IP, RequestID: who.RequestID})
		if err := p.tellOfTheft(ctx, revoked); err != nil {
			p.log.Error().Err(err).Str("sid", s.ID).Msg("the notice of a theft waits for the next poll")
		}
	}
	return errTokenReused
}
