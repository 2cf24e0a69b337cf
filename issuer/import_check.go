package issuer

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// checkImport is the user that an import makes, or everything that is wrong with it.
func checkImport(i ImportedUser, now time.Time) (User, error) {
	var f fields
	clean := func(field, value string, rule func(string) (string, error)) string {
		out, err := rule(value)
		f.check(field, err)
		return out
	}
	u := User{State: UserActive, PasswordHash: i.PasswordHash, Roles: slices.Clone(i.Roles), CreatedAt: i.CreatedAt, LastLoginAt: i.LastLoginAt}
	u.ID = clean("id", i.ID, CanonicalImportID)
	u.Email = clean("email", i.Email, importedEmail)
	if i.Username != "" {
		u.Username = clean("username", i.Username, func(s string) (string, error) {
			display, _, err := CanonicalUsername(s)
			return display, err
		})
	}
	u.GivenName = clean("given_name", i.GivenName, cleanName)
	u.FamilyName = clean("family_name", i.FamilyName, cleanName)
	if i.PasswordHash != "" {
		f.check("password", checkImportedHash(i.PasswordHash))
	}
	for _, r := range i.Roles {
		f.check("roles", checkRole(r))
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = now
	}
	f.check("created_at", checkImportedTime(u.CreatedAt, now))
	if !u.LastLoginAt.IsZero() {
		f.check("last_login_at", checkImportedTime(u.LastLoginAt, now))
	}
	if i.Disabled {
		u.State = UserDisabled
	}
	u.CreatedAt, u.LastLoginAt = u.CreatedAt.UTC().Truncate(time.Millisecond), u.LastLoginAt.UTC().Truncate(time.Millisecond)
	return u, f.err()
}

// CanonicalImportID is the id of an ImportedUser in the one form in which it is kept and compared: decimal without leading zeros, or a UUID in lower case
// with dashes. The error says what is wrong with it, without repeating it.
func CanonicalImportID(s string) (string, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 && strconv.FormatInt(n, 10) == s {
		return s, nil
	}
	if len(s) == 36 || len(s) == 32 {
		if id, err := uuid.Parse(s); err == nil && id != uuid.Nil {
			return id.String(), nil
		}
	}
	if s == "" {
		return "", errors.New("is missing")
	}
	return "", errors.New("must be a positive decimal number of 64 bits, or a UUID")
}

func importedEmail(s string) (string, error) {
	if s == "" {
		return "", errors.New("is missing")
	}
	return CanonicalEmail(s)
}

// checkImportedHash refuses what can't be verified, or would cost too much. It repeats nothing of the hash. This service's own form is refused too: a
// cost that a running server does not know would tell those accounts from others until its next poll (hasher_kinds.go). In Django's form, with
// "argon2" before it, the same hash is welcome.
func checkImportedHash(stored string) error {
	if h, err := parseHash(stored); err != nil || !h.recipe.algorithm.imported() {
		return errors.New("is no hash that can be verified here: pbkdf2_sha256, pbkdf2_sha1, argon2, bcrypt, bcrypt_sha256 or scrypt, of at most 256 MiB and 10,000,000 rounds or as much work")
	}
	return nil
}

// checkImportedTime refuses times that are mistakes. A clock that is ahead is not one.
func checkImportedTime(at, now time.Time) error {
	if at.Year() < 1970 || at.After(now.Add(24*time.Hour)) {
		return errors.New("must be a time between 1970 and now")
	}
	return nil
}
