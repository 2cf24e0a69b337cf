package issuer

import (
	"context"
	"errors"
	"time"
)

// What could take an account away from its owner asks for the password again, and for a session that is current at that moment: a bearer token alone
// outlives a logout.
//
//  1. Read the session, after the user: it is current when it is not over and not older than the last end-all that did not spare it.
//  2. Count the wrong password before hashing, in a budget of this purpose; give the count back when it is right.
//
// An act that is lost to another one (act.go) confirms again with the user as it is then, and hashes again if the password's hash is another one. So
// no act is ever made on a password that was changed before it.

// Purposes of budgets that go with no mailed code.
const (
	purposePassword Purpose = "password-change"
	purposeDelete   Purpose = "deletion"
)

// confirming returns the check of the caller's session and password. It is not safe for concurrent use.
// Its errors: session_revoked, invalid_credentials, rate_limited, unavailable.
func (p *Provider) confirming(ctx context.Context, who Requester, caller Principal, purpose Purpose, password string, now time.Time) func(User) error {
	confirmed := ""
	return func(u User) error {
		if err := p.requireCurrent(ctx, caller.Session.ID, u, now); err != nil {
			return err
		}
		if confirmed != "" && confirmed == u.PasswordHash {
			return nil
		}
		budget := account{key: u.ID}.budget("passwords", purpose)
		if err := p.checkCounted(ctx, budget, u.PasswordHash, password, now); err != nil {
			if KindOf(err) == KindInvalidCredentials {
				p.auditRefusal(ctx, who, u.ID, caller.Session.ClientID, "password, "+string(purpose), now)
			}
			return err
		}
		confirmed = u.PasswordHash
		return nil
	}
}

// requireCurrent is step 1.
func (p *Provider) requireCurrent(ctx context.Context, sid string, u User, now time.Time) error {
	s, err := again(ctx, func() (Session, error) { return p.store.Session(ctx, sid) })
	switch {
	case errors.Is(err, ErrNotFound):
		return errSessionRevoked
	case err != nil:
		return err
	case u.State != UserActive || s.UserID != u.ID || s.Ended(now) || (s.Ver < u.Epoch && s.ID != u.Keep):
		return errSessionRevoked
	}
	return nil
}

// confirmedUser is the caller's account as it is now, with the password confirmed of that reading.
func (p *Provider) confirmedUser(ctx context.Context, who Requester, caller Principal, purpose Purpose, password string, now time.Time) (User, error) {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, caller.User.ID) })
	if errors.Is(err, ErrNotFound) {
		err = errSessionRevoked
	}
	if err != nil {
		return User{}, err
	}
	return u, p.confirming(ctx, who, caller, purpose, password, now)(u)
}

// checkOwnPassword adds what is wrong with a password that is to be compared with the account's.
func checkOwnPassword(f *fields, field, password string) {
	if password == "" {
		f.add(field, "is required")
	}
	if len(normalPassword(cut(password, 4*passwordMaxBytes))) > passwordMaxBytes {
		f.add(field, "must be at most 1024 bytes")
	}
}

// event is a line of the audit log about what the caller did to the own account. Without an id of its cause it gets one of its own.
func (caller Principal) event(who Requester, kind, id string, now time.Time) AuditEvent {
	if id == "" {
		id = kind + ":" + randomID()
	}
	return AuditEvent{
		ID: id, Type: kind, At: now, Actor: caller.User.ID, Target: caller.User.ID, SID: caller.Session.ID, ClientID: caller.Session.ClientID,
		Source: who.IP, RequestID: who.RequestID,
	}
}
