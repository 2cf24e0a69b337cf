package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"signet/issuer"
)

// sessionDocument is an outstanding refresh token. notice is a marker. It stays, ended or not, for its absolute lifetime:
// a step that stalled could insert it again.
type sessionDocument struct {
	ID        string              `bson:"_id"`
	UserID    string              `bson:"user_id"`
	ClientID  string              `bson:"client_id"`
	Scope     string              `bson:"scope"`
	Ver       int64               `bson:"ver"`
	Roles     []string            `bson:"roles,omitempty"`
	Gen       int64               `bson:"gen"`
	Secret    string              `bson:"secret"`
	Exp       time.Time           `bson:"exp"`
	At        time.Time           `bson:"at"`
	By        string              `bson:"by"`
	Recent    []supersededEntry   `bson:"recent"`
	IdleAt    time.Time           `bson:"idle_at"`
	AbsAt     time.Time           `bson:"abs_at"`
	AuthTime  time.Time           `bson:"auth_time"`
	CreatedAt time.Time           `bson:"created_at"`
	UserAgent string              `bson:"user_agent"`
	IP        string              `bson:"ip"`
	Revoked   *revocationDocument `bson:"revoked,omitempty"`
	Notice    bool                `bson:"notice,omitempty"`
	Ended     bool                `bson:"ended,omitempty"` // with revoked, for the lists
	TTLAt     time.Time           `bson:"ttl_at"`
	Active    int64               `bson:"active_hour"`
}

type supersededEntry struct {
	Gen int64     `bson:"gen"`
	At  time.Time `bson:"at"`
}

type revocationDocument struct {
	At  time.Time `bson:"at"`
	Why string    `bson:"why"`
}

func fromSession(s issuer.Session) sessionDocument {
	d := sessionDocument{
		ID: s.ID, UserID: s.UserID, ClientID: s.ClientID, Scope: s.Scope, Ver: s.Ver, Roles: s.Roles, Gen: s.Gen,
		Secret: s.Secret, Exp: s.Exp, At: s.At, By: s.By, Recent: make([]supersededEntry, len(s.Recent)), IdleAt: s.IdleAt,
		AbsAt: s.AbsAt, AuthTime: s.AuthTime, CreatedAt: s.CreatedAt, UserAgent: readable(s.UserAgent), IP: readable(s.IP),
		Notice: s.Notice, TTLAt: s.AbsAt.Add(keptLonger), Active: s.ActiveHour(),
	}
	for i, r := range s.Recent {
		d.Recent[i] = supersededEntry(r)
	}
	if s.Revoked != nil {
		d.Ended, d.Revoked = true, &revocationDocument{At: s.Revoked.At, Why: string(s.Revoked.Why)}
	}
	return d
}

func (d sessionDocument) session() issuer.Session {
	s := issuer.Session{
		ID: d.ID, UserID: d.UserID, ClientID: d.ClientID, Scope: d.Scope, Ver: d.Ver, Roles: d.Roles, Gen: d.Gen,
		Secret: d.Secret, Exp: d.Exp, At: d.At, By: d.By, IdleAt: d.IdleAt, AbsAt: d.AbsAt, AuthTime: d.AuthTime,
		CreatedAt: d.CreatedAt, UserAgent: d.UserAgent, IP: d.IP, Notice: d.Notice,
	}
	for _, r := range d.Recent {
		s.Recent = append(s.Recent, issuer.Superseded(r))
	}
	if d.Revoked != nil {
		s.Revoked = &issuer.Revocation{At: d.Revoked.At, Why: issuer.RevokeReason(d.Revoked.Why)}
	}
	return s
}

// InsertSession implements issuer.Sessions.
func (s *Store) InsertSession(ctx context.Context, n issuer.Session) error {
	return insert(ctx, s.sessions, "insert session", fromSession(n))
}

// Session implements issuer.Sessions.
func (s *Store) Session(ctx context.Context, sid string) (issuer.Session, error) {
	d, err := read[sessionDocument](ctx, s.sessions, "read session", sid)
	return d.session(), err
}

// changeSession is change for a session that is not revoked.
func (s *Store) changeSession(ctx context.Context, what, sid string, conditions, update bson.M) (issuer.Session, bool, error) {
	conditions["revoked"] = absent
	d, ok, err := change[sessionDocument](ctx, s.sessions, what, sid, conditions, update)
	return d.session(), ok, err
}

// RaiseSession implements issuer.Sessions.
func (s *Store) RaiseSession(ctx context.Context, sid string, ver int64, roles []string, epoch int64, keep string) (issuer.Session, bool, error) {
	held := bson.M{"$lt": ver}
	if epoch != 0 && sid != keep {
		held["$gte"] = epoch
	}
	update := bson.M{"$set": bson.M{"ver": ver, "roles": roles}}
	if len(roles) == 0 {
		update = bson.M{"$set": bson.M{"ver": ver}, "$unset": bson.M{"roles": ""}}
	}
	return s.changeSession(ctx, "raise session", sid, bson.M{"ver": held}, update)
}

// RotateSession implements issuer.Sessions.
func (s *Store) RotateSession(ctx context.Context, r issuer.Rotation) (issuer.Session, bool, error) {
	clients := append([]string{}, r.ClientIDs...) // never nil: $in wants an array
	ends := r.Now.Add(r.Idle)
	return s.changeSession(ctx, "rotate session", r.SID, bson.M{
		"gen": r.Gen, "secret": r.Secret, "client_id": bson.M{"$in": clients},
		"idle_at": bson.M{"$gt": r.Now}, "abs_at": bson.M{"$gt": r.Now},
	}, bson.M{
		"$set":  bson.M{"gen": r.Gen + 1, "secret": r.Next, "exp": ends, "idle_at": ends, "by": r.Att},
		"$max":  bson.M{"at": r.Now, "active_hour": issuer.HourOf(r.Now)},
		"$push": bson.M{"recent": lastKept(issuer.RecentKept, supersededEntry{Gen: r.Gen, At: r.Now})},
	})
}

// RedateRotation implements issuer.Sessions.
func (s *Store) RedateRotation(ctx context.Context, sid string, gen int64, att string, at time.Time) (bool, error) {
	return changed(ctx, s.sessions, "redate rotation", sid, bson.M{"gen": gen, "by": att},
		bson.M{"$set": bson.M{"recent.$[e].at": at}, "$max": bson.M{"at": at, "active_hour": issuer.HourOf(at)}},
		options.FindOneAndUpdate().SetArrayFilters([]any{bson.M{"e.gen": gen - 1}}))
}

// RevokeSession implements issuer.Sessions.
func (s *Store) RevokeSession(ctx context.Context, sid string, r issuer.Revoking) (issuer.Session, bool, error) {
	conditions := bson.M{}
	if r.GenAbove != nil {
		conditions["gen"] = bson.M{"$gt": *r.GenAbove}
	}
	if r.VerBelow != nil {
		conditions["ver"] = bson.M{"$lt": *r.VerBelow}
	}
	set := bson.M{"revoked": revocationDocument{At: r.At, Why: string(r.Why)}, "ended": true}
	if r.Notice {
		set["notice"] = true
	}
	return s.changeSession(ctx, "revoke session", sid, conditions, bson.M{"$set": set})
}

// Reauthenticate implements issuer.Sessions.
func (s *Store) Reauthenticate(ctx context.Context, sid string, at, now time.Time) (issuer.Session, bool, error) {
	return s.changeSession(ctx, "reauthenticate session", sid,
		bson.M{"idle_at": bson.M{"$gt": now}, "abs_at": bson.M{"$gt": now}}, bson.M{"$max": bson.M{"auth_time": at}})
}

// ScrubSession implements issuer.Sessions.
func (s *Store) ScrubSession(ctx context.Context, sid string) (bool, error) {
	return changed(ctx, s.sessions, "scrub session", sid, bson.M{"revoked": present}, bson.M{"$set": bson.M{"user_agent": "", "ip": ""}})
}

// ListSessions implements issuer.Sessions. A session without ended may yet have been revoked, by a replica of an older version.
func (s *Store) ListSessions(ctx context.Context, q issuer.SessionQuery, after issuer.Place, limit int) ([]issuer.Session, error) {
	filter := beyond("created_at", after)
	filter["ended"] = true
	if q.UserID != "" {
		filter["user_id"] = q.UserID
	}
	if !q.Revoked {
		filter["ended"], filter["revoked"] = nil, absent // null stands for absent, and is what the index holds then
		filter["idle_at"], filter["abs_at"] = bson.M{"$gt": q.Now}, bson.M{"$gt": q.Now}
	}
	found, err := list[sessionDocument](ctx, s.sessions, "list sessions", filter, inOrder("created_at"), limit)
	return mapAll(found, sessionDocument.session), err
}

// SessionsOf implements issuer.Sessions.
func (s *Store) SessionsOf(ctx context.Context, userID, after string, limit int) ([]issuer.Session, error) {
	found, err := list[sessionDocument](ctx, s.sessions, "list sessions of user",
		bson.M{"user_id": userID, "_id": bson.M{"$gt": after}}, byID, limit)
	return mapAll(found, sessionDocument.session), err
}

// NoticeSessions implements issuer.Sessions.
func (s *Store) NoticeSessions(ctx context.Context, after string, limit int) ([]issuer.Session, error) {
	found, err := list[sessionDocument](ctx, s.sessions, "list sessions to give notice of",
		bson.M{"notice": present, "_id": bson.M{"$gt": after}}, byID, limit)
	return mapAll(found, sessionDocument.session), err
}

// ClearNotice implements issuer.Sessions.
func (s *Store) ClearNotice(ctx context.Context, sid string) (bool, error) {
	return changed(ctx, s.sessions, "clear notice", sid, bson.M{}, bson.M{"$unset": bson.M{"notice": ""}})
}

// SessionsActiveSince implements issuer.Sessions. The index finds the hours, and what it finds is held to the moment.
func (s *Store) SessionsActiveSince(ctx context.Context, since time.Time, after issuer.SessionCursor, limit int) ([]issuer.Session, error) {
	from := issuer.SessionCursor{Hour: issuer.HourOf(since)}
	if after.Hour >= from.Hour {
		from = after
	}
	filter := bson.M{
		"active_hour": bson.M{"$gte": from.Hour},
		"revoked":     absent,
		"$and": bson.A{
			bson.M{"$or": bson.A{bson.M{"active_hour": bson.M{"$gt": from.Hour}}, bson.M{"_id": bson.M{"$gt": from.ID}}}},
			bson.M{"$or": bson.A{bson.M{"at": bson.M{"$gte": since}}, bson.M{"created_at": bson.M{"$gte": since}}}},
		},
	}
	order := bson.D{{Key: "active_hour", Value: 1}, {Key: "_id", Value: 1}}
	found, err := list[sessionDocument](ctx, s.sessions, "list active sessions", filter, order, limit)
	return mapAll(found, sessionDocument.session), err
}
