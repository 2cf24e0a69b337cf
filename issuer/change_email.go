package issuer

import (
	"context"
	"time"
)

// ChangeEmail asks for a code at the address that the caller's account is to move to, and tells the address that it has. A taken address gets the
// same answer for the same work: its owner is told, and the code can't be given.
//
//  1. Count the source; read user and session; count and check the password (confirm.go).
//  2. Count the mails of the account and of the new address; look the address up.
//  3. Insert the challenge with Ver and EmailRev as the password was checked at, then its mail, then the notice to the old address.
//
// Errors: invalid_request, step_up_required, invalid_credentials, session_revoked, rate_limited, unavailable.
func (p *Provider) ChangeEmail(ctx context.Context, who Requester, caller Principal, newEmail, password string) (Ticket, error) {
	t, err := p.changeEmail(ctx, who, caller, newEmail, password)
	p.observe.SignIn("email", stepOutcome("code_sent", err))
	return t, err
}

func (p *Provider) changeEmail(ctx context.Context, who Requester, caller Principal, newEmail, password string) (Ticket, error) {
	now := p.now()
	address, err := checkEmailChange(newEmail, password)
	if err != nil {
		return Ticket{}, err
	}
	if err := requireRecent(caller, now); err != nil {
		return Ticket{}, err
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return Ticket{}, err
	}
	u, err := p.confirmedUser(ctx, who, caller, PurposeEmail, password, now)
	if err != nil {
		return Ticket{}, err
	}
	if u.Email == address {
		return Ticket{}, fields{{Field: "new_email", Message: "is the address that the account has"}}.err()
	}
	at, err := p.addressAccount(address)
	if err != nil {
		return Ticket{}, err
	}
	att, own, theirs := randomID(), account{key: u.ID}.budget("codes", PurposeEmail), at.budget("codes", PurposeEmail)
	if err := p.take(ctx, own, att, p.set.LimitCodes, now); err != nil {
		return Ticket{}, err
	}
	if err := p.take(ctx, theirs, att, p.set.LimitCodes, now); err != nil {
		return Ticket{}, p.unjudged(ctx, own, att, p.set.LimitCodes, err)
	}
	t, err := p.openEmailChange(ctx, who, caller, u, address, now)
	if err != nil {
		err = p.unjudged(ctx, own, att, p.set.LimitCodes, err)
		return Ticket{}, p.unjudged(ctx, theirs, att, p.set.LimitCodes, err)
	}
	return t, nil
}

func checkEmailChange(newEmail, password string) (string, error) {
	var f fields
	address, err := CanonicalEmail(newEmail)
	f.check("new_email", err)
	checkOwnPassword(&f, "password", password)
	return address, f.err()
}

// openEmailChange is step 3.
func (p *Provider) openEmailChange(ctx context.Context, who Requester, caller Principal, u User, address string, now time.Time) (Ticket, error) {
	_, taken, err := p.owner(ctx, EmailKey(address))
	if err != nil {
		return Ticket{}, err
	}
	t, err := p.openChallenge(ctx, who, opening{
		purpose: PurposeEmail, userID: u.ID, sid: caller.Session.ID, clientID: caller.Session.ClientID, ver: u.Ver, emailRev: u.EmailRev,
		address: address, decoy: taken, locale: localeOf(u, who),
	}, now)
	if err != nil {
		return Ticket{}, err
	}
	cause := "email_change:" + challengeKey(t.ChallengeID)
	l := Letter{Kind: LetterEmailChange, To: u.Email, Locale: localeOf(u, who), At: now, UserAgent: cut(who.UserAgent, 256), IP: who.IP}
	if err := p.post(ctx, l, postage{id: cause, giveUpAt: now.Add(noticeLife)}, now); err != nil {
		return Ticket{}, err
	}
	p.audit(ctx, caller.event(who, "email.change_requested", cause, now))
	return t, nil
}

// VerifyEmail moves the caller's account to the address that a code was mailed to. Codes that were mailed before, to the old address above all, are dead
// then: the mailbox that was just left could reset the account.
//
//  1. Count the source; the code (prove.go) of a challenge of the caller's own.
//  2. Move (move_email.go). 3. Use up the challenge.
//
// A crash in 2: the move is finished by whoever meets the new address, or a poll; the same code resumes until 3. Errors: invalid_request, invalid_code,
// challenge_expired, too_many_attempts, conflict when somebody else has the address by now, rate_limited, unavailable.
func (p *Provider) VerifyEmail(ctx context.Context, who Requester, caller Principal, r VerifyRequest) (User, error) {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	u, err := p.verifyEmail(ctx, who, caller, r)
	p.observe.SignIn("email_code", stepOutcome("ok", err))
	return u, err
}

func (p *Provider) verifyEmail(ctx context.Context, who Requester, caller Principal, r VerifyRequest) (User, error) {
	now, att := p.now(), randomID()
	if err := p.takeSource(ctx, who, now); err != nil {
		return User{}, err
	}
	c, err := p.provenChallenge(ctx, who, r, att, now, func(c Challenge) error {
		if c.Purpose != PurposeEmail || c.UserID != caller.User.ID {
			return errChallengeExpired
		}
		return nil
	})
	if err != nil {
		return User{}, err
	}
	u, err := p.moveToAddress(ctx, c, caller.event(who, "email.changed", movedEvent(c.ID), now), now)
	if err != nil {
		return User{}, err
	}
	_, _, err = applied(ctx, func() (Challenge, bool, error) { return p.store.FinishChallenge(ctx, c.ID, c.Send, att) })
	return u, err
}
