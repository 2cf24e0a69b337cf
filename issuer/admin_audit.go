package issuer

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ListAudit lists events of the audit log, in order of At, ID. limit is 1 to 200.
// Errors: invalid_request, forbidden, unavailable.
func (p *Provider) ListAudit(ctx context.Context, by Admin, q AuditQuery, after Place, limit int) (Page[AuditEvent], error) {
	if err := by.mayRead(); err != nil {
		return Page[AuditEvent]{}, err
	}
	var f fields
	if !searchable(q.Type) {
		f.add("type", "must be a type of event, or with a final dot how types begin")
	}
	if !searchable(q.UserID) {
		f.add("user_id", "must be the id of a user")
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Before(q.Since) {
		f.add("until", "must not be before since")
	}
	if err := f.err(); err != nil {
		return Page[AuditEvent]{}, err
	}
	place := func(e AuditEvent) Place { return Place{At: e.At, ID: e.ID} }
	return pageOf(ctx, after, limit, place, func(after Place, limit int) ([]AuditEvent, error) { return p.store.ListAudit(ctx, q, after, limit) })
}

// searchable is a text that an event can have in its type, actor or target.
func searchable(s string) bool {
	return utf8.ValidString(s) && len(s) <= 128 && !strings.ContainsFunc(s, unicode.IsControl)
}

// Overview counts accounts, sessions and mails that wait. It may be a moment behind.
// Errors: forbidden, unavailable.
func (p *Provider) Overview(ctx context.Context, by Admin) (Overview, error) {
	if err := by.mayRead(); err != nil {
		return Overview{}, err
	}
	now := p.now()
	counts, err := again(ctx, func() (Counts, error) { return p.store.Counts(ctx, now) })
	if err != nil {
		return Overview{}, err
	}
	queued, err := again(ctx, func() (int64, error) { return p.store.QueuedMails(ctx, now) })
	return Overview{Counts: counts, QueuedMails: queued}, err
}
