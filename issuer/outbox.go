package issuer

import "time"

// Mail is a message on its way out, named by its cause, so that making it twice is one insert.
type Mail struct {
	ID         string // `<challenge>/<send>`, `reuse:<sid>`
	Sealed     []byte // the Letter, sealed with the id as associated data
	Drop       bool   // made only so that the work is equal; the worker drops it
	Challenge  string // the challenge whose code it carries; "" for none
	Send       int64
	CreatedAt  time.Time
	DueAt      time.Time
	LeaseUntil time.Time
	By         string // who holds the lease
	Tries      int64
	GiveUpAt   time.Time
}

// LetterKind names a message template.
type LetterKind string

const (
	LetterCode     LetterKind = "code"     // sign in
	LetterWelcome  LetterKind = "welcome"  // complete a registration
	LetterTaken    LetterKind = "taken"    // someone tried to register the owner's address
	LetterReuse    LetterKind = "reuse"    // a refresh token was used twice, the session has ended
	LetterMailTest LetterKind = "mailtest" // the operator tries the mail settings

	LetterStepUp          LetterKind = "step_up"          // a code: confirm that it is you
	LetterReset           LetterKind = "reset"            // a code: choose a new password
	LetterEmailCode       LetterKind = "email_code"       // a code: confirm this new address
	LetterEmailChange     LetterKind = "email_change"     // to the old address: somebody asked to move the account to another one
	LetterPasswordChanged LetterKind = "password_changed" // the password was changed or reset
	LetterInvite          LetterKind = "invite"           // an administrator made an account: choose a password by "forgot password"
	LetterDeleted         LetterKind = "deleted"          // the account was deleted
)

// Letter is what a message says, before it is laid out.
type Letter struct {
	Kind      LetterKind `json:"kind"`
	To        string     `json:"to"`
	Locale    string     `json:"locale,omitempty"`
	Code      string     `json:"code,omitempty"`
	ExpiresIn int64      `json:"expires_in,omitempty"` // seconds from At
	At        time.Time  `json:"at"`
	UserAgent string     `json:"user_agent,omitempty"`
	IP        string     `json:"ip,omitempty"`
}
