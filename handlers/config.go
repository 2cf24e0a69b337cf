package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/keys"
)

// Config is what the HTTP edge works with. Issuer, Provider, Keys, Store and Observer are required.
type Config struct {
	Issuer   string // `iss`: scheme, host and port; metadata is built from it, never from a request
	Provider Provider
	Keys     KeySet
	Store    Pinger
	Observer Observer
	Log      zerolog.Logger

	AllowedOrigins    []string       // web origins that may call /api/v1 from a browser; each must pass CheckOrigin
	AnyLoopbackOrigin bool           // development: every origin on loopback too
	TrustedProxies    []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed

	// Metrics answers GET /metrics: on OpsHandler, or on New's handler for loopback callers when OpsListener is false.
	// nil: 404.
	Metrics     http.Handler
	OpsListener bool // OpsHandler is served on an address of its own
	// Mailbox answers GET /dev/mailbox, for loopback callers only. Development; nil: 404.
	Mailbox http.Handler

	// SimpleJWT also serves the paths and bodies of djangorestframework-simplejwt; false: 404.
	SimpleJWT bool
	// AdminListener: the admin API is on AdminHandler, which is served on an address of its own, and New's handler answers 404 there.
	AdminListener bool

	Timeout time.Duration // most that a call may take, reading its body included; 0 is DefaultTimeout
}

// DefaultTimeout is how long a call may take unless Config says otherwise.
const DefaultTimeout = 10 * time.Second

// Provider does what the calls ask for. Errors are *issuer.Error; others are answered 500, or 503 where errors.go says so.
// *issuer.Provider is the one implementation.
type Provider interface {
	Register(ctx context.Context, who issuer.Requester, r issuer.RegisterRequest) (issuer.Ticket, error)
	Login(ctx context.Context, who issuer.Requester, r issuer.LoginRequest) (issuer.Ticket, error)
	Verify(ctx context.Context, who issuer.Requester, r issuer.VerifyRequest) (issuer.TokenSet, error)
	Resend(ctx context.Context, who issuer.Requester, challengeID string) (issuer.Ticket, error)
	Refresh(ctx context.Context, who issuer.Requester, token string) (issuer.TokenSet, error)
	// VerifyToken returns the claims of an active access token as a JSON object.
	VerifyToken(ctx context.Context, token string) (claims json.RawMessage, active bool, err error)
	Authenticate(ctx context.Context, bearer string) (issuer.Principal, error)
	Logout(ctx context.Context, who issuer.Requester, refreshToken string) error
	LogoutAll(ctx context.Context, who issuer.Requester, p issuer.Principal) error
	UpdateMe(ctx context.Context, p issuer.Principal, u issuer.ProfileUpdate) (issuer.User, error)
	SelfService
	Administration
}

// SelfService is what users do with their own account beyond signing in.
type SelfService interface {
	ChangePassword(ctx context.Context, who issuer.Requester, caller issuer.Principal, current, next string) error
	ForgotPassword(ctx context.Context, who issuer.Requester, email string) (issuer.Ticket, error)
	ResetPassword(ctx context.Context, who issuer.Requester, r issuer.ResetRequest) error
	ChangeEmail(ctx context.Context, who issuer.Requester, caller issuer.Principal, newEmail, password string) (issuer.Ticket, error)
	VerifyEmail(ctx context.Context, who issuer.Requester, caller issuer.Principal, r issuer.VerifyRequest) (issuer.User, error)
	StepUp(ctx context.Context, who issuer.Requester, caller issuer.Principal, password string) (issuer.Ticket, error)
	VerifyStepUp(ctx context.Context, who issuer.Requester, caller issuer.Principal, r issuer.VerifyRequest) (issuer.TokenSet, error)
	DeleteMe(ctx context.Context, who issuer.Requester, caller issuer.Principal, password string) error
	// MySessions lists the caller's outstanding sessions.
	MySessions(ctx context.Context, caller issuer.Principal, after issuer.Place, limit int) (issuer.Page[issuer.Session], error)
	EndSession(ctx context.Context, who issuer.Requester, caller issuer.Principal, sid string) error
}

// Administration is what administrators do with everybody's accounts.
type Administration interface {
	// Admin makes an administrator of a caller; forbidden unless token and account both say that it is one.
	Admin(caller issuer.Principal, who issuer.Requester) (issuer.Admin, error)
	ListUsers(ctx context.Context, by issuer.Admin, q issuer.UserQuery, after issuer.Place, limit int) (issuer.Page[issuer.User], error)
	GetUser(ctx context.Context, by issuer.Admin, id string) (issuer.User, error)
	AdminCreateUser(ctx context.Context, by issuer.Admin, n issuer.NewUser) (issuer.User, error)
	PatchUser(ctx context.Context, by issuer.Admin, id string, p issuer.UserPatch) (issuer.User, error)
	DeleteUser(ctx context.Context, by issuer.Admin, id string) error
	LogoutUser(ctx context.Context, by issuer.Admin, id string) error
	RequirePasswordReset(ctx context.Context, by issuer.Admin, id string) error
	ListSessions(ctx context.Context, by issuer.Admin, userID string, revoked bool, after issuer.Place, limit int) (issuer.Page[issuer.Session], error)
	EndAnySession(ctx context.Context, by issuer.Admin, sid string) error
	ListAudit(ctx context.Context, by issuer.Admin, q issuer.AuditQuery, after issuer.Place, limit int) (issuer.Page[issuer.AuditEvent], error)
	Overview(ctx context.Context, by issuer.Admin) (issuer.Overview, error)
}

// KeySet publishes the keys, from memory. *keys.Replica is the one implementation.
type KeySet interface {
	// JWKS is the set as published now, the same pointer until it changes; keys.ErrStale when it is too old to publish.
	JWKS() (*keys.PublishedSet, error)
	// Ready is nil, or why this replica should get no requests; its text is shown to whoever asks /readyz.
	Ready() error
}

// Pinger says whether the store can be reached.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Observer counts requests, for metrics. Route and method are from small fixed sets: the template of the route, or "other".
type Observer interface {
	Request(route, method string, status int, took time.Duration)
}
