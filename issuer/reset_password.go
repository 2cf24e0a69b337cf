package issuer

import (
	"context"
	"errors"
	"time"
)

// ResetPassword gives an account a new password against a mailed code. The code is no sign-in: it leaves no session alive, and the next one takes the
// password and a code again.
//
//  1. Count the source; the rules for a new password, before a try is counted; then the code (prove.go).
//  2. Read the user; {active, Cred at most the challenge's Ver, EmailRev as the challenge's} -> hash, EmailVerified, ResetRequired gone, Ver, Cred,
//     Epoch, Pending v+1, Notice, and the challenge's key in Ops, which makes it take place once.
//  3. Record it, then use up the challenge. 4. Sweep.
//
// A crash after 2: the same code with the same password resumes; any replica's poll does 4 in any case. With another password the code is used up.
//
// Invariants: those of the sign-in's code; a challenge resets at most once; a change of password or address since the challenge was made ends it.
// Errors: invalid_request, weak_password, invalid_code, challenge_expired, too_many_attempts, rate_limited, unavailable.
func (p *Provider) ResetPassword(ctx context.Context, who Requester, r ResetRequest) error {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	err := p.resetPassword(ctx, who, r)
	p.observe.SignIn("reset", stepOutcome("ok", err))
	return err
}

func (p *Provider) resetPassword(ctx context.Context, who Requester, r ResetRequest) error {
	now, att := p.now(), randomID()
	if r.NewPassword == "" {
		return fields{{Field: "new_password", Message: "is required"}}.err()
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return err
	}
	c, err := p.provenChallenge(ctx, who, VerifyRequest{ChallengeID: r.ChallengeID, Code: r.Code}, att, now, func(c Challenge) error {
		if c.Purpose != PurposeReset {
			return errChallengeExpired
		}
		// Only the words that the request itself shows: the account's others would tell a stranger of them.
		return checkPassword(normalPassword(r.NewPassword), p.contextWords(c.Address)...)
	})
	if err != nil {
		return err
	}
	u, err := p.setPasswordBy(ctx, c, r.NewPassword, now)
	if err != nil {
		return err
	}
	p.audit(ctx, AuditEvent{
		ID: "password.reset:" + c.ID, Type: "password.reset", At: now, Actor: u.ID, Target: u.ID, ClientID: c.ClientID, Source: who.IP, RequestID: who.RequestID,
	})
	_, _, err = applied(ctx, func() (Challenge, bool, error) { return p.store.FinishChallenge(ctx, c.ID, c.Send, att) })
	if err != nil {
		return err
	}
	return p.sweep(ctx, u, now)
}

// setPasswordBy is step 2.
func (p *Provider) setPasswordBy(ctx context.Context, c Challenge, password string, now time.Time) (User, error) {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, c.UserID) })
	switch {
	case errors.Is(err, ErrNotFound):
		return u, errChallengeExpired
	case err != nil:
		return u, err
	case u.Did(c.ID):
		return u, p.resetBefore(ctx, u, password)
	}
	if err := resettable(c, u); err != nil {
		return u, err
	}
	if err := checkPassword(normalPassword(password), p.contextWords(u.Username, u.GivenName, u.FamilyName)...); err != nil {
		return u, err
	}
	hash, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return u, err
	}
	u, err = p.act(ctx, u, c.ID, now, func(u User) (Act, error) {
		return Act{EndAll: RevokedReset, PasswordHash: &hash, EmailVerified: true, Notice: LetterPasswordChanged}, resettable(c, u)
	})
	if err != nil || u.PasswordHash == hash {
		return u, err
	}
	return u, p.resetBefore(ctx, u, password) // the same code at the same time
}

// resettable refuses what was changed since the challenge was made.
func resettable(c Challenge, u User) error {
	if u.State != UserActive || u.Cred > c.Ver || u.EmailRev != c.EmailRev {
		return errChallengeExpired
	}
	return nil
}

// resetBefore says whether the reset that the challenge was used for was to this password.
func (p *Provider) resetBefore(ctx context.Context, u User, password string) error {
	match, err := p.hasher.Verify(ctx, u.PasswordHash, password)
	if err == nil && (!match || u.State != UserActive) {
		err = errChallengeExpired
	}
	return err
}
