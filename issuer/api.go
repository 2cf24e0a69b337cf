package issuer

import "time"

// Requester is who sent a request, as far as the connection tells.
type Requester struct {
	IP        string
	UserAgent string
	RequestID string
	Locale    string // best match of Accept-Language; "" for none
}

// RegisterRequest asks for an account.
type RegisterRequest struct {
	Email, Password, GivenName, FamilyName, ClientID string
}

// LoginRequest is the password step. Exactly one of Email and Username.
type LoginRequest struct {
	Email, Username, Password, ClientID, DeviceToken string
}

// VerifyRequest is the code step.
type VerifyRequest struct {
	ChallengeID, Code string
	DeviceToken       string // of a device that has one: the new one names the same device
}

// Ticket is what the holder of a challenge is told. ChallengeID is a secret.
type Ticket struct {
	ChallengeID string
	ExpiresIn   int64 // seconds
	ResendIn    int64 // seconds
	CodeLength  int
	Hint        string // masked address
}

// TokenSet is an RFC 6749 token response.
type TokenSet struct {
	AccessToken      string
	ExpiresIn        int64 // seconds
	RefreshToken     string
	RefreshExpiresIn int64 // seconds
	Scope            string
	DeviceToken      string // "" when none was made
	SID              string // for the log
	UserID           string // for the log
	ClientID         string // for the log
}

// Principal is the bearer of a valid access token for this API, its session and user read just now.
type Principal struct {
	User     User
	Session  Session
	Scope    []string
	AuthTime time.Time
}

// ProfileUpdate is a PATCH of the caller's own account: nil leaves a field as it is.
type ProfileUpdate struct {
	GivenName, FamilyName, Username, Locale *string
}

// NewUser is an account that an operator or an administrator makes.
type NewUser struct {
	Email      string
	Username   string
	Password   string // "" for none
	GivenName  string
	FamilyName string
	Roles      []string
	Verified   bool
	Invite     bool // mail the address that there is an account now
}

// ResetRequest is the second half of a forgotten password.
type ResetRequest struct {
	ChallengeID, Code, NewPassword string
}

// UserPatch is what an administrator changes: nil leaves a field as it is.
type UserPatch struct {
	Disabled              *bool
	Roles                 *[]string
	GivenName, FamilyName *string
}

// Page is a part of a list, and where it goes on: nil at its end.
type Page[T any] struct {
	Items []T
	Next  *Place
}

// Overview is what an administrator sees first.
type Overview struct {
	Counts
	QueuedMails int64
}

// Admin is who acts on other people's accounts: an administrator, which Provider.Admin makes of one, or an operator at the command line. The zero
// value may do nothing.
type Admin struct {
	operator bool
	caller   *Principal // nil for the operator
	who      Requester
}

// Operator is the Admin of the command line, which needs no account.
func Operator() Admin { return Admin{operator: true} }
