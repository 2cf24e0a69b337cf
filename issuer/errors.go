package issuer

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what went wrong in the words of the API; package handlers maps each to a status once.
type Kind string

const (
	KindInvalidRequest        Kind = "invalid_request"
	KindWeakPassword          Kind = "weak_password"
	KindInvalidCredentials    Kind = "invalid_credentials"
	KindInvalidCode           Kind = "invalid_code"
	KindChallengeExpired      Kind = "challenge_expired"
	KindTooManyAttempts       Kind = "too_many_attempts"
	KindInvalidToken          Kind = "invalid_token"
	KindTokenReused           Kind = "token_reused"
	KindSessionRevoked        Kind = "session_revoked"
	KindStepUpRequired        Kind = "step_up_required"
	KindForbidden             Kind = "forbidden"
	KindPasswordResetRequired Kind = "password_reset_required"
	KindNotFound              Kind = "not_found"
	KindConflict              Kind = "conflict"
	KindRateLimited           Kind = "rate_limited"
	KindInternal              Kind = "internal"
	KindUnavailable           Kind = "unavailable"
)

// Error is a failure that a caller may be told of. Cause is for the log alone.
type Error struct {
	Kind       Kind
	Detail     string        // one sentence for the caller
	Fields     []FieldError  // with invalid_request and conflict
	RetryAfter time.Duration // with rate_limited and unavailable
	Cause      error
}

// FieldError names a field of the request and what was expected of it.
type FieldError struct {
	Field   string
	Message string
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Detail, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Detail)
}

func (e *Error) Unwrap() error { return e.Cause }

// KindOf is the kind of err, or KindInternal when it has none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// Errors of the store. Anything else that a port returns is unknown in the sense of ErrUnknown.
var (
	// ErrNotFound: no document with that id.
	ErrNotFound = errors.New("not found")
	// ErrExists: an insert found a document with that id.
	ErrExists = errors.New("already exists")
	// ErrUnknown: the operation may or may not have been applied, now or later (network, timeout,
	// write concern, busy). Read again and re-apply; never blame a caller for it.
	ErrUnknown = errors.New("outcome unknown")
)
