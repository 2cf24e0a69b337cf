package mail

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// What an operator is told who tries the settings is what happened.
func TestTryTellsHowFarItCame(t *testing.T) {
	server := startServer(t, serverOptions{startTLS: true, auth: []string{"PLAIN"}})
	try := func() (Dialogue, error) {
		return Try(within(t, 10*time.Second), SMTPConfig{URL: server.url("smtp", "localhost", credentials(testPassword)), From: "no-reply@example.org"}, testMessage())
	}
	d, err := try()
	if err != nil || !d.Greeted || !strings.HasPrefix(d.TLS, "TLS 1.") || !d.STARTTLS || !d.Authenticated || !strings.HasPrefix(d.Answer, "250 ") || d.Peer == "" || !strings.HasPrefix(d.Server, "localhost:") {
		t.Errorf("%+v, %v", d, err)
	}
	server.set(func(s *mailServer) {
		s.refuse[StageRcpt] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	})
	d, err = try()
	var failure *Failure
	if !errors.As(err, &failure) || failure.Stage != StageRcpt || !strings.Contains(failure.Reply, "no such user") || !d.Authenticated || d.Answer != "" {
		t.Errorf("%+v, %v", d, err)
	}
	server.stop()
	if d, err = try(); !errors.As(err, &failure) || failure.Stage != StageConnect || d.Peer != "" || d.Greeted {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = Try(t.Context(), SMTPConfig{URL: "http://x", From: "no-reply@example.org"}, testMessage()); err == nil || d.Server != "" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestTryFromTheStart(t *testing.T) {
	server := startServer(t, serverOptions{encrypted: true})
	d, err := Try(within(t, 10*time.Second), SMTPConfig{URL: server.url("smtps", "0.0.0.0", ""), From: "no-reply@example.org", TLSConfig: &tls.Config{RootCAs: server.roots}}, testMessage())
	if err != nil || d.TLS == "" || d.STARTTLS || d.Authenticated {
		t.Errorf("%+v, %v", d, err)
	}
}
