package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"signet/keys"
)

// refusingBackend is never asked for a session: the doctor sends nothing.
type refusingBackend struct{ t *testing.T }

func (b refusingBackend) NewSession(*smtp.Conn) (smtp.Session, error) {
	return refusingSession(b), nil
}

type refusingSession struct{ t *testing.T }

func (s refusingSession) Reset()        {}
func (s refusingSession) Logout() error { return nil }
func (s refusingSession) Mail(string, *smtp.MailOptions) error {
	s.t.Error("the doctor sends a mail")
	return nil
}
func (s refusingSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s refusingSession) Data(io.Reader) error                 { return nil }

func TestMailServerIsGreeted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(refusingBackend{t})
	go s.Serve(l)
	defer s.Close()
	if f := checkMailServer(t.Context(), "smtp://"+l.Addr().String()); f.Status != statusOK {
		t.Errorf("%+v", f)
	}
}

func TestMailServerThatIsNoneIsToldOf(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for url, want := range map[string]string{
		"smtp://u:hunter2@" + l.Addr().String(): "does not greet",
		"smtp://127.0.0.1:1":                    "refused",
		"smtps://127.0.0.1:1":                   "refused",
		"":                                      "no usable SIGNET_SMTP_URL",
	} {
		f := checkMailServer(t.Context(), url)
		if f.Status != statusFail || !strings.Contains(f.Detail, want) || f.Remedy == "" || strings.Contains(f.Detail, "hunter2") {
			t.Errorf("%s: %+v", url, f)
		}
	}
}

func TestIssuerIsAskedAsVerifiersDo(t *testing.T) {
	says := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if says == "" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(`{"issuer":"` + says + `"}`))
	}))
	defer s.Close()
	for what, want := range map[string]status{"": statusWarn, s.URL: statusOK, s.URL + "/": statusFail} {
		says = what
		if f := checkIssuerAnswers(t.Context(), s.URL); f.Status != want {
			t.Errorf("issuer that says %q: %+v", what, f)
		}
	}
	if f := checkIssuerAnswers(t.Context(), "http://127.0.0.1:1"); f.Status != statusWarn {
		t.Errorf("%+v", f)
	}
}

// slowClock is a store whose clock is an hour behind.
type slowClock struct{ keys.RingStore }

func (slowClock) StoreTime(context.Context) (time.Time, error) {
	return time.Now().Add(-time.Hour), nil
}

func TestClockThatIsOffIsAFailure(t *testing.T) {
	l := mustLoad(t, input{})
	if f := checkClock(t.Context(), &l.Config, slowClock{}); f.Status != statusFail || !strings.Contains(f.Detail, "1h0m0s off") {
		t.Errorf("%+v", f)
	}
}
