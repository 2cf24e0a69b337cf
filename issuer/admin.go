package issuer

import (
	"context"
	"slices"
	"time"
)

// Administrators act on other people's accounts. What one may is decided twice: when the request arrives, by the token's scope and the role that the
// account had then, and again right before anything is changed:
//
//  1. What was asked for is checked whole.
//  2. The caller proved its password and a mailed code no longer ago than stepUpAge.
//  3. Its session is current and its account has the role, read from the store for this. An administrator can't disable, delete or demote itself, so
//     that one is left who can undo it.
//  4. One act on the account that is changed (act.go), its line in the audit log, and what follows from the act (sweep.go).
//
// An operator at the command line has the store itself: only 1 and 4 concern it.
//
// Invariant: once a call has answered, no refresh succeeds of a session that it ended, and none carries roles that it took away. A call that dies
// after its act is finished by any replica's poll, and by the same call made again.

// operatorActor is the actor of what is done at the command line.
const operatorActor = "operator"

var (
	errNoUser    = refusal(KindNotFound, "There is no such account.")
	errNoSession = refusal(KindNotFound, "There is no such session.")
)

// Admin makes an administrator of the bearer of an access token, whose user was read from the store just now (Authenticate). who is remembered for the
// audit log.
// Errors: forbidden without the scope `admin` in the token, or without the role in the store.
func (p *Provider) Admin(caller Principal, who Requester) (Admin, error) {
	if !slices.Contains(caller.Scope, scopeAdmin) || !slices.Contains(caller.User.Roles, roleAdmin) {
		return Admin{}, errForbidden
	}
	return Admin{caller: &caller, who: who}, nil
}

// mayRead refuses the zero value.
func (by Admin) mayRead() error {
	if !by.operator && by.caller == nil {
		return errForbidden
	}
	return nil
}

// mayChange is steps 2 and 3.
func (p *Provider) mayChange(ctx context.Context, by Admin, now time.Time) error {
	if by.operator {
		return nil
	}
	if by.caller == nil {
		return errForbidden
	}
	if err := requireRecent(*by.caller, now); err != nil {
		return err
	}
	_, u, err := p.currentSession(ctx, accessClaims{Subject: by.caller.User.ID, SID: by.caller.Session.ID}, now)
	if err == nil && !slices.Contains(u.Roles, roleAdmin) {
		err = errForbidden
	}
	return err
}

// notItself is the rest of step 3.
func (by Admin) notItself(id, what string) error {
	if by.caller != nil && by.caller.User.ID == id {
		return refusal(KindForbidden, "An administrator can't "+what+" its own account: another one has to.")
	}
	return nil
}

// event completes a line of the audit log by who did it. The session is the administrator's, unless the line is about another.
func (by Admin) event(e AuditEvent) AuditEvent {
	if e.ID == "" {
		e.ID = e.Type + ":" + randomID()
	}
	e.Actor, e.Source, e.RequestID = operatorActor, by.who.IP, by.who.RequestID
	if by.caller != nil {
		e.Actor, e.ClientID = by.caller.User.ID, by.caller.Session.ClientID
		if e.SID == "" {
			e.SID = by.caller.Session.ID
		}
	}
	return e
}

// unhurried keeps the request's time and forgets that its sender may hang up: what an administrator has begun is done and recorded, so that nobody can
// change something and keep it out of the audit log by closing the connection. An operator may interrupt a command.
func (by Admin) unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	if by.operator {
		return context.WithCancel(ctx)
	}
	free := context.WithoutCancel(ctx)
	if at, ok := ctx.Deadline(); ok {
		return context.WithDeadline(free, at)
	}
	return context.WithCancel(free)
}
