package handlers

import (
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// logged begins the exchange and, when the answer is out, writes one line of it and tells the observer. The line has the
// route's template, never a path, a query or a header as sent: those may hold secrets.
func (a *api) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		x := &exchange{ResponseWriter: w, requestID: [1]string{requestID(r.Header)}}
		x.ip, x.plain = a.caller(r)
		w.Header()[requestIDHeader] = x.requestID[:]
		defer func() { a.record(x, r.Method, time.Since(start)) }()
		next.ServeHTTP(x, r)
	})
}

func (a *api) record(x *exchange, method string, took time.Duration) {
	if x.status == 0 {
		x.status = http.StatusOK // what net/http makes of a handler that writes nothing
	}
	if x.route == "" {
		x.route = "other"
	}
	method = knownMethod(method)
	a.observer.Request(x.route, method, x.status, took)

	e := a.log.WithLevel(levelOf(x.status))
	e.Str("request_id", x.requestID[0])
	for _, f := range [...]struct{ key, value string }{
		{"event", x.event}, {"sub", x.sub}, {"sid", x.sid}, {"client_id", x.clientID}, {"ip", x.ip}, {"method", method}, {"route", x.route}, {"code", x.code},
	} {
		if f.value != "" {
			e.Str(f.key, f.value)
		}
	}
	if x.cause != nil {
		e.AnErr("error", x.cause)
	}
	e.Int("status", x.status).Float64("ms", float64(took.Microseconds())/1000).Msg("request")
}

// levelOf: a 500 is a defect, a 503 is trouble that may pass, everything else is daily business.
func levelOf(status int) zerolog.Level {
	switch {
	case status == http.StatusServiceUnavailable:
		return zerolog.WarnLevel
	case status >= 500:
		return zerolog.ErrorLevel
	default:
		return zerolog.InfoLevel
	}
}

// knownMethod keeps a caller from inventing labels of metrics.
func knownMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}
