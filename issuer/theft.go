package issuer

import (
	"context"
	"errors"
	"time"
)

// tellOfTheft carries out what a theft left on the session: a mail to its owner and a line in the audit log, both named by
// their cause, so that making them twice is one insert. Then the mark is taken off.
func (p *Provider) tellOfTheft(ctx context.Context, s Session) error {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, s.UserID) })
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	at := s.CreatedAt
	if s.Revoked != nil {
		at = s.Revoked.At
	}
	cause := "reuse:" + s.ID
	if err == nil && u.State == UserActive {
		l := Letter{Kind: LetterReuse, To: u.Email, Locale: u.Locale, At: at, UserAgent: s.UserAgent, IP: s.IP}
		if err := p.post(ctx, l, postage{id: cause, giveUpAt: at.Add(noticeLife)}, p.now()); err != nil {
			return err
		}
	}
	p.audit(ctx, AuditEvent{ID: cause, Type: "token.reuse", At: at, Actor: s.UserID, SID: s.ID, ClientID: s.ClientID})
	_, err = again(ctx, func() (bool, error) { return p.store.ClearNotice(ctx, s.ID) })
	return err
}

// audit appends an event. What was done is done: a log that can't be written is reported, not made the caller's trouble.
func (p *Provider) audit(ctx context.Context, e AuditEvent) {
	if err := done(ctx, func() error { return p.store.AppendAudit(ctx, e) }); err != nil {
		p.log.Error().Err(err).Str("event", e.Type).Str("sid", e.SID).Time("at", e.At.Truncate(time.Millisecond)).Msg("an audit event was not written")
	}
}
