package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// postOffice is a mail server on loopback that keeps what it is given, and refuses one address.
type postOffice struct {
	mu    sync.Mutex
	mails []string
	addr  string
}

const refusedAddress = "nobody@example.org"

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{addr: listener.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return counter{o}, nil }))
	server.Domain, server.ErrorLog = "mail.test", log.New(io.Discard, "", 0)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

// counter is where one dialogue is held.
type counter struct{ office *postOffice }

func (counter) Mail(string, *smtp.MailOptions) error { return nil }
func (counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == refusedAddress {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	return nil
}

func (c counter) Data(r io.Reader) error {
	mail, err := io.ReadAll(r)
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.mails = append(c.office.mails, string(mail))
	return err
}
func (counter) Reset()        {}
func (counter) Logout() error { return nil }

// mail-test sends one mail without any store, and says what the server answered.
func TestMailTest(t *testing.T) {
	t.Parallel()
	office := openPostOffice(t)
	s := restoreStory{t, t.TempDir(), []string{"SIGNET_ISSUER=https://id.example.org", "SIGNET_SMTP_URL=smtp://" + office.addr}}
	out := s.must("mail-test", "Ada@Example.org")
	for _, want := range []string{"server:   " + office.addr, "TLS:      none", "from:     no-reply@id.example.org", "to:       ada@example.org", "accepted: 250 "} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	var done struct {
		Accepted       bool
		Subject, Reply string
		Stage          string
		Answer         string
	}
	run := func(want int, args ...string) {
		t.Helper()
		out, said, status := s.signet(append([]string{"mail-test", "--json"}, args...)...)
		if status != want || json.Unmarshal([]byte(out), &done) != nil {
			t.Errorf("%v: %d\n%s%s", args, status, out, said)
		}
	}
	run(0, "ada@example.org", "--kind", "code", "--locale", "de-CH")
	if !done.Accepted || !strings.Contains(done.Subject, "ist Ihr Code für id.example.org") || !strings.HasPrefix(done.Answer, "250 ") {
		t.Errorf("%+v", done)
	}
	run(1, refusedAddress)
	if done.Accepted || done.Stage != "rcpt" || !strings.Contains(done.Reply, "no such user") {
		t.Errorf("%+v", done)
	}
	office.mu.Lock()
	if len(office.mails) != 2 || !strings.Contains(office.mails[0], "Auto-Submitted: auto-generated") || !strings.Contains(office.mails[1], "To: <ada@example.org>") {
		t.Errorf("it took %q", office.mails)
	}
	office.mu.Unlock()

	if _, _, status := s.signet("mail-test", "nobody"); status != exitMisused {
		t.Errorf("no address: %d", status)
	}
	if _, said, status := s.signet("mail-test", "ada@example.org", "--kind", "invoice"); status != exitMisused || !strings.Contains(said, "email_change") {
		t.Errorf("no such kind: %d, %s", status, said)
	}
	templates := filepath.Join(s.dir, "templates")
	if err := os.MkdirAll(templates, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(templates, "letter.txt"), []byte("{{.Opening}}\n{{.Nothing}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.refused("letter.txt:2", "mail-test", "ada@example.org", "--mail-templates", templates)
	s.environ = s.environ[:1]
	s.refused("SIGNET_SMTP_URL is not set", "mail-test", "ada@example.org")
}
