package issuer

import (
	"slices"
	"time"
)

// UserState says whether an account may sign in.
type UserState string

// A user is active until an administrator disables it or it is deleted. A deleted user
// stays as an empty shell so that its id, the `sub` of tokens, is never given out twice.
const (
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
	UserDeleted  UserState = "deleted"
)

// User is an account. The counters order everything that happens to it: see Ver.
type User struct {
	ID            string // `sub`: UUIDv7 for new users, the old primary key for imported ones
	State         UserState
	Email         string // canonical form, see CanonicalEmail
	EmailVerified bool
	EmailRev      int64  // counts changes of Email; a move names the one it starts from
	Username      string // as typed; "" for none
	NameRev       int64  // counts changes of Username
	PasswordHash  string // PHC string; "" for none
	GivenName     string
	FamilyName    string
	Locale        string // BCP 47; "" for none
	Roles         []string
	ResetRequired bool // no sign-in until the password is reset
	CreatedAt     time.Time
	LastLoginAt   time.Time // zero until the first sign-in

	Ver     int64        // counts every act that sessions or challenges must notice
	Cred    int64        // Ver of the last credential change; older challenges are dead
	Epoch   int64        // Ver of the last end-all; older sessions are dead, except Keep
	Keep    string       // sid that the last end-all spared; "" for none
	Ops     []string     // attempt ids of the last acts, newest last, at most OpsKept
	Pending int64        // Ver whose effects on sessions are still to be carried out; 0 for none
	Why     RevokeReason // what sessions older than Epoch are revoked for
	Notice  LetterKind   // what the owner is still to be told of the act that made Pending; "" for nothing
	Release []string     // identifiers to be let go; empty for none

	PendingAt time.Time // when Pending was recorded; zero for none
	ReleaseAt time.Time // when the newest of Release was recorded; zero for none
}

// OpsKept is how many attempt ids a user remembers.
const OpsKept = 4

// Did says whether the act with this attempt id is among the user's last ones.
func (u User) Did(att string) bool { return slices.Contains(u.Ops, att) }

// IdentifierKind says what an identifier's claim is for.
type IdentifierKind string

const (
	IdentifierRegister IdentifierKind = "register" // carries the user until it is inserted
	IdentifierMove     IdentifierKind = "move"     // an existing user moves here from revision Rev
	IdentifierFirm     IdentifierKind = "firm"     // settled
)

// Identifier reserves an address or a username for one user: `email:<canonical>` or `name:<canonical>`.
// Uniqueness lives here, on the document's id, and nowhere else.
type Identifier struct {
	ID        string
	UserID    string
	Claim     string // which act put it there; it is deleted or settled only under the claim that was read
	Kind      IdentifierKind
	Rev       int64 // EmailRev or NameRev that a move starts from
	Payload   *User // the whole user, until it is inserted; of a username's move only Username, as typed; of an address's move only Ver, that the password was checked at
	OpenSince time.Time
}

// EmailKey is the identifier of a canonical address.
func EmailKey(canonical string) string { return "email:" + canonical }

// NameKey is the identifier of a canonical username.
func NameKey(canonical string) string { return "name:" + canonical }
