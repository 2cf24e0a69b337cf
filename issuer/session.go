package issuer

import "time"

// RecentKept is how many superseded generations a session remembers.
const RecentKept = 8

// Session is one sign-in on one device: the outstanding refresh token and what tokens minted
// from it say. No token is stored; the current one is derived from these fields alone.
type Session struct {
	ID        string // sid: 128 random bits, base64url
	UserID    string
	ClientID  string
	Scope     string // what was granted, space-separated; roles never widen it
	Ver       int64  // the user's Ver that Roles were read at
	Roles     []string
	Gen       int64  // generation of the current refresh token, from 0
	Secret    string // id of the MAC secret that derives it
	Exp       time.Time
	At        time.Time // when Gen came to be; never goes back
	By        string    // attempt id of the rotation to Gen
	Recent    []Superseded
	IdleAt    time.Time
	AbsAt     time.Time
	AuthTime  time.Time
	CreatedAt time.Time
	UserAgent string
	IP        string
	Revoked   *Revocation
	Notice    bool // the owner is still to be told of a theft
}

// Superseded is a generation that was current until At.
type Superseded struct {
	Gen int64
	At  time.Time
}

// RevokeReason says why a session ended before its time.
type RevokeReason string

const (
	RevokedLogout    RevokeReason = "logout"
	RevokedLogoutAll RevokeReason = "logout_all"
	RevokedReuse     RevokeReason = "reuse"
	RevokedRefused   RevokeReason = "refused"     // the sign-in that made it was refused after all
	RevokedKey       RevokeReason = "key_revoked" // a signing key was, and with it all that may be forged or stolen
	RevokedEnded     RevokeReason = "ended"       // one session, by its owner from another one, or by an administrator
	RevokedPassword  RevokeReason = "password_changed"
	RevokedReset     RevokeReason = "password_reset"
	RevokedDisabled  RevokeReason = "disabled"
	RevokedDeleted   RevokeReason = "deleted"
	RevokedRestored  RevokeReason = "restored" // the store was put back from a backup
)

// Revocation ends a session for good.
type Revocation struct {
	At  time.Time
	Why RevokeReason
}

// TokenExpiry is when the current refresh token ends: idle time after its making, never beyond the absolute lifetime.
func (s Session) TokenExpiry() time.Time {
	if s.AbsAt.Before(s.Exp) {
		return s.AbsAt
	}
	return s.Exp
}

// ActiveHour is the hour, counted from 1970, that the session was last created or refreshed in. Stores index it in the place of the moment,
// which changes at every refresh: so a refresh seldom has an index to change. It never goes down, because At doesn't.
func (s Session) ActiveHour() int64 { return max(HourOf(s.At), HourOf(s.CreatedAt)) }

// HourOf is the hour of a moment, counted from 1970; 0 for the zero time.
func HourOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix() / 3600
}

// Cursor is the session's place in the list of active sessions.
func (s Session) Cursor() SessionCursor { return SessionCursor{Hour: s.ActiveHour(), ID: s.ID} }

// Ended says whether the session is over at now.
func (s Session) Ended(now time.Time) bool {
	return s.Revoked != nil || !s.IdleAt.After(now) || !s.AbsAt.After(now)
}

// Rotation supersedes generation Gen of a session by Gen+1.
type Rotation struct {
	SID       string
	Gen       int64
	Secret    string   // of the token presented
	ClientIDs []string // the clients that this endpoint serves
	Now       time.Time
	Next      string // secret id that derives the new token
	Idle      time.Duration
	Att       string
}
