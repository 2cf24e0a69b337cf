package issuer

import "time"

// FirstPartyID is the public client that every store has: the owner's own apps.
const FirstPartyID = "first-party"

// Client is an application that may ask for tokens (RFC 6749, section 2).
type Client struct {
	ID         string
	Name       string
	FirstParty bool // may use /api/v1 and be granted `account` and `admin`
	Disabled   bool
	CreatedAt  time.Time
}
