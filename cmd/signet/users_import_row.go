package main

import (
	"errors"
	"hash/maphash"

	"signet/issuer"
	"signet/issuer/djangoimport"
)

// importedUser is what a row of Django's becomes: is_staff and is_superuser are roles here.
func importedUser(row djangoimport.Row) issuer.ImportedUser {
	u := issuer.ImportedUser{ID: row.ID, Email: row.Email, Username: row.Username, PasswordHash: row.Password, GivenName: row.GivenName,
		FamilyName: row.FamilyName, Disabled: !row.Active, CreatedAt: row.DateJoined, LastLoginAt: row.LastLogin}
	if row.Superuser {
		u.Roles = append(u.Roles, "admin")
	}
	if row.Staff || row.Superuser {
		u.Roles = append(u.Roles, "staff")
	}
	return u
}

// importKeys are what at most one account may have: id, address, username, in the form in which they are compared; "" where there is none.
type importKeys [3]string

func keysOf(u issuer.ImportedUser) importKeys {
	keys := importKeys{"id:" + u.ID}
	if id, err := issuer.CanonicalImportID(u.ID); err == nil {
		keys[0] = "id:" + id // of a UUID there are several spellings
	}
	if email, err := issuer.CanonicalEmail(u.Email); err == nil {
		keys[1] = issuer.EmailKey(email)
	}
	if _, name, err := issuer.CanonicalUsername(u.Username); err == nil {
		keys[2] = issuer.NameKey(name)
	}
	return keys
}

// dryImport remembers what a dry run would have written, as hashes of 64 bits, so that it refuses what the import would.
type dryImport struct {
	seed  maphash.Seed
	users map[uint64]dryUser // by id
	held  map[uint64]struct{}
}

type dryUser struct {
	email    uint64
	nameless bool // and free to move to a name
}

func newDryImport() *dryImport {
	return &dryImport{seed: maphash.MakeSeed(), users: map[uint64]dryUser{}, held: map[uint64]struct{}{}}
}

// see decides on a row as if those before it were in the store.
func (d *dryImport) see(i *importItem) {
	if len(i.row.Faults) > 0 || issuer.KindOf(i.err) == issuer.KindInvalidRequest {
		return
	}
	id, email := d.hash(i.keys[0]), d.hash(i.keys[1])
	takes := i.err == nil && i.outcome == issuer.ImportMade
	first, again := d.users[id]
	switch {
	case again && first.email == email:
		d.seeAgain(i, id, first)
	case again:
		refuse(i, "", "id", "is that of an account with another address")
	case d.holds(i.keys[2]) && (takes || refusedFor(i.err, "email")):
		refuse(i, "", "username", "is taken")
	case d.holds(i.keys[1]) && takes:
		refuse(i, "", "email", "is taken")
	case takes:
		d.users[id] = dryUser{email, i.keys[2] == "" && !i.user.Disabled}
		d.hold(i.keys[1], i.keys[2])
	}
}

// seeAgain is a second row of one account, which may bring the username that the first one lacked.
func (d *dryImport) seeAgain(i *importItem, id uint64, first dryUser) {
	i.outcome, i.err = issuer.ImportThere, nil
	switch {
	case i.keys[2] == "" || !first.nameless:
	case d.holds(i.keys[2]):
		refuse(i, issuer.ImportThere, "username", "is taken")
	default:
		d.users[id] = dryUser{email: first.email}
		d.hold(i.keys[2])
	}
}

func (d *dryImport) hash(key string) uint64 { return maphash.String(d.seed, key) }

func (d *dryImport) holds(key string) bool {
	_, held := d.held[d.hash(key)]
	return held
}

func (d *dryImport) hold(keys ...string) {
	for _, key := range keys {
		if key != "" {
			d.held[d.hash(key)] = struct{}{}
		}
	}
}

func refuse(i *importItem, outcome issuer.ImportOutcome, field, reason string) {
	i.outcome, i.err = outcome, &issuer.Error{Kind: issuer.KindConflict, Fields: []issuer.FieldError{{Field: field, Message: reason}}}
}

func refusedFor(err error, field string) bool {
	var e *issuer.Error
	return errors.As(err, &e) && e.Kind == issuer.KindConflict && len(e.Fields) > 0 && e.Fields[0].Field == field
}
