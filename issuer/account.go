package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
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
// username is moved to afterwards. The mail of Invite is recorded on the user from the first (Notice), so that no crash loses it.
// Errors: invalid_request, weak_password, conflict (email or username), unavailable.
func (p *Provider) CreateUser(ctx context.Context, n NewUser) (User, error) {
	n, err := p.checkNewUser(n)
	if err != nil {
		return User{}, err
	}
	return p.createUser(ctx, Operator(), n, p.now())
}

// createUser makes an account of what was checked.
func (p *Provider) createUser(ctx context.Context, by Admin, n NewUser, now time.Time) (User, error) {
	if n.Username != "" {
		_, taken, err := p.owner(ctx, nameIdentifier(n.Username))
		if err != nil {
			return User{}, err
		}
		if taken {
			return User{}, conflict("username", "is taken")
		}
	}
	u := User{
		ID: newUserID(), State: UserActive, Email: n.Email, EmailVerified: n.Verified, GivenName: n.GivenName, FamilyName: n.FamilyName,
		Roles: n.Roles, CreatedAt: now,
	}
	if n.Invite {
		u.Ver, u.Pending, u.PendingAt, u.Notice = 1, 1, now, LetterInvite
	}
	if n.Password != "" {
		var err error
		if u.PasswordHash, err = p.hasher.Hash(ctx, n.Password); err != nil {
			return User{}, err
		}
	}
	want := newIdentifier(EmailKey(u.Email), u.ID, randomID(), IdentifierRegister, now)
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
	p.auditCreated(ctx, by, u, now)
	if err := p.invite(ctx, by, u, now); err != nil || n.Username == "" {
		return u, err
	}
	return p.rename(ctx, u, n.Username, now)
}

// auditCreated records a new account, and its invitation beside it.
func (p *Provider) auditCreated(ctx context.Context, by Admin, u User, now time.Time) {
	e := AuditEvent{ID: "user_created:" + u.ID, Type: "user.created", At: now, Target: u.ID}
	if len(u.Roles) > 0 {
		e.Detail = "roles [" + strings.Join(u.Roles, " ") + "]"
	}
	p.audit(ctx, by.event(e))
	if u.Notice == LetterInvite {
		p.audit(ctx, by.event(AuditEvent{ID: "user_invited:" + u.ID, Type: "user.invited", At: now, Target: u.ID}))
	}
}

// invite carries out what a new account was made with. Its owner has no language yet: the mail is in that of whoever invites.
func (p *Provider) invite(ctx context.Context, by Admin, u User, now time.Time) error {
	if u.Notice == "" {
		return nil
	}
	u.Locale = localeOf(u, by.who)
	return p.sweep(ctx, u, now)
}

// checkNewUser says everything that is wrong with a new account at once, and returns it as it is kept.
func (p *Provider) checkNewUser(n NewUser) (NewUser, error) {
	var f fields
	var err error
	n.Email, err = CanonicalEmail(n.Email)
	f.check("email", err)
	if n.Username != "" {
		n.Username, _, err = CanonicalUsername(n.Username)
		f.check("username", err)
	}
	n.GivenName, err = cleanName(n.GivenName)
	f.check("given_name", err)
	n.FamilyName, err = cleanName(n.FamilyName)
	f.check("family_name", err)
	n.Roles, err = checkRoles(n.Roles)
	f.check("roles", err)
	if err := f.err(); err != nil {
		return n, err
	}
	if n.Password == "" {
		return n, nil
	}
	return n, checkPassword(normalPassword(n.Password), p.contextWords(n.Email, n.Username, n.GivenName, n.FamilyName)...)
}

// mostRoles bounds what every token carries.
const mostRoles = 32

// checkRoles is a list of roles, each once, in the order given.
func checkRoles(roles []string) ([]string, error) {
	var once []string
	for _, r := range roles {
		if err := checkRole(r); err != nil {
			return nil, err
		}
		if !slices.Contains(once, r) {
			once = append(once, r)
		}
		if len(once) > mostRoles {
			return nil, fmt.Errorf("must be at most %d", mostRoles)
		}
	}
	return once, nil
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
