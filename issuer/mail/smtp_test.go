package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

const testPassword = "s3cret/with#odd@signs"

var testDate = time.Date(2026, 1, 2, 14, 22, 31, 0, time.UTC)

func testMessage() Message {
	return Message{
		To: "ada@example.org", Subject: "123456 is your example.org code", Text: "123456 is your code.\n", HTML: "<p>123456</p>",
		MessageID: "0123456789abcdef@example.org", Date: testDate, Code: "123456",
	}
}

// smtpURL reaches the server by a name that counts as loopback or, with host 0.0.0.0, as not.
func (s *mailServer) url(scheme, host, credentials string) string {
	if credentials != "" {
		credentials += "@"
	}
	return scheme + "://" + credentials + host + ":" + s.port()
}

func credentials(password string) string {
	return url.UserPassword("relay@example.org", password).String()
}

func (s *mailServer) sender(t *testing.T, url string) Sender {
	t.Helper()
	sender, err := NewSMTP(SMTPConfig{URL: url, From: "Example <no-reply@example.org>", TLSConfig: &tls.Config{RootCAs: s.roots}})
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestSMTPDeliversInEveryWay(t *testing.T) {
	cases := map[string]struct {
		options     serverOptions
		scheme      string
		host        string
		credentials string
		query       string
		user        string
		tls         bool
	}{
		"plain on loopback":             {scheme: "smtp", host: "127.0.0.1"},
		"STARTTLS":                      {options: serverOptions{startTLS: true}, scheme: "smtp", host: "0.0.0.0", tls: true},
		"STARTTLS on loopback, offered": {options: serverOptions{startTLS: true}, scheme: "smtp", host: "localhost", tls: true},
		"TLS from the start":            {options: serverOptions{encrypted: true}, scheme: "smtps", host: "0.0.0.0", tls: true},
		"PLAIN": {options: serverOptions{startTLS: true, auth: []string{"LOGIN", "PLAIN"}}, scheme: "smtp", host: "0.0.0.0",
			credentials: credentials(testPassword), user: "relay@example.org", tls: true},
		"LOGIN when it is all there is": {options: serverOptions{encrypted: true, auth: []string{"LOGIN"}}, scheme: "smtps", host: "0.0.0.0",
			credentials: credentials(testPassword), user: "relay@example.org", tls: true},
		"LOGIN when asked for": {options: serverOptions{startTLS: true, auth: []string{"PLAIN", "LOGIN"}}, scheme: "smtp", host: "0.0.0.0",
			credentials: credentials(testPassword), query: "?auth=login", user: "relay@example.org", tls: true},
		"PLAIN on loopback in the clear": {options: serverOptions{auth: []string{"PLAIN"}}, scheme: "smtp", host: "localhost",
			credentials: credentials(testPassword), user: "relay@example.org"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, c.options)
			sender := server.sender(t, server.url(c.scheme, c.host, c.credentials)+c.query)
			if err := sender.Send(within(t, 10*time.Second), testMessage()); err != nil {
				t.Fatal(err)
			}
			got := server.one()
			if got.from != "no-reply@example.org" || got.to != "ada@example.org" || got.user != c.user || got.tls != c.tls {
				t.Errorf("arrived as from %q to %q by %q, encrypted %t", got.from, got.to, got.user, got.tls)
			}
			checkHeaders(t, got)
			checkParts(t, got)
		})
	}
}

func checkHeaders(t *testing.T, got received) {
	t.Helper()
	h := got.header(t)
	for name, want := range map[string]string{
		"Message-Id": "<0123456789abcdef@example.org>", "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All",
		"Date": "Fri, 02 Jan 2026 14:22:31 +0000", "From": `"Example" <no-reply@example.org>`, "To": "<ada@example.org>",
		"Subject": "123456 is your example.org code", "Mime-Version": "1.0",
	} {
		if values := h[name]; len(values) != 1 || values[0] != want {
			t.Errorf("header %s is %q, want %q once", name, values, want)
		}
	}
	for _, name := range []string{"User-Agent", "X-Mailer", "Bcc", "Cc"} {
		if h.Get(name) != "" {
			t.Errorf("header %s is there: %q", name, h.Get(name))
		}
	}
}

func checkParts(t *testing.T, got received) {
	t.Helper()
	text, html := parts(t, got)
	if text != "123456 is your code.\r\n" || html != "<p>123456</p>" {
		t.Errorf("parts are %q and %q", text, html)
	}
}

func parts(t *testing.T, got received) (text, html string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(string(got.raw)))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", kind, err)
	}
	reader := multipart.NewReader(m.Body, parameters["boundary"])
	var bodies, kinds []string
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if encoding := part.Header.Get("Content-Transfer-Encoding"); encoding != "quoted-printable" {
			t.Errorf("encoding %q", encoding)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		bodies, kinds = append(bodies, string(body)), append(kinds, part.Header.Get("Content-Type"))
	}
	if len(bodies) != 2 || !strings.HasPrefix(kinds[0], "text/plain") || !strings.HasPrefix(kinds[1], "text/html") {
		t.Fatalf("parts are %q", kinds)
	}
	return bodies[0], bodies[1]
}

func TestSMTPRefusesToSendInTheClear(t *testing.T) {
	server := startServer(t, serverOptions{auth: []string{"PLAIN"}})
	err := server.sender(t, server.url("smtp", "0.0.0.0", credentials(testPassword))).Send(within(t, 10*time.Second), testMessage())
	var failure *Failure
	if !errors.As(err, &failure) || failure.Stage != StageTLS || !strings.Contains(err.Error(), "STARTTLS") {
		t.Fatalf("got %v", err)
	}
	if n := len(server.all()); n != 0 {
		t.Fatalf("%d mails left in the clear", n)
	}
}

func TestSMTPChecksTheCertificate(t *testing.T) {
	for scheme, options := range map[string]serverOptions{"smtp": {startTLS: true}, "smtps": {encrypted: true}} {
		t.Run(scheme, func(t *testing.T) {
			server := startServer(t, options)
			for name, c := range map[string]*tls.Config{
				"unknown authority": nil,
				"another's name":    {RootCAs: server.roots, ServerName: "other.test"},
				"an old client":     {RootCAs: server.roots, MaxVersion: tls.VersionTLS11},
			} {
				sender, err := NewSMTP(SMTPConfig{URL: server.url(scheme, "0.0.0.0", ""), From: "a@example.org", TLSConfig: c})
				if err != nil {
					t.Fatal(err)
				}
				var failure *Failure
				if err := sender.Send(within(t, 10*time.Second), testMessage()); !errors.As(err, &failure) || failure.Stage != StageTLS {
					t.Errorf("%s: got %v", name, err)
				}
			}
			if n := len(server.all()); n != 0 {
				t.Errorf("%d mails went to a server that is not who it should be", n)
			}
		})
	}
}

// A local relay's own certificate never says "localhost"; the plain text that would be taken instead is no better.
func TestSMTPTakesAnyCertificateOnLoopbackBySTARTTLSAlone(t *testing.T) {
	server := startServer(t, serverOptions{startTLS: true})
	sender, err := NewSMTP(SMTPConfig{URL: server.url("smtp", "localhost", ""), From: "a@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(within(t, 10*time.Second), testMessage()); err != nil {
		t.Fatal(err)
	}
	encrypted := startServer(t, serverOptions{encrypted: true})
	sender, err = NewSMTP(SMTPConfig{URL: encrypted.url("smtps", "localhost", ""), From: "a@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(within(t, 10*time.Second), testMessage()); err == nil {
		t.Fatal("smtps to loopback took an unknown certificate")
	}
}

func TestSMTPIsCutWhereverTheServerStalls(t *testing.T) {
	for _, stage := range []Stage{StageBanner, StageHello, StageTLS, stageHandshake, StageAuth, StageFrom, StageRcpt, StageData, StageAnswer} {
		t.Run(string(stage), func(t *testing.T) {
			needsTLS := stage == StageTLS || stage == stageHandshake
			server := startServer(t, serverOptions{startTLS: needsTLS, auth: []string{"PLAIN"}})
			server.set(func(s *mailServer) { s.stallAt = stage })
			sender := server.sender(t, server.url("smtp", "localhost", credentials(testPassword)))
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- sender.Send(ctx, testMessage()) }()
			if at := await(t, server.stalled, "the server to stall"); at != stage {
				t.Fatalf("stalled at %s", at)
			}
			select {
			case err := <-result:
				t.Fatalf("Send ended by itself: %v", err)
			default:
			}
			cancel()
			err := await(t, result, "Send to be cut")
			wanted := stage
			if stage == stageHandshake {
				wanted = StageTLS
			}
			var failure *Failure
			early := stage == StageBanner // the server may see the connection before the client does
			if !errors.As(err, &failure) || failure.Stage != wanted && !early || !strings.Contains(err.Error(), "cancel") {
				t.Errorf("got %v", err)
			}
			await(t, server.cut, "the connection to be closed")
		})
	}
}

func TestSMTPIsCutAtTheDeadline(t *testing.T) {
	server := startServer(t, serverOptions{encrypted: true})
	server.set(func(s *mailServer) { s.stallAt = StageBanner }) // the first bytes of the TLS handshake, here
	err := server.sender(t, server.url("smtps", "0.0.0.0", "")).Send(within(t, 50*time.Millisecond), testMessage())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	await(t, server.cut, "the connection to be closed")
}

// What the server says may repeat the recipient: it is kept out of the error.
func TestSMTPTellsRefusalsApart(t *testing.T) {
	cases := []struct {
		stage     Stage
		code      int
		enhanced  smtp.EnhancedCode
		permanent bool
	}{
		{StageAuth, 535, smtp.EnhancedCode{5, 7, 8}, false},
		{StageFrom, 550, smtp.EnhancedCode{5, 7, 1}, false},
		{StageFrom, 451, smtp.EnhancedCode{4, 3, 0}, false},
		{StageRcpt, 550, smtp.EnhancedCode{5, 1, 1}, true},
		{StageRcpt, 553, smtp.NoEnhancedCode, true},
		{StageRcpt, 530, smtp.EnhancedCode{5, 7, 0}, false},
		{StageRcpt, 450, smtp.EnhancedCode{4, 2, 0}, false},
		{StageAnswer, 554, smtp.EnhancedCode{5, 6, 0}, false},
		{StageAnswer, 452, smtp.EnhancedCode{4, 3, 1}, false},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %d", c.stage, c.code), func(t *testing.T) {
			server := startServer(t, serverOptions{auth: []string{"PLAIN"}})
			server.set(func(s *mailServer) {
				s.refuse[c.stage] = &smtp.SMTPError{Code: c.code, EnhancedCode: c.enhanced, Message: "no <ada@example.org> " + testPassword}
			})
			err := server.sender(t, server.url("smtp", "localhost", credentials(testPassword))).Send(within(t, 10*time.Second), testMessage())
			var failure *Failure
			if !errors.As(err, &failure) || failure.Stage != c.stage || failure.Code != c.code || failure.Permanent() != c.permanent {
				t.Fatalf("got %#v", err)
			}
			if !strings.Contains(failure.Reply, "ada@example.org") {
				t.Errorf("the reply is lost: %q", failure.Reply)
			}
			if text := err.Error(); strings.Contains(text, "ada") || strings.Contains(text, testPassword) || !strings.Contains(text, fmt.Sprint(c.code)) {
				t.Errorf("the error says %q", text)
			}
		})
	}
}

func TestSMTPReportsABrokenConnection(t *testing.T) {
	for _, stage := range []Stage{StageBanner, StageHello, StageFrom, StageRcpt, StageData, StageAnswer} {
		server := startServer(t, serverOptions{})
		server.set(func(s *mailServer) { s.dropAt = stage })
		err := server.sender(t, server.url("smtp", "localhost", "")).Send(within(t, 10*time.Second), testMessage())
		var failure *Failure
		if !errors.As(err, &failure) || failure.Stage != stage || failure.Permanent() {
			t.Errorf("%s: got %v", stage, err)
		}
	}
	server := startServer(t, serverOptions{})
	sender := server.sender(t, server.url("smtp", "localhost", ""))
	server.stop()
	var failure *Failure
	if err := sender.Send(within(t, 10*time.Second), testMessage()); !errors.As(err, &failure) || failure.Stage != StageConnect {
		t.Errorf("no server: got %v", err)
	}
}

func TestSMTPWrongPasswordIsNotRepeated(t *testing.T) {
	const wrong = "wr0ng-and-secret"
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		server := startServer(t, serverOptions{auth: []string{mechanism}})
		err := server.sender(t, server.url("smtp", "localhost", credentials(wrong))).Send(within(t, 10*time.Second), testMessage())
		var failure *Failure
		if !errors.As(err, &failure) || failure.Stage != StageAuth || failure.Code != 535 {
			t.Fatalf("%s: got %v", mechanism, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v", err, failure), wrong) {
			t.Errorf("%s: the password is in %v", mechanism, err)
		}
	}
}

func TestSMTPNeedsAMechanism(t *testing.T) {
	for _, mechanisms := range [][]string{nil, {"XOAUTH2"}} {
		server := startServer(t, serverOptions{auth: mechanisms})
		err := server.sender(t, server.url("smtp", "localhost", credentials(testPassword))).Send(within(t, 10*time.Second), testMessage())
		var failure *Failure
		if !errors.As(err, &failure) || failure.Stage != StageAuth {
			t.Errorf("%q: got %v", mechanisms, err)
		}
	}
}

func TestNoSenderTakesAHeaderInjection(t *testing.T) {
	server := startServer(t, serverOptions{})
	senders := map[string]Sender{"smtp": server.sender(t, server.url("smtp", "localhost", "")), "console": NewConsole(io.Discard, &Mailbox{})}
	bad := map[string]func(*Message){
		"to CRLF":          func(m *Message) { m.To = "ada@example.org\r\nBcc: eve@example.org" },
		"to LF":            func(m *Message) { m.To = "ada@example.org\nRCPT TO:<eve@example.org>" },
		"to two":           func(m *Message) { m.To = "ada@example.org,eve@example.org" },
		"to named":         func(m *Message) { m.To = "Ada <ada@example.org>" },
		"to bracket":       func(m *Message) { m.To = "ada@example.org> NOTIFY=NEVER" },
		"to empty":         func(m *Message) { m.To = "" },
		"to unicode":       func(m *Message) { m.To = "ådå@example.org" },
		"to long":          func(m *Message) { m.To = strings.Repeat("a", 10000) + "@example.org" },
		"subject CRLF":     func(m *Message) { m.Subject = "123456\r\nBcc: eve@example.org" },
		"subject CR":       func(m *Message) { m.Subject = "123456\rBcc: eve@example.org" },
		"subject NUL":      func(m *Message) { m.Subject = "123456\x00" },
		"subject NEL":      func(m *Message) { m.Subject = "123456\u0085x" },
		"subject empty":    func(m *Message) { m.Subject = " " },
		"message id CRLF":  func(m *Message) { m.MessageID = "a@b\r\nBcc: eve@example.org" },
		"message id angle": func(m *Message) { m.MessageID = "a@b> <c@d" },
		"no date":          func(m *Message) { m.Date = time.Time{} },
	}
	for name, spoil := range bad {
		for kind, sender := range senders {
			m := testMessage()
			spoil(&m)
			err := sender.Send(within(t, 10*time.Second), m)
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %s: got %v", kind, name, err)
			} else if strings.Contains(err.Error(), "ada") || strings.Contains(err.Error(), "eve") {
				t.Errorf("%s, %s: the error repeats it: %v", kind, name, err)
			}
		}
	}
	if n := len(server.all()); n != 0 {
		t.Errorf("%d mails left", n)
	}
}

func TestSMTPEncodesAUnicodeSubject(t *testing.T) {
	server := startServer(t, serverOptions{})
	m := testMessage()
	m.Subject = "123456 ist dein Code für Größe 漢字 مرحبا " + strings.Repeat("ü", 60)
	m.Text = "123456 ü漢\n.\n..\nFrom here\n" + strings.Repeat("long ", 400) + "\n"
	if err := server.sender(t, server.url("smtp", "localhost", "")).Send(within(t, 10*time.Second), m); err != nil {
		t.Fatal(err)
	}
	got := server.one()
	for line := range strings.SplitSeq(string(got.raw), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
			t.Errorf("a line that RFC 5322 section 2.1.1 does not allow: %q", line)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.header(t).Get("Subject"))
	if err != nil || subject != m.Subject {
		t.Errorf("the subject arrived as %q: %v", subject, err)
	}
	if text, _ := parts(t, got); strings.ReplaceAll(text, "\r\n", "\n") != m.Text {
		t.Errorf("the text arrived as %q", text)
	}
}

func TestNewSMTPNeedsGoodSettings(t *testing.T) {
	for name, c := range map[string]SMTPConfig{
		"URL":  {URL: "smtp://user:" + testPassword + "@mail.example.org", From: "a@example.org"},
		"from": {URL: "smtp://mail.example.org", From: "nobody"},
	} {
		_, err := NewSMTP(c)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
