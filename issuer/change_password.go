package issuer

import "context"

// ChangePassword gives the caller's account a new password. Once it has answered, every other session is over, and so is every code that was mailed
// before.
//
//  1. The rules for a new password, before anything is counted.
//  2. Count the source; read the session; count and check the current password (confirm.go).
//  3. {user, Ver v} -> hash, Ver, Cred, Epoch, Pending v+1, Keep the caller's session, Notice. Lost to another act: again from 2 with the user as it
//     is now.
//  4. Sweep: end the other sessions, tell the owner.
//
// A crash after 3: any replica's poll does 4.
// Errors: invalid_request, weak_password, invalid_credentials, session_revoked, rate_limited, unavailable.
func (p *Provider) ChangePassword(ctx context.Context, who Requester, caller Principal, current, next string) error {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	err := p.changePassword(ctx, who, caller, current, next)
	p.observe.SignIn("password_change", stepOutcome("ok", err))
	return err
}

func (p *Provider) changePassword(ctx context.Context, who Requester, caller Principal, current, next string) error {
	now := p.now()
	if err := p.checkNewPassword(caller.User, current, next); err != nil {
		return err
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return err
	}
	confirm, hash := p.confirming(ctx, who, caller, purposePassword, current, now), ""
	u, err := p.act(ctx, caller.User, randomID(), now, func(u User) (Act, error) {
		if err := confirm(u); err != nil {
			return Act{}, err
		}
		if hash == "" {
			var err error
			if hash, err = p.hasher.Hash(ctx, next); err != nil {
				return Act{}, err
			}
		}
		return Act{EndAll: RevokedPassword, Keep: caller.Session.ID, PasswordHash: &hash, Notice: LetterPasswordChanged}, nil
	})
	if err != nil {
		return err
	}
	p.audit(ctx, caller.event(who, "password.changed", "", now))
	return p.sweep(ctx, u, now)
}

// checkNewPassword is step 1.
func (p *Provider) checkNewPassword(u User, current, next string) error {
	var f fields
	checkOwnPassword(&f, "current_password", current)
	if next == "" {
		f.add("new_password", "is required")
	}
	if err := f.err(); err != nil {
		return err
	}
	return checkPassword(normalPassword(next), p.contextWords(u.Email, u.Username, u.GivenName, u.FamilyName)...)
}
