package handlers

import (
	"time"

	"signet/issuer"
)

// sessionJSON is a session as its owner sees it.
type sessionJSON struct {
	SID        string  `json:"sid"`
	ClientID   string  `json:"client_id"`
	CreatedAt  *string `json:"created_at"`
	LastUsedAt *string `json:"last_used_at"` // signed in or refreshed
	UserAgent  *string `json:"user_agent"`   // of the sign-in
	IP         *string `json:"ip"`           // of the sign-in
	Current    bool    `json:"current"`      // the one that asks
}

func ownSession(s issuer.Session, current string) sessionJSON {
	return sessionJSON{
		SID: s.ID, ClientID: s.ClientID, CreatedAt: timeOrNull(s.CreatedAt), LastUsedAt: timeOrNull(lastUse(s)),
		UserAgent: orNull(s.UserAgent), IP: orNull(s.IP), Current: s.ID == current,
	}
}

// adminSessionJSON is a session as an administrator sees it.
type adminSessionJSON struct {
	SID           string  `json:"sid"`
	UserID        string  `json:"user_id"`
	ClientID      string  `json:"client_id"`
	CreatedAt     *string `json:"created_at"`
	LastUsedAt    *string `json:"last_used_at"`
	ExpiresAt     *string `json:"expires_at"` // unless it is refreshed before
	UserAgent     *string `json:"user_agent"`
	IP            *string `json:"ip"`
	RevokedAt     *string `json:"revoked_at"`
	RevokedReason *string `json:"revoked_reason"`
}

func anySession(s issuer.Session) adminSessionJSON {
	j := adminSessionJSON{
		SID: s.ID, UserID: s.UserID, ClientID: s.ClientID, CreatedAt: timeOrNull(s.CreatedAt), LastUsedAt: timeOrNull(lastUse(s)),
		ExpiresAt: timeOrNull(earlier(s.IdleAt, s.AbsAt)), UserAgent: orNull(s.UserAgent), IP: orNull(s.IP),
	}
	if s.Revoked != nil {
		j.RevokedAt, j.RevokedReason = timeOrNull(s.Revoked.At), orNull(string(s.Revoked.Why))
	}
	return j
}

func lastUse(s issuer.Session) time.Time {
	if s.At.After(s.CreatedAt) {
		return s.At
	}
	return s.CreatedAt
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
