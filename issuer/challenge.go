package issuer

import "time"

// Purpose says what a challenge's code will do.
type Purpose string

const (
	PurposeRegister Purpose = "register"
	PurposeLogin    Purpose = "login"
	PurposeReset    Purpose = "reset"
	PurposeEmail    Purpose = "email"
	PurposeStepUp   Purpose = "step-up"
)

// ChallengeState is open until the code has been used.
type ChallengeState string

const (
	ChallengeOpen ChallengeState = "open"
	ChallengeDone ChallengeState = "done"
)

// Challenge is a mailed code that waits for its answer. Its id on the wire is a secret of
// whoever passed the password step; the store knows only the SHA-256 of it.
type Challenge struct {
	ID         string // hex SHA-256 of the challenge id
	Purpose    Purpose
	UserID     string
	SID        string // of the session that the code will open
	ClientID   string
	Ver        int64 // the user's Ver when the password was checked
	EmailRev   int64 // the user's EmailRev then
	Address    string
	Decoy      bool // looks like any other and can't succeed
	CodeMAC    []byte
	CodeSecret string // id of the MAC secret that CodeMAC was made with
	CodeLength int
	Send       int64    // which mail holds the valid code, from 1
	SendBy     string   // attempt id of the resend that made Send
	Tries      []string // attempt ids, counted before comparing
	State      ChallengeState
	By         string // attempt id that used the code
	CreatedAt  time.Time
	ExpiresAt  time.Time
	NextSendAt time.Time
	Device     string // id of the known device that asked, "" for none; it has budgets of its own
	Locale     string // language of the mails
	Reg        *Registration
}

// Registration is what a register challenge keeps until its code is proven.
type Registration struct {
	PasswordHash string
	GivenName    string
	FamilyName   string
}

// Resending replaces the code of an open challenge.
type Resending struct {
	Send       int64 // the number of the mail it replaces
	CodeMAC    []byte
	CodeSecret string
	NextSendAt time.Time
	Att        string
}
