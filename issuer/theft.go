package issuer

import (
	"context"
	"errors"
)

// tellOfTheft carries out what a theft left on the session: a mail to its owner and a line in the audit log, both named by
// their cause, so that making them twice is one insert. Then the mark is taken off, at once on every store: what follows from the mark
// are acknowledged inserts made from the session itself, which no read of a server that is behind can hide.
func (p *Provider) tellOfTheft(ctx context.Context, s Session) error {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, s.UserID) })
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	at := s.CreatedAt
	if s.Revoked != nil {
		at = s.Revoked.At
	}
	cause := reuseCause(s.ID)
	if err == nil && u.State == UserActive {
		l := Letter{Kind: LetterReuse, To: u.Email, Locale: u.Locale, At: at, UserAgent: s.UserAgent, IP: s.IP}
		if err := p.post(ctx, l, postage{id: cause, giveUpAt: at.Add(noticeLife)}, p.now()); err != nil {
			return err
		}
	}
	p.audit(ctx, AuditEvent{ID: cause, Type: "token.reuse", At: at, Target: s.UserID, SID: s.ID, ClientID: s.ClientID}) // unless it is there, with its source
	_, err = again(ctx, func() (bool, error) { return p.store.ClearNotice(ctx, s.ID) })
	return err
}

// reuseCause names what follows from a theft.
func reuseCause(sid string) string { return "reuse:" + sid }
