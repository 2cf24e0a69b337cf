package sqlite

import (
	"context"
	"slices"
	"time"

	"signet/issuer"
)

type sessionDoc struct {
	UserID    string      `json:"user_id"`
	ClientID  string      `json:"client_id,omitempty"`
	Scope     string      `json:"scope,omitempty"`
	Ver       int64       `json:"ver,omitempty"`
	Roles     []string    `json:"roles,omitempty"`
	Gen       int64       `json:"gen,omitempty"`
	Secret    string      `json:"secret,omitempty"`
	Exp       millis      `json:"exp,omitempty"`
	At        millis      `json:"at,omitempty"`
	By        string      `json:"by,omitempty"`
	Recent    []int64     `json:"recent,omitempty"` // gen, at, gen, at, ...: a rotation reads and writes it each time
	IdleAt    millis      `json:"idle_at,omitempty"`
	AbsAt     millis      `json:"abs_at,omitempty"`
	AuthTime  millis      `json:"auth_time,omitempty"`
	CreatedAt millis      `json:"created_at,omitempty"`
	UserAgent string      `json:"user_agent,omitempty"`
	IP        string      `json:"ip,omitempty"`
	Revoked   *revokedDoc `json:"revoked,omitempty"`
	Notice    bool        `json:"notice,omitempty"`
}

type revokedDoc struct {
	At  millis              `json:"at"`
	Why issuer.RevokeReason `json:"why"`
}

func packSession(s *issuer.Session) sessionDoc {
	d := sessionDoc{
		UserID: s.UserID, ClientID: s.ClientID, Scope: s.Scope, Ver: s.Ver, Roles: s.Roles, Gen: s.Gen, Secret: s.Secret, Exp: stamp(s.Exp),
		At: stamp(s.At), By: s.By, IdleAt: stamp(s.IdleAt), AbsAt: stamp(s.AbsAt), AuthTime: stamp(s.AuthTime), CreatedAt: stamp(s.CreatedAt),
		UserAgent: s.UserAgent, IP: s.IP, Notice: s.Notice, Recent: make([]int64, 0, 2*len(s.Recent)),
	}
	for _, r := range s.Recent {
		d.Recent = append(d.Recent, r.Gen, int64(stamp(r.At)))
	}
	if s.Revoked != nil {
		d.Revoked = &revokedDoc{stamp(s.Revoked.At), s.Revoked.Why}
	}
	return d
}

func openSession(id string, d *sessionDoc) issuer.Session {
	s := issuer.Session{
		ID: id, UserID: d.UserID, ClientID: d.ClientID, Scope: d.Scope, Ver: d.Ver, Roles: d.Roles, Gen: d.Gen, Secret: d.Secret, Exp: d.Exp.time(),
		At: d.At.time(), By: d.By, IdleAt: d.IdleAt.time(), AbsAt: d.AbsAt.time(), AuthTime: d.AuthTime.time(), CreatedAt: d.CreatedAt.time(),
		UserAgent: d.UserAgent, IP: d.IP, Notice: d.Notice, Recent: make([]issuer.Superseded, 0, issuer.RecentKept+1),
	}
	for i := 0; i+1 < len(d.Recent); i += 2 {
		s.Recent = append(s.Recent, issuer.Superseded{Gen: d.Recent[i], At: millis(d.Recent[i+1]).time()})
	}
	if d.Revoked != nil {
		s.Revoked = &issuer.Revocation{At: d.Revoked.At.time(), Why: d.Revoked.Why}
	}
	return s
}

// A session is listed for its absolute lifetime, ended or not, and until its owner has been told of a theft.
var sessions = newCollection("sessions", []string{"user_id", "notice", "ttl_at", "active_hour", "created_at", "ended", "ends_hour"},
	func(s *issuer.Session) []any {
		until := ttl(s.AbsAt)
		if s.Notice {
			until = nil
		}
		var ended int64
		if s.Revoked != nil {
			ended = 1
		}
		ends := min(issuer.HourOf(s.IdleAt), issuer.HourOf(s.AbsAt))
		return []any{s.UserID, mark(s.Notice), until, s.ActiveHour(), int64(stamp(s.CreatedAt)), ended, ends}
	}, packSession, openSession)

// InsertSession implements issuer.Sessions.
func (s *Store) InsertSession(ctx context.Context, d issuer.Session) error {
	return sessions.insert(ctx, s, d.ID, &d)
}

// Session implements issuer.Sessions.
func (s *Store) Session(ctx context.Context, sid string) (issuer.Session, error) {
	return sessions.read(ctx, s, sid)
}

// RaiseSession implements issuer.Sessions.
func (s *Store) RaiseSession(ctx context.Context, sid string, ver int64, roles []string, epoch int64, keep string) (issuer.Session, bool, error) {
	return sessions.update(ctx, s, sid, func(d *issuer.Session) bool {
		if d.Revoked != nil || d.Ver >= ver {
			return false
		}
		if epoch != 0 && d.Ver < epoch && d.ID != keep {
			return false
		}
		d.Ver, d.Roles = ver, slices.Clone(roles)
		return true
	})
}

// RotateSession implements issuer.Sessions.
func (s *Store) RotateSession(ctx context.Context, r issuer.Rotation) (issuer.Session, bool, error) {
	return sessions.update(ctx, s, r.SID, func(d *issuer.Session) bool {
		if d.Gen != r.Gen || d.Secret != r.Secret || !slices.Contains(r.ClientIDs, d.ClientID) {
			return false
		}
		if d.Ended(r.Now) {
			return false
		}
		now := cut(r.Now)
		d.Gen, d.Secret, d.By, d.At = r.Gen+1, r.Next, r.Att, later(d.At, now)
		d.Exp = cut(r.Now.Add(r.Idle))
		d.IdleAt = d.Exp
		d.Recent = last(append(d.Recent, issuer.Superseded{Gen: r.Gen, At: now}), issuer.RecentKept)
		return true
	})
}

// RedateRotation implements issuer.Sessions.
func (s *Store) RedateRotation(ctx context.Context, sid string, gen int64, att string, at time.Time) (bool, error) {
	_, hit, err := sessions.update(ctx, s, sid, func(d *issuer.Session) bool {
		if d.Gen != gen || d.By != att {
			return false
		}
		d.At = later(d.At, cut(at))
		for i := range d.Recent {
			if d.Recent[i].Gen == gen-1 {
				d.Recent[i].At = cut(at)
			}
		}
		return true
	})
	return hit, err
}

// RevokeSession implements issuer.Sessions.
func (s *Store) RevokeSession(ctx context.Context, sid string, r issuer.Revoking) (issuer.Session, bool, error) {
	return sessions.update(ctx, s, sid, func(d *issuer.Session) bool {
		if d.Revoked != nil {
			return false
		}
		if r.GenAbove != nil && d.Gen <= *r.GenAbove || r.VerBelow != nil && d.Ver >= *r.VerBelow {
			return false
		}
		d.Revoked = &issuer.Revocation{At: cut(r.At), Why: r.Why}
		d.Notice = d.Notice || r.Notice
		return true
	})
}

// Reauthenticate implements issuer.Sessions.
func (s *Store) Reauthenticate(ctx context.Context, sid string, at, now time.Time) (issuer.Session, bool, error) {
	return sessions.update(ctx, s, sid, func(d *issuer.Session) bool {
		if d.Ended(now) {
			return false
		}
		d.AuthTime = later(d.AuthTime, cut(at))
		return true
	})
}

// ScrubSession implements issuer.Sessions.
func (s *Store) ScrubSession(ctx context.Context, sid string) (bool, error) {
	_, hit, err := sessions.update(ctx, s, sid, func(d *issuer.Session) bool {
		if d.Revoked == nil {
			return false
		}
		d.UserAgent, d.IP = "", ""
		return true
	})
	return hit, err
}

// SessionsOf implements issuer.Sessions.
func (s *Store) SessionsOf(ctx context.Context, userID, after string, limit int) ([]issuer.Session, error) {
	return sessions.list(ctx, s, `SELECT id, doc FROM sessions WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?`, userID, after, limit)
}

// NoticeSessions implements issuer.Sessions.
func (s *Store) NoticeSessions(ctx context.Context, after string, limit int) ([]issuer.Session, error) {
	return sessions.list(ctx, s, `SELECT id, doc FROM sessions WHERE notice IS NOT NULL AND id > ? ORDER BY id LIMIT ?`, after, limit)
}

// ClearNotice implements issuer.Sessions.
func (s *Store) ClearNotice(ctx context.Context, sid string) (bool, error) {
	_, hit, err := sessions.update(ctx, s, sid, func(d *issuer.Session) bool {
		d.Notice = false
		return true
	})
	return hit, err
}

// SessionsActiveSince implements issuer.Sessions. The index finds the hours, and what it finds is held to the moment.
func (s *Store) SessionsActiveSince(ctx context.Context, since time.Time, after issuer.SessionCursor, limit int) ([]issuer.Session, error) {
	from := issuer.SessionCursor{Hour: issuer.HourOf(since)}
	if after.Hour >= from.Hour {
		from = after
	}
	at := int64(stamp(since))
	return sessions.list(ctx, s, `SELECT id, doc FROM sessions WHERE (active_hour, id) > (?, ?)
		AND doc ->> '$.revoked' IS NULL AND max(coalesce(doc ->> '$.at', 0), coalesce(doc ->> '$.created_at', 0)) >= ?
		ORDER BY active_hour, id LIMIT ?`, from.Hour, from.ID, at, limit)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
