package conformance

import (
	"context"
	"time"

	"signet/issuer"
	"signet/keys"
)

// The methods of a faulty store, one operation each.

func (f *faulty) InsertUser(ctx context.Context, u issuer.User) error {
	return f.one("InsertUser", func() error { return f.s.InsertUser(ctx, u) })
}

func (f *faulty) User(ctx context.Context, id string) (issuer.User, error) {
	return two(f, "User", func() (issuer.User, error) { return f.s.User(ctx, id) })
}

func (f *faulty) RehashPassword(ctx context.Context, id, old, next string) (bool, error) {
	return two(f, "RehashPassword", func() (bool, error) { return f.s.RehashPassword(ctx, id, old, next) })
}

func (f *faulty) RecordSignIn(ctx context.Context, id string, ver int64, at time.Time) (issuer.User, bool, error) {
	return three(f, "RecordSignIn", func() (issuer.User, bool, error) { return f.s.RecordSignIn(ctx, id, ver, at) })
}

func (f *faulty) ActOnUser(ctx context.Context, id string, a issuer.Act) (issuer.User, bool, error) {
	return three(f, "ActOnUser", func() (issuer.User, bool, error) { return f.s.ActOnUser(ctx, id, a) })
}

func (f *faulty) ClearUserNotice(ctx context.Context, id string, ver int64) (bool, error) {
	return two(f, "ClearUserNotice", func() (bool, error) { return f.s.ClearUserNotice(ctx, id, ver) })
}

func (f *faulty) ClearPending(ctx context.Context, id string, ver int64) (bool, error) {
	return two(f, "ClearPending", func() (bool, error) { return f.s.ClearPending(ctx, id, ver) })
}

func (f *faulty) PendingUsers(ctx context.Context, after string, limit int) ([]string, error) {
	return two(f, "PendingUsers", func() ([]string, error) { return f.s.PendingUsers(ctx, after, limit) })
}

func (f *faulty) UpdateProfile(ctx context.Context, id string, p issuer.ProfileChange) (issuer.User, bool, error) {
	return three(f, "UpdateProfile", func() (issuer.User, bool, error) { return f.s.UpdateProfile(ctx, id, p) })
}

func (f *faulty) MoveUsername(ctx context.Context, id string, rev int64, username, release string, at time.Time) (issuer.User, bool, error) {
	return three(f, "MoveUsername", func() (issuer.User, bool, error) { return f.s.MoveUsername(ctx, id, rev, username, release, at) })
}

func (f *faulty) ClearRelease(ctx context.Context, id, identifier string, rev int64) (bool, error) {
	return two(f, "ClearRelease", func() (bool, error) { return f.s.ClearRelease(ctx, id, identifier, rev) })
}

func (f *faulty) ReleasingUsers(ctx context.Context, after string, limit int) ([]string, error) {
	return two(f, "ReleasingUsers", func() ([]string, error) { return f.s.ReleasingUsers(ctx, after, limit) })
}

func (f *faulty) ListUsers(ctx context.Context, q issuer.UserQuery, after issuer.Place, limit int) ([]issuer.User, error) {
	return two(f, "ListUsers", func() ([]issuer.User, error) { return f.s.ListUsers(ctx, q, after, limit) })
}

func (f *faulty) HashKinds(ctx context.Context) ([]string, error) {
	return two(f, "HashKinds", func() ([]string, error) { return f.s.HashKinds(ctx) })
}

func (f *faulty) Counts(ctx context.Context, now time.Time) (issuer.Counts, error) {
	return two(f, "Counts", func() (issuer.Counts, error) { return f.s.Counts(ctx, now) })
}

func (f *faulty) InsertIdentifier(ctx context.Context, i issuer.Identifier) error {
	return f.one("InsertIdentifier", func() error { return f.s.InsertIdentifier(ctx, i) })
}

func (f *faulty) Identifier(ctx context.Context, id string) (issuer.Identifier, error) {
	return two(f, "Identifier", func() (issuer.Identifier, error) { return f.s.Identifier(ctx, id) })
}

func (f *faulty) FirmIdentifier(ctx context.Context, id, claim string) (bool, error) {
	return two(f, "FirmIdentifier", func() (bool, error) { return f.s.FirmIdentifier(ctx, id, claim) })
}

func (f *faulty) ReclaimIdentifier(ctx context.Context, old string, i issuer.Identifier) (bool, error) {
	return two(f, "ReclaimIdentifier", func() (bool, error) { return f.s.ReclaimIdentifier(ctx, old, i) })
}

func (f *faulty) DeleteIdentifier(ctx context.Context, id, claim string) (bool, error) {
	return two(f, "DeleteIdentifier", func() (bool, error) { return f.s.DeleteIdentifier(ctx, id, claim) })
}

func (f *faulty) OpenIdentifiers(ctx context.Context, after string, limit int) ([]issuer.Identifier, error) {
	return two(f, "OpenIdentifiers", func() ([]issuer.Identifier, error) { return f.s.OpenIdentifiers(ctx, after, limit) })
}

func (f *faulty) ListIdentifiers(ctx context.Context, after string, limit int) ([]issuer.Identifier, error) {
	return two(f, "ListIdentifiers", func() ([]issuer.Identifier, error) { return f.s.ListIdentifiers(ctx, after, limit) })
}

func (f *faulty) InsertChallenge(ctx context.Context, c issuer.Challenge) error {
	return f.one("InsertChallenge", func() error { return f.s.InsertChallenge(ctx, c) })
}

func (f *faulty) Challenge(ctx context.Context, id string) (issuer.Challenge, error) {
	return two(f, "Challenge", func() (issuer.Challenge, error) { return f.s.Challenge(ctx, id) })
}

func (f *faulty) CountTry(ctx context.Context, id string, p issuer.Purpose, att string, limit int, now time.Time) (issuer.Challenge, bool, error) {
	return three(f, "CountTry", func() (issuer.Challenge, bool, error) { return f.s.CountTry(ctx, id, p, att, limit, now) })
}

func (f *faulty) Resend(ctx context.Context, id string, r issuer.Resending, now time.Time) (issuer.Challenge, bool, error) {
	return three(f, "Resend", func() (issuer.Challenge, bool, error) { return f.s.Resend(ctx, id, r, now) })
}

func (f *faulty) FinishChallenge(ctx context.Context, id string, send int64, att string) (issuer.Challenge, bool, error) {
	return three(f, "FinishChallenge", func() (issuer.Challenge, bool, error) { return f.s.FinishChallenge(ctx, id, send, att) })
}

func (f *faulty) InsertSession(ctx context.Context, s issuer.Session) error {
	return f.one("InsertSession", func() error { return f.s.InsertSession(ctx, s) })
}

func (f *faulty) Session(ctx context.Context, sid string) (issuer.Session, error) {
	return two(f, "Session", func() (issuer.Session, error) { return f.s.Session(ctx, sid) })
}

func (f *faulty) RaiseSession(ctx context.Context, sid string, ver int64, roles []string, epoch int64, keep string) (issuer.Session, bool, error) {
	return three(f, "RaiseSession", func() (issuer.Session, bool, error) { return f.s.RaiseSession(ctx, sid, ver, roles, epoch, keep) })
}

func (f *faulty) RotateSession(ctx context.Context, r issuer.Rotation) (issuer.Session, bool, error) {
	return three(f, "RotateSession", func() (issuer.Session, bool, error) { return f.s.RotateSession(ctx, r) })
}

func (f *faulty) RedateRotation(ctx context.Context, sid string, gen int64, att string, at time.Time) (bool, error) {
	return two(f, "RedateRotation", func() (bool, error) { return f.s.RedateRotation(ctx, sid, gen, att, at) })
}

func (f *faulty) RevokeSession(ctx context.Context, sid string, r issuer.Revoking) (issuer.Session, bool, error) {
	return three(f, "RevokeSession", func() (issuer.Session, bool, error) { return f.s.RevokeSession(ctx, sid, r) })
}

func (f *faulty) Reauthenticate(ctx context.Context, sid string, at, now time.Time) (issuer.Session, bool, error) {
	return three(f, "Reauthenticate", func() (issuer.Session, bool, error) { return f.s.Reauthenticate(ctx, sid, at, now) })
}

func (f *faulty) ScrubSession(ctx context.Context, sid string) (bool, error) {
	return two(f, "ScrubSession", func() (bool, error) { return f.s.ScrubSession(ctx, sid) })
}

func (f *faulty) ListSessions(ctx context.Context, q issuer.SessionQuery, after issuer.Place, limit int) ([]issuer.Session, error) {
	return two(f, "ListSessions", func() ([]issuer.Session, error) { return f.s.ListSessions(ctx, q, after, limit) })
}

func (f *faulty) SessionsOf(ctx context.Context, userID, after string, limit int) ([]issuer.Session, error) {
	return two(f, "SessionsOf", func() ([]issuer.Session, error) { return f.s.SessionsOf(ctx, userID, after, limit) })
}

func (f *faulty) NoticeSessions(ctx context.Context, after string, limit int) ([]issuer.Session, error) {
	return two(f, "NoticeSessions", func() ([]issuer.Session, error) { return f.s.NoticeSessions(ctx, after, limit) })
}

func (f *faulty) ClearNotice(ctx context.Context, sid string) (bool, error) {
	return two(f, "ClearNotice", func() (bool, error) { return f.s.ClearNotice(ctx, sid) })
}

func (f *faulty) SessionsActiveSince(ctx context.Context, since time.Time, after issuer.SessionCursor, limit int) ([]issuer.Session, error) {
	return two(f, "SessionsActiveSince", func() ([]issuer.Session, error) { return f.s.SessionsActiveSince(ctx, since, after, limit) })
}

func (f *faulty) InsertMail(ctx context.Context, m issuer.Mail) error {
	return f.one("InsertMail", func() error { return f.s.InsertMail(ctx, m) })
}

func (f *faulty) DueMails(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return two(f, "DueMails", func() ([]string, error) { return f.s.DueMails(ctx, now, limit) })
}

func (f *faulty) ClaimMail(ctx context.Context, id string, now, leaseUntil time.Time, by string) (issuer.Mail, bool, error) {
	return three(f, "ClaimMail", func() (issuer.Mail, bool, error) { return f.s.ClaimMail(ctx, id, now, leaseUntil, by) })
}

func (f *faulty) DeferMail(ctx context.Context, id, by string, now, dueAt time.Time) (bool, error) {
	return two(f, "DeferMail", func() (bool, error) { return f.s.DeferMail(ctx, id, by, now, dueAt) })
}

func (f *faulty) DeleteMail(ctx context.Context, id, by string) (bool, error) {
	return two(f, "DeleteMail", func() (bool, error) { return f.s.DeleteMail(ctx, id, by) })
}

func (f *faulty) QueuedMails(ctx context.Context, now time.Time) (int64, error) {
	return two(f, "QueuedMails", func() (int64, error) { return f.s.QueuedMails(ctx, now) })
}

func (f *faulty) Mails(ctx context.Context, after string, limit int) ([]issuer.Mail, error) {
	return two(f, "Mails", func() ([]issuer.Mail, error) { return f.s.Mails(ctx, after, limit) })
}

func (f *faulty) ResealMail(ctx context.Context, id string, old, next []byte) (bool, error) {
	return two(f, "ResealMail", func() (bool, error) { return f.s.ResealMail(ctx, id, old, next) })
}

func (f *faulty) TakeBudget(ctx context.Context, key, att string, limit int, window time.Duration, now time.Time) (bool, time.Time, error) {
	return three(f, "TakeBudget", func() (bool, time.Time, error) { return f.s.TakeBudget(ctx, key, att, limit, window, now) })
}

func (f *faulty) GiveBack(ctx context.Context, key, att string) error {
	return f.one("GiveBack", func() error { return f.s.GiveBack(ctx, key, att) })
}

func (f *faulty) CountSource(ctx context.Context, key string, expires time.Time) (int64, error) {
	return two(f, "CountSource", func() (int64, error) { return f.s.CountSource(ctx, key, expires) })
}

func (f *faulty) InsertClient(ctx context.Context, c issuer.Client) error {
	return f.one("InsertClient", func() error { return f.s.InsertClient(ctx, c) })
}

func (f *faulty) AllClients(ctx context.Context) ([]issuer.Client, error) {
	return two(f, "AllClients", func() ([]issuer.Client, error) { return f.s.AllClients(ctx) })
}

func (f *faulty) AppendAudit(ctx context.Context, e issuer.AuditEvent) error {
	return f.one("AppendAudit", func() error { return f.s.AppendAudit(ctx, e) })
}

func (f *faulty) ListAudit(ctx context.Context, q issuer.AuditQuery, after issuer.Place, limit int) ([]issuer.AuditEvent, error) {
	return two(f, "ListAudit", func() ([]issuer.AuditEvent, error) { return f.s.ListAudit(ctx, q, after, limit) })
}

func (f *faulty) ScrubAudit(ctx context.Context, id string) (bool, error) {
	return two(f, "ScrubAudit", func() (bool, error) { return f.s.ScrubAudit(ctx, id) })
}

func (f *faulty) PurgeAudit(ctx context.Context, before time.Time, limit int) (int, error) {
	return two(f, "PurgeAudit", func() (int, error) { return f.s.PurgeAudit(ctx, before, limit) })
}

func (f *faulty) LoadRing(ctx context.Context) (keys.RingDocument, error) {
	return two(f, "LoadRing", func() (keys.RingDocument, error) { return f.s.LoadRing(ctx) })
}

func (f *faulty) SaveRing(ctx context.Context, expected int64, next keys.RingDocument) (bool, error) {
	return two(f, "SaveRing", func() (bool, error) { return f.s.SaveRing(ctx, expected, next) })
}

func (f *faulty) StoreTime(ctx context.Context) (time.Time, error) {
	return two(f, "StoreTime", func() (time.Time, error) { return f.s.StoreTime(ctx) })
}

func (f *faulty) PutHeartbeat(ctx context.Context, h keys.Heartbeat) error {
	return f.one("PutHeartbeat", func() error { return f.s.PutHeartbeat(ctx, h) })
}

func (f *faulty) Heartbeats(ctx context.Context) ([]keys.Heartbeat, error) {
	return two(f, "Heartbeats", func() ([]keys.Heartbeat, error) { return f.s.Heartbeats(ctx) })
}

func (f *faulty) DeleteHeartbeat(ctx context.Context, replica string) error {
	return f.one("DeleteHeartbeat", func() error { return f.s.DeleteHeartbeat(ctx, replica) })
}

func (f *faulty) StaleReads() time.Duration { return f.s.StaleReads() }

func (f *faulty) EffectDelay() time.Duration { return f.s.EffectDelay() }
