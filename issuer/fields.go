package issuer

import (
	"fmt"
	"time"
)

// fields gathers what is wrong with a request, so that all of it is said at once.
type fields []FieldError

func (f *fields) add(field, message string) {
	*f = append(*f, FieldError{Field: field, Message: message})
}

// check adds err under field, unless it is nil.
func (f *fields) check(field string, err error) {
	if err != nil {
		f.add(field, err.Error())
	}
}

// err is an invalid_request naming every field, or nil when there is none.
func (f fields) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: KindInvalidRequest, Detail: "The request has fields that can't be accepted.", Fields: f}
}

func refusal(kind Kind, detail string) error { return &Error{Kind: kind, Detail: detail} }

func conflict(field, message string) error {
	return &Error{Kind: KindConflict, Detail: "Another account has it.", Fields: []FieldError{{Field: field, Message: message}}}
}

func rateLimited(wait time.Duration) error {
	return &Error{Kind: KindRateLimited, Detail: "Too many requests. Try again later.", RetryAfter: max(wait, time.Second)}
}

func unavailable(cause error) error {
	return &Error{Kind: KindUnavailable, Detail: "The service can't answer just now.", RetryAfter: time.Second, Cause: cause}
}

func internal(doing string, cause error) error {
	return &Error{Kind: KindInternal, Detail: "Something went wrong.", Cause: fmt.Errorf("%s: %w", doing, cause)}
}

var (
	errInvalidCredentials    = refusal(KindInvalidCredentials, "The address or username and the password don't belong together.")
	errInvalidCode           = refusal(KindInvalidCode, "That is not the code that was mailed last.")
	errChallengeExpired      = refusal(KindChallengeExpired, "This code has expired or was used. Start again.")
	errTooManyAttempts       = refusal(KindTooManyAttempts, "Too many wrong codes. Start again.")
	errPasswordResetRequired = refusal(KindPasswordResetRequired, "The password has to be reset first: ask for a code by \"forgot password\".")
	errInvalidToken          = refusal(KindInvalidToken, "The token is missing, expired or not one of this service's.")
	errTokenReused           = refusal(KindTokenReused, "This refresh token was used before. The session has ended.")
	errSessionRevoked        = refusal(KindSessionRevoked, "The session has ended.")
	errForbidden             = refusal(KindForbidden, "The token does not allow this.")
)
