package issuer

import (
	"context"
	"time"

	"signet/keys"
)

// Store is everything that the issuer keeps. Every method is one operation on one document found by its id,
// atomic, durable before it returns (majority and journaled, or fsynced), and read from the primary. Methods
// that change a document under a condition return the document after and true, or false when the condition
// did not hold ("miss") and nothing changed. A write may be applied twice by a driver that resends it: each
// condition is made false by its own effect, or the effect is the same the second time. Errors other than
// ErrNotFound and ErrExists wrap ErrUnknown. Times are kept to the millisecond and come back in UTC.
// Whether something has expired is decided in the condition, with the caller's now. Safe for concurrent use.
type Store interface {
	Users
	Identifiers
	Challenges
	Sessions
	Outbox
	Throttles
	Clients
	Audit
	// EffectDelay is how long an effect recorded on a document stays recorded, though it was carried out: a pass
	// that began earlier may have been answered by a primary that missed writes. 30 s on a MongoDB replica set or
	// cluster, 0 where one server answers.
	EffectDelay() time.Duration
}

// Users keeps accounts, by id.
type Users interface {
	// InsertUser adds u; ErrExists when the id was ever used.
	InsertUser(ctx context.Context, u User) error
	// User reads one; ErrNotFound.
	User(ctx context.Context, id string) (User, error)
	// RehashPassword sets the hash to next if it is still old: a concurrent reset wins.
	RehashPassword(ctx context.Context, id, old, next string) (bool, error)
	// RecordSignIn sets LastLoginAt and EmailVerified if the user is active and Ver is still ver. This write
	// orders a sign-in against every end-all.
	RecordSignIn(ctx context.Context, id string, ver int64, at time.Time) (User, bool, error)
	// ActOnUser makes a.Apply of the user, if its Ver is still a.Ver (and its NameRev a.NameRev, unless that is nil). Of what other
	// methods change (PasswordHash by a rehash, names, Release, LastLoginAt) it changes what Apply does, in the document as it is then.
	ActOnUser(ctx context.Context, id string, a Act) (User, bool, error)
	// ClearUserNotice removes Notice if Ver is still ver.
	ClearUserNotice(ctx context.Context, id string, ver int64) (bool, error)
	// ClearPending removes Pending if Ver is still ver.
	ClearPending(ctx context.Context, id string, ver int64) (bool, error)
	// PendingUsers lists up to limit ids with Pending set, above after, in order of id.
	PendingUsers(ctx context.Context, after string, limit int) ([]string, error)
	// UpdateProfile sets the fields that are not nil, unless the user is deleted.
	UpdateProfile(ctx context.Context, id string, p ProfileChange) (User, bool, error)
	// MoveUsername sets Username if the user is active and NameRev is still rev, raises NameRev by one,
	// and adds release (unless "") to Release, at to ReleaseAt.
	MoveUsername(ctx context.Context, id string, rev int64, username, release string, at time.Time) (User, bool, error)
	// ClearRelease takes identifier out of Release if NameRev is still rev (identifiers of usernames) or
	// EmailRev is (identifiers of addresses). ReleaseAt goes with the last one, or stays; it is read only beside Release.
	ClearRelease(ctx context.Context, id, identifier string, rev int64) (bool, error)
	// ReleasingUsers lists up to limit ids with Release not empty, above after, in order of id.
	ReleasingUsers(ctx context.Context, after string, limit int) ([]string, error)
	// ListUsers returns up to limit users of q after the place, in order of CreatedAt, ID. Deleted ones belong to no list. One that exists
	// throughout a walk and belongs to q throughout is met exactly once.
	ListUsers(ctx context.Context, q UserQuery, after Place, limit int) ([]User, error)
	// HashKinds lists the kinds of password hashes (HashKind) that users who are not deleted have now, each once, in any order.
	HashKinds(ctx context.Context) ([]string, error)
	// Counts counts users and sessions. It may be a moment behind.
	Counts(ctx context.Context, now time.Time) (Counts, error)
}

// UserQuery says which users are listed; the zero value is all.
type UserQuery struct {
	Prefix   string // of the ID, or of Email, Username, GivenName or FamilyName, all compared as SearchKey; "" is any
	Role     string // "" is any
	Disabled *bool  // nil is any
}

// Counts are for an administrator's overview.
type Counts struct {
	Active, Disabled, Deleted int64 // users
	Outstanding, Revoked      int64 // sessions; outstanding ones are neither revoked nor expired
}

// ProfileChange sets the fields that are not nil.
type ProfileChange struct{ GivenName, FamilyName, Locale *string }

// Place is where a list in order of a time and an id goes on: after the last listed. The zero value is its beginning.
type Place struct {
	At time.Time
	ID string
}

// Identifiers keeps addresses and usernames, by `email:...` or `name:...`.
type Identifiers interface {
	// InsertIdentifier is the commit of a registration or a move; ErrExists when it is taken.
	InsertIdentifier(ctx context.Context, i Identifier) error
	// Identifier reads one; ErrNotFound.
	Identifier(ctx context.Context, id string) (Identifier, error)
	// FirmIdentifier settles it under its claim: Kind firm, Payload and OpenSince gone. Again is a no-op.
	FirmIdentifier(ctx context.Context, id, claim string) (bool, error)
	// ReclaimIdentifier replaces Claim, Kind, Rev, Payload and OpenSince under the claim old.
	ReclaimIdentifier(ctx context.Context, old string, i Identifier) (bool, error)
	// DeleteIdentifier deletes it under its claim.
	DeleteIdentifier(ctx context.Context, id, claim string) (bool, error)
	// OpenIdentifiers lists up to limit with OpenSince set, above after, in order of id.
	OpenIdentifiers(ctx context.Context, after string, limit int) ([]Identifier, error)
	// ListIdentifiers lists up to limit of all, with id above after, in order of id.
	ListIdentifiers(ctx context.Context, after string, limit int) ([]Identifier, error)
}

// Challenges keeps mailed codes, by the hash of the challenge id.
type Challenges interface {
	// InsertChallenge adds c; ErrExists when it is there (from the same call: ids are random).
	InsertChallenge(ctx context.Context, c Challenge) error
	// Challenge reads one; ErrNotFound.
	Challenge(ctx context.Context, id string) (Challenge, error)
	// CountTry adds att to Tries if the challenge is open, not expired at now, lacks att, and has fewer than limit tries.
	CountTry(ctx context.Context, id string, p Purpose, att string, limit int, now time.Time) (Challenge, bool, error)
	// Resend puts a new code in place if the challenge is open, not expired at now, Send is still r.Send
	// and NextSendAt has come: Send+1, SendBy r.Att. Tries stay.
	Resend(ctx context.Context, id string, r Resending, now time.Time) (Challenge, bool, error)
	// FinishChallenge sets State done and By att if it is open and Send is still send.
	FinishChallenge(ctx context.Context, id string, send int64, att string) (Challenge, bool, error)
}

// Sessions keeps outstanding refresh tokens, by sid.
type Sessions interface {
	// InsertSession adds s; ErrExists when the sid is there.
	InsertSession(ctx context.Context, s Session) error
	// Session reads one; ErrNotFound.
	Session(ctx context.Context, sid string) (Session, error)
	// RaiseSession sets Ver and Roles if the session is not revoked and its Ver is lower, and, unless epoch is 0,
	// only if its Ver is at least epoch or its sid is keep.
	RaiseSession(ctx context.Context, sid string, ver int64, roles []string, epoch int64, keep string) (Session, bool, error)
	// RotateSession: {sid, Gen = r.Gen, Secret = r.Secret, ClientID in r.ClientIDs, not revoked, IdleAt > Now, AbsAt > Now} ->
	// Gen+1, Secret r.Next, Exp and IdleAt Now+Idle, By Att, Recent + {r.Gen, Now} (the last RecentKept stay), and At Now, unless it is later
	// already: At never goes back, however the clocks of replicas differ.
	RotateSession(ctx context.Context, r Rotation) (Session, bool, error)
	// RedateRotation sets the Recent entry of gen-1 to at, and At unless it is later already, if Gen is still gen and By is att.
	RedateRotation(ctx context.Context, sid string, gen int64, att string, at time.Time) (bool, error)
	// RevokeSession sets Revoked (and Notice) if it is not set yet and the conditions of r hold.
	RevokeSession(ctx context.Context, sid string, r Revoking) (Session, bool, error)
	// Reauthenticate sets AuthTime to at, unless it is later already, if the session is not over at now.
	Reauthenticate(ctx context.Context, sid string, at, now time.Time) (Session, bool, error)
	// ScrubSession takes UserAgent and IP away from a revoked session. Again is a no-op.
	ScrubSession(ctx context.Context, sid string) (bool, error)
	// ListSessions returns up to limit sessions of q after the place, in order of CreatedAt, ID. One that exists and belongs to q throughout
	// a walk is met exactly once, however often it is refreshed meanwhile.
	ListSessions(ctx context.Context, q SessionQuery, after Place, limit int) ([]Session, error)
	// SessionsOf lists up to limit sessions of a user, ended ones too, with sid above after, in order of sid.
	SessionsOf(ctx context.Context, userID, after string, limit int) ([]Session, error)
	// NoticeSessions lists up to limit sessions with Notice set, with sid above after, in order of sid.
	NoticeSessions(ctx context.Context, after string, limit int) ([]Session, error)
	// ClearNotice takes the notice away. Again is a no-op.
	ClearNotice(ctx context.Context, sid string) (bool, error)
	// SessionsActiveSince lists up to limit sessions created or refreshed since (CreatedAt or At at or after it) and not revoked, after the
	// cursor, in order of ActiveHour, ID. A walk from the zero cursor, each page after Session.Cursor of the last listed, meets every session
	// that belongs to the list from its first page on: the order changes only by a refresh, which moves its session towards the end,
	// never back over the cursor. One that was moved may be listed twice. One that comes to belong during the walk may be met or not.
	SessionsActiveSince(ctx context.Context, since time.Time, after SessionCursor, limit int) ([]Session, error)
}

// Revoking revokes a session. The conditions are optional: nil is none.
type Revoking struct {
	At       time.Time
	Why      RevokeReason
	Notice   bool
	GenAbove *int64 // only if Gen > this
	VerBelow *int64 // only if Ver < this
}

// SessionQuery says which sessions are listed.
type SessionQuery struct {
	UserID  string // "" is any
	Revoked bool   // those that were revoked, or those that are outstanding: neither revoked nor expired at Now
	Now     time.Time
}

// SessionCursor is a place in the list of active sessions; the zero value is its beginning.
type SessionCursor struct {
	Hour int64 // as ActiveHour
	ID   string
}

// Outbox keeps mail on its way out, by cause.
type Outbox interface {
	// InsertMail adds m, already leased by its maker; ErrExists when it was made before.
	InsertMail(ctx context.Context, m Mail) error
	// DueMails lists up to limit ids with DueAt <= now, LeaseUntil <= now and GiveUpAt > now, oldest DueAt first.
	DueMails(ctx context.Context, now time.Time, limit int) ([]string, error)
	// ClaimMail leases it to by until leaseUntil, Tries+1, if it is due, not leased, and not given up at now.
	ClaimMail(ctx context.Context, id string, now, leaseUntil time.Time, by string) (Mail, bool, error)
	// DeferMail ends the lease of by and sets DueAt.
	DeferMail(ctx context.Context, id, by string, now, dueAt time.Time) (bool, error)
	// DeleteMail removes it under the lease of by.
	DeleteMail(ctx context.Context, id, by string) (bool, error)
	// QueuedMails counts what waits and has not been given up at now (drops included).
	QueuedMails(ctx context.Context, now time.Time) (int64, error)
	// Mails lists up to limit mails, whatever their state, with id above after, in order of id.
	Mails(ctx context.Context, after string, limit int) ([]Mail, error)
	// ResealMail sets Sealed to next if it is still old, byte for byte, and leaves all else, leases too, as it is.
	ResealMail(ctx context.Context, id string, old, next []byte) (bool, error)
}

// Throttles keeps budgets, by key.
type Throttles interface {
	// TakeBudget adds {att, now} to the log of key if the log lacks att and either has fewer than limit entries
	// or its oldest is at or before now-window; the last limit entries stay. True when counted (also when att was counted
	// before). False: full, and the time is when the oldest entry leaves the window.
	TakeBudget(ctx context.Context, key, att string, limit int, window time.Duration, now time.Time) (bool, time.Time, error)
	// GiveBack takes att out of the log of key. Again, or of an absent key, is a no-op.
	GiveBack(ctx context.Context, key, att string) error
	// CountSource raises the counter of key by one and returns it. It may over-count a resend. The document may go after expires.
	CountSource(ctx context.Context, key string, expires time.Time) (int64, error)
}

// Clients keeps registered applications, by client_id.
type Clients interface {
	// InsertClient adds c; ErrExists.
	InsertClient(ctx context.Context, c Client) error
	// AllClients reads them all; there are few.
	AllClients(ctx context.Context) ([]Client, error)
}

// Audit is append-only.
type Audit interface {
	// AppendAudit adds e; an event that is there already is left as it is, without an error.
	AppendAudit(ctx context.Context, e AuditEvent) error
	// ListAudit lists up to limit events of q after the place, in order of At, ID.
	ListAudit(ctx context.Context, q AuditQuery, after Place, limit int) ([]AuditEvent, error)
	// ScrubAudit takes Source away from an event: its user has deleted the account. Again is a no-op.
	ScrubAudit(ctx context.Context, id string) (bool, error)
	// PurgeAudit deletes up to limit events before the time, oldest first, and returns how many. Purging what has expired is no step of any
	// protocol: it need not be one operation on one document.
	PurgeAudit(ctx context.Context, before time.Time, limit int) (int, error)
}

// AuditQuery says which events are listed; the zero value is all.
type AuditQuery struct {
	Since, Until time.Time // from Since on, before Until; zero is unbounded
	Type         string    // an exact type, or with a final dot all that begin so (`sign_in.`); "" is any
	UserID       string    // the actor or the target; "" is any
}

// Keys signs, verifies, seals and tells the time. *keys.Replica is the one implementation.
type Keys interface {
	// Now is the store's time, as this replica knows it.
	Now() time.Time
	// Sign makes a compact JWS (RFC 7515) with the signing key of alg. The claims are made from iat and exp (NumericDate);
	// exp is iat + ttl, or less where the ring does not yet carry such a lifetime. keys.ErrStale when the ring was not confirmed
	// recently enough: answer 503.
	Sign(alg keys.Algorithm, typ string, now time.Time, ttl time.Duration, claims func(iat, exp int64) any) (string, error)
	// Verify checks signature, alg and kid against the published keys and returns header typ and payload; keys.ErrToken.
	Verify(token string) (keys.Verified, error)
	// MACSecret is the secret that derives new tokens of a purpose now.
	MACSecret(p keys.MACPurpose) (keys.MACSecret, error)
	// MACSecretByID finds an older one, reloading the ring (at most once a second) when it is unknown; keys.ErrUnknownSecret.
	MACSecretByID(ctx context.Context, p keys.MACPurpose, id string) (keys.MACSecret, error)
	// Seal and Open protect a secret at rest; context names what it is (purpose, document id).
	Seal(plaintext []byte, context ...string) ([]byte, error)
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Postman tries to deliver a mail that was just inserted, in the request's wake. It returns at once and never fails: what
// it can't send now stays in the outbox.
type Postman interface {
	Dispatch(m Mail)
}

// Observer counts what happens, for metrics. Labels are from small fixed sets, never user data.
type Observer interface {
	SignIn(step, outcome string)
	Refresh(outcome string)
	MailQueued()
}
