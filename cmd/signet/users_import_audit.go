package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"signet/issuer"
	"signet/issuer/djangoimport"
)

// importAudit records a run in two events: that it began, without which it does not, and what came of it. A million accounts would be a million
// events that say nothing more; those that bring a role are recorded one by one (issuer.ImportUser).
type importAudit struct {
	store issuer.Audit
	run   string
	skip  bool // a dry run
}

func newImportRunID() string { return rand.Text() }

func (a importAudit) started(ctx context.Context, format djangoimport.Format, size int64) error {
	if err := a.append(ctx, "started", fmt.Sprintf("%s, %d bytes", format, size)); err != nil {
		return fmt.Errorf("the audit log can't be written, so that nothing is imported: %w", err)
	}
	return nil
}

func (a importAudit) ended(ctx context.Context, s importSummary, failed error) error {
	how := "whole"
	if failed != nil {
		how = "cut short"
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	return a.append(ctx, "ended", fmt.Sprintf("%s: %d rows, %d imported, %d there already, %d refused; administrators: %d", how, s.Rows, s.Imported, s.There,
		s.Rejected, s.Admins))
}

func (a importAudit) append(ctx context.Context, what, detail string) error {
	if a.skip {
		return nil
	}
	return a.store.AppendAudit(ctx, issuer.AuditEvent{ID: "users.import:" + a.run + ":" + what, Type: "users.import." + what,
		At: time.Now().UTC().Truncate(time.Millisecond), Detail: "by " + whoami() + "; " + detail})
}
