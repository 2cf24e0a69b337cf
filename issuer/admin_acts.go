package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// PatchUser changes what is not nil. All of it is checked before anything is written: one act for whether the account is disabled and its roles, and one
// write for its names. Disabling ends every session before it answers. Tokens lose the scope `admin` with the role at their next refresh. Only a sign-in
// grants it: a session that began without it never has it, one that began with it has it for as long as the account has the role.
// Errors: invalid_request, step_up_required, forbidden (also for disabling or demoting oneself), session_revoked, not_found, unavailable.
func (p *Provider) PatchUser(ctx context.Context, by Admin, id string, r UserPatch) (User, error) {
	ctx, cancel := by.unhurried(ctx)
	defer cancel()
	now := p.now()
	names, roles, err := checkPatch(r)
	if err != nil {
		return User{}, err
	}
	if err := p.mayChange(ctx, by, now); err != nil {
		return User{}, err
	}
	switch {
	case r.Disabled != nil && *r.Disabled:
		err = by.notItself(id, "disable")
	case roles != nil && !slices.Contains(*roles, roleAdmin):
		err = by.notItself(id, "take the role admin from")
	}
	if err != nil {
		return User{}, err
	}
	u, err := p.liveUser(ctx, id)
	if err != nil {
		return User{}, err
	}
	active := u.State == UserActive
	if active {
		if u, err = p.patchNames(ctx, by, u, names, now); err != nil {
			return User{}, err
		}
	}
	if r.Disabled != nil || roles != nil {
		if u, err = p.actFor(ctx, by, u, now, func(u User) (Act, []AuditEvent) { return patchAct(u, r.Disabled, roles) }); err != nil {
			return User{}, err
		}
	}
	if !active {
		u, err = p.patchNames(ctx, by, u, names, now)
	}
	return u, err
}

func checkPatch(r UserPatch) (names ProfileChange, roles *[]string, err error) {
	names, _, err = checkProfile(ProfileUpdate{GivenName: r.GivenName, FamilyName: r.FamilyName})
	var f fields
	var e *Error
	if errors.As(err, &e) {
		f = e.Fields
	}
	if r.Roles != nil {
		list, err := checkRoles(*r.Roles)
		f.check("roles", err)
		roles = &list
	}
	return names, roles, f.err()
}

// patchAct is the act that takes the user to where it should be, and what it is in the audit log; nothing when it is there.
func patchAct(u User, disabled *bool, roles *[]string) (a Act, said []AuditEvent) {
	switch {
	case disabled == nil:
	case *disabled && u.State == UserActive:
		a.State, a.EndAll = UserDisabled, RevokedDisabled
		said = append(said, AuditEvent{Type: "user.disabled"})
	case !*disabled && u.State == UserDisabled:
		a.State = UserActive
		said = append(said, AuditEvent{Type: "user.enabled"})
	}
	if roles != nil && !sameRoles(u.Roles, *roles) {
		a.Roles = roles
		said = append(said, AuditEvent{Type: "user.roles", Detail: "were [" + strings.Join(u.Roles, " ") + "], are [" + strings.Join(*roles, " ") + "]"})
	}
	return a, said
}

// patchNames writes names, unless they are as they should be.
func (p *Provider) patchNames(ctx context.Context, by Admin, u User, c ProfileChange, now time.Time) (User, error) {
	var changed []string
	if c.GivenName != nil && *c.GivenName != u.GivenName {
		changed = append(changed, "given_name")
	}
	if c.FamilyName != nil && *c.FamilyName != u.FamilyName {
		changed = append(changed, "family_name")
	}
	if len(changed) == 0 {
		return u, nil
	}
	next, hit, err := applied(ctx, func() (User, bool, error) { return p.store.UpdateProfile(ctx, u.ID, c) })
	if err != nil {
		return u, err
	}
	if !hit {
		return u, errNoUser
	}
	p.audit(ctx, by.event(AuditEvent{Type: "user.updated", At: now, Target: u.ID, Detail: strings.Join(changed, ", ")}))
	return next, nil
}

// LogoutUser ends every session of an account: once it has answered, no refresh of any of them succeeds.
// Errors: step_up_required, forbidden, session_revoked, not_found, unavailable.
func (p *Provider) LogoutUser(ctx context.Context, by Admin, id string) error {
	return p.actOn(ctx, by, id, Act{EndAll: RevokedLogoutAll}, "logout.all")
}

// RequirePasswordReset ends every session of an account and lets it sign in again only once its password was reset.
// Errors: step_up_required, forbidden, session_revoked, not_found, unavailable.
func (p *Provider) RequirePasswordReset(ctx context.Context, by Admin, id string) error {
	return p.actOn(ctx, by, id, Act{EndAll: RevokedReset, ResetRequired: true}, "password.reset_required")
}

// SetPassword gives an account a password, ends its sessions and tells its owner. Only an operator may: an administrator who knew somebody's password
// could pass for them.
// Errors: forbidden, not_found, weak_password, unavailable.
func (p *Provider) SetPassword(ctx context.Context, by Admin, id, password string) error {
	if !by.operator {
		return errForbidden
	}
	u, err := p.liveUser(ctx, id)
	if err != nil {
		return err
	}
	if err := checkPassword(normalPassword(password), p.contextWords(u.Email, u.Username, u.GivenName, u.FamilyName)...); err != nil {
		return err
	}
	hash, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return p.actOn(ctx, by, id, Act{EndAll: RevokedPassword, PasswordHash: &hash, Notice: LetterPasswordChanged}, "password.changed")
}

// DeleteUser deletes an account (deleteUser). Errors: step_up_required, forbidden (also for oneself), session_revoked, not_found, unavailable.
func (p *Provider) DeleteUser(ctx context.Context, by Admin, id string) error {
	ctx, cancel := by.unhurried(ctx)
	defer cancel()
	now := p.now()
	if err := p.mayChange(ctx, by, now); err != nil {
		return err
	}
	if err := by.notItself(id, "delete"); err != nil {
		return err
	}
	u, err := p.liveUser(ctx, id)
	if err != nil {
		return err
	}
	_, err = p.deleteUser(ctx, u, now, by.event(AuditEvent{ID: "user.deleted:" + id, Type: "user.deleted", At: now, Target: id}))
	return err
}

// actOn makes the same act of any account.
func (p *Provider) actOn(ctx context.Context, by Admin, id string, a Act, event string) error {
	ctx, cancel := by.unhurried(ctx)
	defer cancel()
	now := p.now()
	if err := p.mayChange(ctx, by, now); err != nil {
		return err
	}
	u, err := p.liveUser(ctx, id)
	if err != nil {
		return err
	}
	_, err = p.actFor(ctx, by, u, now, func(User) (Act, []AuditEvent) { return a, []AuditEvent{{Type: event}} })
	return err
}

// errUnchanged ends an act of which nothing is left to do.
var errUnchanged = errors.New("nothing to change")

// actFor is step 4: one act, its lines in the audit log, and what follows from it. decide says nothing when the user is where it should be already; what
// an earlier call left to follow, which may have died, is carried out all the same.
func (p *Provider) actFor(ctx context.Context, by Admin, u User, now time.Time, decide func(User) (Act, []AuditEvent)) (User, error) {
	var said []AuditEvent
	u, err := p.act(ctx, u, randomID(), now, func(u User) (a Act, err error) {
		if u.State == UserDeleted {
			return a, errNoUser
		}
		if a, said = decide(u); len(said) == 0 {
			return a, errUnchanged
		}
		return a, nil
	})
	switch {
	case errors.Is(err, errUnchanged) && u.Pending == 0:
		return u, nil
	case err != nil && !errors.Is(err, errUnchanged):
		return u, err
	}
	for _, e := range said {
		e.At, e.Target = now, u.ID
		p.audit(ctx, by.event(e))
	}
	return u, p.sweep(ctx, u, now)
}

// sameRoles compares roles as sets.
func sameRoles(a, b []string) bool {
	within := func(a, b []string) bool {
		return !slices.ContainsFunc(a, func(r string) bool { return !slices.Contains(b, r) })
	}
	return within(a, b) && within(b, a)
}
