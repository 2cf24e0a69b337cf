package handlers

import (
	"net/http"

	"signet/issuer"
)

// exchange is one request and its answer under way: the ResponseWriter that every handler gets, and what the access log
// will say. It belongs to the goroutine that serves the request.
type exchange struct {
	http.ResponseWriter
	status int // 0 until the answer's header is written

	requestID [1]string // as a header's values
	ip        string    // of the caller, as far as trusted proxies tell
	plain     bool      // a trusted proxy says that the caller used http

	route, event       string // template and name of the route; "" when none matched
	sub, sid, clientID string
	code               string // of the problem, "" for none
	cause              error  // for the log alone
	bearer             bool   // a bearer token was presented: a 401 or 403 is about it
	drf                bool   // errors have the shape that clients of SimpleJWT know (drf_errors.go)
}

// exchangeOf finds the exchange behind w, through whatever wraps it, as http.ResponseController does.
func exchangeOf(w http.ResponseWriter) *exchange {
	for {
		switch v := w.(type) {
		case *exchange:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return &exchange{ResponseWriter: w}
		}
	}
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// requester is who sent r, for the issuer.
func (x *exchange) requester(r *http.Request) issuer.Requester {
	return issuer.Requester{
		IP:        x.ip,
		UserAgent: shortened(r.UserAgent(), 256),
		RequestID: x.requestID[0],
		Locale:    preferredLocale(r.Header.Get("Accept-Language")),
	}
}
