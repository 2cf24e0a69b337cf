package issuer

import (
	"context"
	"time"
)

// AuditEvent is one line of the audit log. It never holds a secret, code, token or password.
type AuditEvent struct {
	ID        string // made from its cause where there is one (`reuse:<sid>`), else random
	Type      string // `sign_in.ok`, `sign_in.failed`, `token.reuse`, ...
	At        time.Time
	Actor     string // user id; "" for none
	Target    string
	SID       string
	ClientID  string
	Source    string // address of the caller
	RequestID string
	Detail    string
}

// auditRefusal records a sign-in that was refused at a step. An account's own refusals are bounded by its budgets and recorded one by one; those
// of accounts that nobody has are recorded once an hour for each network, so that a stranger can't fill the log. Either way it is one operation.
func (p *Provider) auditRefusal(ctx context.Context, who Requester, userID, client, step string, now time.Time) {
	e := AuditEvent{ID: randomID(), Type: "sign_in.failed", At: now, Target: userID, ClientID: client, Source: who.IP, RequestID: who.RequestID, Detail: step}
	if userID == "" {
		hour := now.Truncate(time.Hour).Format(time.RFC3339)
		e.ID, e.Detail = "sign_in.failed:"+network(who.IP)+":"+hour, step+", no such account; the first of the hour from this network"
	}
	p.audit(ctx, e)
}

// audit appends an event. What was done is done: a log that can't be written is reported, not made the caller's trouble. Where the request's time is up,
// or its sender has hung up, the line is tried once more with a little time of its own: nobody keeps out of the log by hanging up.
func (p *Provider) audit(ctx context.Context, e AuditEvent) {
	err := done(ctx, func() error { return p.store.AppendAudit(ctx, e) })
	if err != nil && ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), unjudgedTime)
		defer cancel()
		err = p.store.AppendAudit(late, e)
	}
	if err != nil {
		p.log.Error().Err(err).Str("event", e.Type).Str("sid", e.SID).Time("at", e.At.Truncate(time.Millisecond)).Msg("an audit event was not written")
	}
}

// RecordStart records that a server has started, and how it is configured, in words that hold no secret.
func (p *Provider) RecordStart(ctx context.Context, detail string) {
	now := p.now()
	p.audit(ctx, AuditEvent{ID: "server.started:" + randomID(), Type: "server.started", At: now, Detail: detail})
}
