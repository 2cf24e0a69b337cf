package main

import (
	"io"
	stdlog "log"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// newLogger writes to w: one JSON object a line with the field names of the contract (time, level, msg, request_id, event, sub, sid,
// client_id, ip, status, ms), or for people. format "" is console on a terminal, else JSON.
func newLogger(w io.Writer, level, format string) zerolog.Logger {
	zerolog.MessageFieldName = "msg"
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	if forPeople(w, format) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w) || os.Getenv("NO_COLOR") != ""}
	}
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Logger()
}

// forPeople says whether a log of that format, written to w, is laid out for people.
func forPeople(w io.Writer, format string) bool {
	return format == "console" || format == "" && isTerminal(w)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// serverErrorLog takes what net/http says of connections. A stranger causes most of it (a broken handshake, a scan), so that it is
// logged for whoever looks for it.
func serverErrorLog(log zerolog.Logger) *stdlog.Logger {
	return stdlog.New(lineWriter{log}, "", 0)
}

type lineWriter struct{ log zerolog.Logger }

func (w lineWriter) Write(line []byte) (int, error) {
	w.log.Debug().Str("event", "http.connection").Msg(strings.TrimSpace(string(line)))
	return len(line), nil
}
