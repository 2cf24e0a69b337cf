package issuer

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Bringing accounts over from another system, with the ids that they had there.
//
//  1. Look the id up: an account that is there already is left as it is, but for what a crash left undone.
//  2. Look the username up, before anything is written, since it alone can be refused later.
//  3. Insert the address's identifier {register, claim `import:<id>`, payload: the whole user}: the commit. 4. Insert the user. 5. Settle.
//  6. Move to the username (rename.go). A disabled account makes no moves: it is inserted with its username, and the identifier claimed after.
//
// A crash after 3: whoever meets the identifier goes on from it, as with a registration. After 5: the same import run again goes on; until then
// the account has no username (a disabled one has it, and another may take it first). The claim is made from the id, so that the same row
// again is the same act, however often and by however many at once.
//
// Invariants: those of resolve. An id that was ever used is never given to another account. The address is not verified: its owner's first
// code does that.

// ImportedUser is an account as another system kept it.
type ImportedUser struct {
	ID           string // a decimal number or a UUID
	Email        string
	Username     string // "" for none
	PasswordHash string // as stored there, of a kind that Hasher verifies; "" for none
	GivenName    string
	FamilyName   string
	Roles        []string
	Disabled     bool
	CreatedAt    time.Time // zero: now
	LastLoginAt  time.Time // zero: never
}

// ImportOutcome is what became of an ImportedUser that was not refused.
type ImportOutcome string

const (
	ImportMade  ImportOutcome = "imported"
	ImportThere ImportOutcome = "there" // by an earlier import
)

// ImportUser makes the account, unless it is there. Errors: invalid_request (with each field), conflict (`id`, `email` or `username`: another
// account has it), unavailable. An outcome beside a conflict says that the account is there, without the username. Running it again after any
// error is safe. Only who is given a role is recorded in the audit log: the runs as a whole are for whoever makes them to record.
func (p *Provider) ImportUser(ctx context.Context, i ImportedUser) (ImportOutcome, error) {
	now := p.now()
	u, err := checkImport(i, now)
	if err != nil {
		return "", err
	}
	there, found, err := p.importedBefore(ctx, u)
	if err != nil {
		return "", err
	}
	if found {
		return ImportThere, p.finishImport(ctx, there, u, now)
	}
	if err := p.refuseHeldName(ctx, u); err != nil {
		return "", err
	}
	made, err := p.insertImported(ctx, u, now)
	if err != nil {
		return "", err
	}
	p.auditImported(ctx, made, now)
	return ImportMade, p.nameImported(ctx, made, u.Username, now)
}

// CheckImport says what ImportUser would, and writes nothing.
func (p *Provider) CheckImport(ctx context.Context, i ImportedUser) (ImportOutcome, error) {
	u, err := checkImport(i, p.now())
	if err != nil {
		return "", err
	}
	there, found, err := p.importedBefore(ctx, u)
	if err != nil {
		return "", err
	}
	if found {
		if unnamed(there, u) {
			return ImportThere, p.refuseHeldName(ctx, u)
		}
		return ImportThere, nil
	}
	if err := p.refuseHeldName(ctx, u); err != nil {
		return "", err
	}
	held, err := p.held(ctx, EmailKey(u.Email), u.ID)
	if err == nil && held {
		err = conflict("email", "is taken")
	}
	if err != nil {
		return "", err
	}
	return ImportMade, nil
}

// importClaim names the act that imports an id.
func importClaim(id string) string { return "import:" + id }

// importedBefore is the account with the id, if there is one: the same as the row's as far as the address tells.
func (p *Provider) importedBefore(ctx context.Context, u User) (there User, found bool, err error) {
	there, err = again(ctx, func() (User, error) { return p.store.User(ctx, u.ID) })
	switch {
	case errors.Is(err, ErrNotFound):
		return User{}, false, nil
	case err != nil:
		return User{}, false, err
	case there.State == UserDeleted:
		return User{}, false, conflict("id", "was that of an account that has been deleted")
	case there.Email != u.Email:
		return User{}, false, conflict("id", "is that of an account with another address")
	}
	return there, true, nil
}

// insertImported is steps 3 to 5.
func (p *Provider) insertImported(ctx context.Context, u User, now time.Time) (User, error) {
	if u.State == UserActive {
		u.Username = "" // it moves there
	}
	want := newIdentifier(EmailKey(u.Email), u.ID, importClaim(u.ID), IdentifierRegister, now)
	want.Payload = &u
	mine, err := p.claim(ctx, want)
	if err != nil {
		return u, err
	}
	if !mine {
		return u, conflict("email", "is taken")
	}
	err = done(ctx, func() error { return p.store.InsertUser(ctx, u) })
	if isExists(err) {
		u, err = p.importedMeanwhile(ctx, u, want)
	}
	if err != nil {
		return u, err
	}
	return u, p.settleIdentifier(ctx, want)
}

// importedMeanwhile is the account that was made under the id since it was looked up: by whoever met the identifier, or by the same import
// elsewhere. If it is another one, the address is let go again.
func (p *Provider) importedMeanwhile(ctx context.Context, u User, mine Identifier) (User, error) {
	there, found, err := p.importedBefore(ctx, u)
	switch {
	case KindOf(err) == KindConflict:
		return u, errors.Join(err, p.release(ctx, mine))
	case err == nil && !found:
		err = unavailable(errors.New("the user that was inserted is not there yet"))
	}
	return there, err
}

// nameImported is step 6. The account is there by then: a name that somebody took meanwhile is a conflict, and the account has none.
func (p *Provider) nameImported(ctx context.Context, u User, username string, now time.Time) error {
	if username == "" || (u.State == UserActive && u.Username == username) {
		return nil
	}
	if u.State == UserActive {
		_, err := p.rename(ctx, u, username, now)
		return err
	}
	want, err := p.claimName(ctx, u, username, importClaim(u.ID), now)
	if err != nil {
		return err
	}
	return p.settleIdentifier(ctx, *want)
}

// auditImported records an account that came with roles, once.
func (p *Provider) auditImported(ctx context.Context, u User, now time.Time) {
	if len(u.Roles) > 0 {
		p.audit(ctx, AuditEvent{ID: "user_imported:" + u.ID, Type: "user.imported", At: now, Target: u.ID, Detail: "with the roles " + strings.Join(u.Roles, " ")})
	}
}

// finishImport is what an import that stopped half-way left undone. What was changed since stays.
func (p *Provider) finishImport(ctx context.Context, there, u User, now time.Time) error {
	claim, err := p.settleHeld(ctx, EmailKey(u.Email), u.ID)
	if err != nil {
		return err
	}
	if claim == importClaim(u.ID) {
		p.auditImported(ctx, there, now)
	}
	if u.Username == "" {
		return nil
	}
	if _, err := p.settleHeld(ctx, nameIdentifier(u.Username), u.ID); err != nil || !unnamed(there, u) {
		return err
	}
	return p.nameImported(ctx, there, u.Username, now)
}

// unnamed says whether step 6 is still to be taken, for all that the account tells.
func unnamed(there, u User) bool {
	if u.Username == "" || there.NameRev != 0 {
		return false
	}
	return (there.State == UserActive && there.Username == "") || (there.State == UserDisabled && there.Username == u.Username)
}

// settleHeld settles an identifier that the user has and returns its claim; "" when it is not the user's.
func (p *Provider) settleHeld(ctx context.Context, identifier, by string) (claim string, err error) {
	i, err := again(ctx, func() (Identifier, error) { return p.store.Identifier(ctx, identifier) })
	switch {
	case errors.Is(err, ErrNotFound):
		return "", nil
	case err != nil || i.UserID != by:
		return "", err
	case i.Kind != IdentifierFirm:
		_, _, err = p.resolve(ctx, i)
	}
	return i.Claim, err
}

// refuseHeldName is a conflict when another account has the username.
func (p *Provider) refuseHeldName(ctx context.Context, u User) error {
	if u.Username == "" {
		return nil
	}
	held, err := p.held(ctx, nameIdentifier(u.Username), u.ID)
	if err == nil && held {
		err = conflict("username", "is taken")
	}
	return err
}

// held says whether an identifier is another user's: what resolve would decide, without its effects.
func (p *Provider) held(ctx context.Context, identifier, by string) (bool, error) {
	i, err := again(ctx, func() (Identifier, error) { return p.store.Identifier(ctx, identifier) })
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case i.UserID == by:
		return false, nil
	}
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, i.UserID) })
	switch {
	case errors.Is(err, ErrNotFound):
		return true, nil // it is about to be
	case err != nil:
		return false, err
	case u.State == UserDeleted:
		return false, nil
	}
	return p.isCurrent(u, identifier) || i.Kind == IdentifierMove, nil
}
