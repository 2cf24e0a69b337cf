package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"signet/issuer"
	"signet/keys"
)

// Kinds that only HTTP knows.
const (
	kindMethodNotAllowed     issuer.Kind = "method_not_allowed"
	kindPayloadTooLarge      issuer.Kind = "payload_too_large"
	kindUnsupportedMediaType issuer.Kind = "unsupported_media_type"
)

// statusClientGone is what the log and the metrics get for a request whose caller left before the answer.
const statusClientGone = 499

// kinds is how each kind of error is told: the status, and a title that never changes. The detail is for errors without one.
var kinds = map[issuer.Kind]struct {
	status        int
	title, detail string
}{
	issuer.KindInvalidRequest:        {400, "Invalid request", "The request can't be understood."},
	issuer.KindWeakPassword:          {400, "Weak password", "Choose another password."},
	issuer.KindInvalidCredentials:    {401, "Wrong credentials", "The address or username and the password don't belong together."},
	issuer.KindInvalidCode:           {401, "Wrong code", "That is not the code that was mailed last."},
	issuer.KindChallengeExpired:      {401, "Challenge expired", "Start again."},
	issuer.KindTooManyAttempts:       {401, "Too many attempts", "Start again."},
	issuer.KindInvalidToken:          {401, "Invalid token", "The token is missing, expired or not one of this service's."},
	issuer.KindTokenReused:           {401, "Token reused", "This token was used before. The session has ended."},
	issuer.KindSessionRevoked:        {401, "Session ended", "The session has ended."},
	issuer.KindStepUpRequired:        {401, "Sign in again", "This needs a sign-in of the last minutes."},
	issuer.KindForbidden:             {403, "Forbidden", "This is not allowed."},
	issuer.KindPasswordResetRequired: {403, "Password reset required", "The password has to be reset first."},
	issuer.KindNotFound:              {404, "Not found", "There is nothing here."},
	kindMethodNotAllowed:             {405, "Method not allowed", "This path has other methods."},
	issuer.KindConflict:              {409, "Conflict", "Another account has it."},
	kindPayloadTooLarge:              {413, "Payload too large", "The body is too large."},
	kindUnsupportedMediaType:         {415, "Unsupported media type", "The body must be JSON."},
	issuer.KindRateLimited:           {429, "Too many requests", "Try again later."},
	issuer.KindInternal:              {500, "Internal error", "Something went wrong."},
	issuer.KindUnavailable:           {503, "Unavailable", "The service can't answer just now."},
}

// problem is an RFC 9457 problem details object.
type problem struct {
	Type       string      `json:"type"`
	Title      string      `json:"title"`
	Status     int         `json:"status"`
	Code       issuer.Kind `json:"code"`
	Detail     string      `json:"detail"`
	RequestID  string      `json:"request_id"`
	Errors     []fault     `json:"errors,omitzero"` // with invalid_request and conflict, even when empty
	RetryAfter int64       `json:"retry_after,omitzero"`
}

type fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// writeProblem answers with an error and notes it for the log, its cause included, which the caller is never told.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(w)
	e := classify(err)
	p := render(e, x.requestID[0])
	x.code = string(p.Code)
	if p.Status >= 500 {
		x.cause = err
		if errors.Is(r.Context().Err(), context.Canceled) {
			p.Status = statusClientGone
		}
	} else {
		x.cause = e.Cause
	}
	h := w.Header()
	if c := challenge(x, p.Status, p.Code); c != "" {
		h.Set("WWW-Authenticate", c)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	h["Content-Type"], h["Cache-Control"] = problemValue, noStoreValue
	var body any = p
	if x.drf {
		h["Content-Type"], body = jsonValue, drfError(r.Method, err, e, p)
	}
	b, _ := json.Marshal(body) // strings and numbers only
	w.WriteHeader(p.Status)
	_, _ = w.Write(b) // a caller who is gone can't be told
}

// classify finds what a caller may be told of err. Trouble that passes is unavailable, whoever reports it; what nobody
// gave a kind is internal.
func classify(err error) *issuer.Error {
	var e *issuer.Error
	if !errors.As(err, &e) {
		e = &issuer.Error{Kind: issuer.KindInternal}
	}
	if _, known := kinds[e.Kind]; !known {
		e = &issuer.Error{Kind: issuer.KindInternal}
	}
	if e.Kind == issuer.KindInternal && passing(err) {
		e = &issuer.Error{Kind: issuer.KindUnavailable}
	}
	return e
}

// statusOf is the status that err is answered with.
func statusOf(err error) int { return kinds[classify(err).Kind].status }

// passing says whether the same request may well succeed later.
func passing(err error) bool {
	for _, is := range []error{keys.ErrStale, keys.ErrNoKey, keys.ErrSigning, issuer.ErrUnknown, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

func render(e *issuer.Error, requestID string) problem {
	k := kinds[e.Kind]
	p := problem{
		Type: "urn:signet:problem:" + string(e.Kind), Title: k.title, Status: k.status, Code: e.Kind,
		Detail: e.Detail, RequestID: requestID,
	}
	if p.Detail == "" {
		p.Detail = k.detail
	}
	if e.Kind == issuer.KindInvalidRequest || e.Kind == issuer.KindConflict || len(e.Fields) > 0 {
		p.Errors = make([]fault, 0, len(e.Fields))
		for _, f := range e.Fields {
			p.Errors = append(p.Errors, fault(f))
		}
	}
	if k.status == http.StatusTooManyRequests || k.status == http.StatusServiceUnavailable {
		p.RetryAfter = wholeSeconds(e.RetryAfter)
	}
	return p
}

// wholeSeconds rounds up: whoever waits that long has waited long enough. At least 1.
func wholeSeconds(d time.Duration) int64 {
	return max(1, int64(math.Ceil(d.Seconds())))
}
