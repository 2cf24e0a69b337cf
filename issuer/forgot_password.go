package issuer

import (
	"context"
	"time"
)

// ForgotPassword mails a code that a new password can be chosen with. Any stranger can ask for one, so its codes are longer, and whether there is an
// account shows in nothing: an address without an active one costs the same operations and a mail that the mail worker drops, no hash is computed
// either way, and the answer is the same.
//
//  1. Count the source and the address's mails; look the address up: one read of the user gives Ver and EmailRev together.
//  2. Insert the challenge with what was read, then the mail.
//
// Whoever reads the mail proves the address: an imported account that was never verified, or has no password, gets one so.
// Errors: invalid_request, rate_limited, unavailable.
func (p *Provider) ForgotPassword(ctx context.Context, who Requester, email string) (Ticket, error) {
	t, err := p.forgotPassword(ctx, who, email)
	p.observe.SignIn("forgot", stepOutcome("code_sent", err))
	return t, err
}

func (p *Provider) forgotPassword(ctx context.Context, who Requester, email string) (Ticket, error) {
	now := p.now()
	address, err := CanonicalEmail(email)
	if err != nil {
		return Ticket{}, fields{{Field: "email", Message: err.Error()}}.err()
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return Ticket{}, err
	}
	a, err := p.addressAccount(address)
	if err != nil {
		return Ticket{}, err
	}
	budget, att := a.budget("codes", PurposeReset), randomID()
	if err := p.take(ctx, budget, att, p.set.LimitCodes, now); err != nil {
		return Ticket{}, err
	}
	t, err := p.openReset(ctx, who, address, now)
	if err != nil {
		return Ticket{}, p.unjudged(ctx, budget, att, p.set.LimitCodes, err)
	}
	return t, nil
}

func (p *Provider) openReset(ctx context.Context, who Requester, address string, now time.Time) (Ticket, error) {
	u, found, err := p.owner(ctx, EmailKey(address))
	if err != nil {
		return Ticket{}, err
	}
	o := opening{purpose: PurposeReset, userID: newUserID(), clientID: FirstPartyID, address: address, decoy: true, locale: who.Locale}
	if found && u.State == UserActive {
		o.userID, o.ver, o.emailRev, o.decoy, o.locale = u.ID, u.Ver, u.EmailRev, false, localeOf(u, who)
	}
	t, err := p.openChallenge(ctx, who, o, now)
	if err != nil {
		return Ticket{}, err
	}
	p.auditResetRequest(ctx, who, o, challengeKey(t.ChallengeID), now)
	return t, nil
}

// auditResetRequest records who asked for a reset: of an account one by one, of addresses that nobody has once an hour for each network.
func (p *Provider) auditResetRequest(ctx context.Context, who Requester, o opening, challenge string, now time.Time) {
	e := AuditEvent{
		ID: "password.reset_requested:" + challenge, Type: "password.reset_requested", At: now, Target: o.userID, ClientID: o.clientID,
		Source: who.IP, RequestID: who.RequestID,
	}
	if o.decoy {
		e.ID, e.Target = "password.reset_requested:"+network(who.IP)+":"+now.Truncate(time.Hour).Format(time.RFC3339), ""
		e.Detail = "no such account; the first of the hour from this network"
	}
	p.audit(ctx, e)
}
