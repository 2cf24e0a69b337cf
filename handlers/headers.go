package handlers

import (
	"net/http"
	"strings"
)

// Values of headers that every answer carries. The slices are shared by all answers: handlers replace
// them (Set), and an append makes a copy because they are full.
var (
	hstsValue     = []string{"max-age=63072000"} // two years
	cspValue      = []string{"default-src 'none'; frame-ancestors 'none'"}
	nosniffValue  = []string{"nosniff"}
	referrerValue = []string{"no-referrer"}
	coopValue     = []string{"same-origin"}
	noStoreValue  = []string{"no-store"}
	jsonValue     = []string{"application/json"}
	problemValue  = []string{"application/problem+json"}
)

// publicPrefix is where documents for machines are: JSON that says itself how long it may be cached.
const publicPrefix = "/.well-known/"

// secured sets the headers that keep browsers and caches from doing harm. HSTS (RFC 6797) is for https alone. Public documents
// open no windows and have no links, so they go without what governs those: the key set is asked for more often than
// anything else, and every header counts there.
func (a *api) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if a.https && !exchangeOf(w).plain {
			h["Strict-Transport-Security"] = hstsValue
		}
		h["Content-Security-Policy"] = cspValue
		h["X-Content-Type-Options"] = nosniffValue
		if !strings.HasPrefix(r.URL.Path, publicPrefix) {
			h["Referrer-Policy"] = referrerValue
			h["Cross-Origin-Opener-Policy"] = coopValue
			h["Cache-Control"] = noStoreValue
		}
		next.ServeHTTP(w, r)
	})
}
