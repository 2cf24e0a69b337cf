package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"signet/issuer"
)

// maxBody is the most that a request's body may have.
const maxBody = 64 << 10

var (
	errTooLarge = &issuer.Error{Kind: kindPayloadTooLarge, Detail: "The body must be at most 65536 bytes."}
	errSlowBody = &issuer.Error{Kind: issuer.KindInvalidRequest, Detail: "The body did not arrive in time."}
	errHalfBody = &issuer.Error{Kind: issuer.KindInvalidRequest, Detail: "The body ended before it was complete."}
)

// readBody reads the whole body, but never more than maxBody nor beyond the deadline of the request's context. Too much is
// refused unread when the length is announced.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // rather than read what nobody wants
		return nil, errTooLarge
	}
	// A writer that has no deadlines is not a connection: a test's.
	c := http.NewResponseController(w)
	deadline, bounded := r.Context().Deadline()
	bounded = bounded && c.SetReadDeadline(deadline) == nil
	body, err := io.ReadAll(http.MaxBytesReader(exchangeOf(w).ResponseWriter, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		if bounded { // the server goes on reading to notice a caller who leaves; that must not run into this deadline
			_ = c.SetReadDeadline(time.Time{})
		}
		return body, nil
	case errors.As(err, &tooLarge):
		giveUp(w, c)
		return nil, errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		giveUp(w, c)
		return nil, errSlowBody
	default:
		giveUp(w, c)
		return nil, errHalfBody
	}
}

// giveUp ends the connection after the answer: the server would read on for the rest of the body, and wait for what never comes.
func giveUp(w http.ResponseWriter, c *http.ResponseController) {
	w.Header().Set("Connection", "close")
	_ = c.SetReadDeadline(time.Now())
}
