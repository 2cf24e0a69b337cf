package handlers

import (
	"crypto/rand"
	"net/http"
)

// requestIDHeader ties an answer, a log line and a report of trouble together.
const requestIDHeader = "X-Request-Id"

// requestID is the caller's, if it is a sane one, else a random one: it goes to headers, logs and the audit as it is.
func requestID(h http.Header) string {
	if v := h[requestIDHeader]; len(v) == 1 && saneRequestID(v[0]) {
		return v[0]
	}
	return rand.Text()
}

// saneRequestID: 1 to 128 of letters, digits and ._-
func saneRequestID(s string) bool {
	if len(s) < 1 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
