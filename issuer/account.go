package issuer

import (
	"context"
	"errors"
)

// UpdateMe changes the caller's own names, language and username. All of it is checked before anything is written; the username goes first, since it
// alone can be refused.
// Errors: invalid_request, conflict (username), session_revoked, unavailable.
func (p *Provider) UpdateMe(ctx context.Context, who Principal, r ProfileUpdate) (User, error) {
	now := p.now()
	change, username, err := checkProfile(r)
	if err != nil {
		return User{}, err
	}
	u := who.User
	if username != nil && *username != u.Username {
		if u, err = p.rename(ctx, u, *username, now); err != nil {
			return User{}, err
		}
	}
	if change == (ProfileChange{}) {
		return u, nil
	}
	u, hit, err := applied(ctx, func() (User, bool, error) { return p.store.UpdateProfile(ctx, u.ID, change) })
	if err == nil && !hit {
		err = errSessionRevoked
	}
	return u, err
}

func checkProfile(r ProfileUpdate) (change ProfileChange, username *string, err error) {
	var f fields
	clean := func(field string, value *string, rule func(string) (string, error)) *string {
		if value == nil {
			return nil
		}
		v, err := rule(*value)
		f.check(field, err)
		return &v
	}
	change.GivenName = clean("given_name", r.GivenName, cleanName)
	change.FamilyName = clean("family_name", r.FamilyName, cleanName)
	change.Locale = clean("locale", r.Locale, canonicalLocale)
	username = clean("username", r.Username, func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		display, _, err := CanonicalUsername(s)
		return display, err
	})
	return change, username, f.err()
}

// CreateUser makes an account without a mailed code: an operator vouches for the address. The commit is the identifier, as in a registration; a
// username is moved to afterwards.
// Errors: invalid_request, weak_password, conflict (email or username), unavailable.
func (p *Provider) CreateUser(ctx context.Context, n NewUser) (User, error) {
	now := p.now()
	email, username, err := p.checkNewUser(n)
	if err != nil {
		return User{}, err
	}
	if username != "" {
		_, taken, err := p.owner(ctx, nameIdentifier(username))
		if err != nil {
			return User{}, err
		}
		if taken {
			return User{}, conflict("username", "is taken")
		}
	}
	u := User{ID: newUserID(), State: UserActive, Email: email, EmailVerified: n.Verified, GivenName: n.GivenName, Roles: n.Roles, CreatedAt: now}
	if n.Password != "" {
		if u.PasswordHash, err = p.hasher.Hash(ctx, n.Password); err != nil {
			return User{}, err
		}
	}
	want := newIdentifier(EmailKey(email), u.ID, randomID(), IdentifierRegister, now)
	want.Payload = &u
	mine, err := p.claim(ctx, want)
	if err != nil {
		return User{}, err
	}
	if !mine {
		return User{}, conflict("email", "is taken")
	}
	if err := p.finishAccount(ctx, want); err != nil {
		return User{}, err
	}
	p.audit(ctx, AuditEvent{ID: "user_created:" + u.ID, Type: "user.created", At: now, Target: u.ID, Detail: "by an operator"})
	if username == "" {
		return u, nil
	}
	return p.rename(ctx, u, username, now)
}

func (p *Provider) checkNewUser(n NewUser) (email, username string, err error) {
	var f fields
	email, err = CanonicalEmail(n.Email)
	f.check("email", err)
	if n.Username != "" {
		username, _, err = CanonicalUsername(n.Username)
		f.check("username", err)
	}
	_, err = cleanName(n.GivenName)
	f.check("given_name", err)
	for _, r := range n.Roles {
		f.check("roles", checkRole(r))
	}
	if err := f.err(); err != nil {
		return "", "", err
	}
	if n.Password == "" {
		return email, username, nil
	}
	return email, username, checkPassword(normalPassword(n.Password), p.contextWords(email, username)...)
}

// checkRole: a role is a short word that a token can carry.
func checkRole(role string) error {
	if len(role) < 1 || len(role) > 64 {
		return errors.New("must have 1 to 64 characters each")
	}
	for _, r := range role {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' && r != ':' {
			return errors.New("must be of a-z, 0-9 and _-.: only")
		}
	}
	return nil
}
