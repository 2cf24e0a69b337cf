package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// SMTPConfig says where mail goes and in whose name.
type SMTPConfig struct {
	URL       string      // as ParseSMTPURL takes it
	From      string      // as ParseFrom takes it
	Hello     string      // name for EHLO; "" is this machine's name when it is qualified, else the domain of From
	TLSConfig *tls.Config // nil is the system's roots; copied. At least TLS 1.2 whatever it says
}

// replyLimit is more than any honest server sends in one dialogue, its certificates included.
const replyLimit = 1 << 20

// quitWait is what politeness may cost once the message has been accepted.
const quitWait = time.Second

type smtpSender struct {
	url      *url.URL
	host     string
	from     *mail.Address
	hello    string
	tls      *tls.Config
	loopback bool
}

// NewSMTP makes a Sender that holds one dialogue a message with the server of c.URL. Encryption is demanded, by STARTTLS (RFC
// 3207) or from the start, unless the host is this machine by name. Errors never contain the password.
func NewSMTP(c SMTPConfig) (Sender, error) {
	u, err := ParseSMTPURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("mail: SMTP URL: %w", err)
	}
	from, err := ParseFrom(c.From)
	if err != nil {
		return nil, fmt.Errorf("mail: sender: %w", err)
	}
	s := &smtpSender{url: u, host: u.Hostname(), from: from, hello: c.Hello, loopback: isLoopback(u.Hostname())}
	if s.hello == "" {
		s.hello = helloName(from)
	}
	s.tls = &tls.Config{}
	if c.TLSConfig != nil {
		s.tls = c.TLSConfig.Clone()
	}
	if s.tls.ServerName == "" {
		s.tls.ServerName = s.host
	}
	s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS12)
	return s, nil
}

// helloName: some servers refuse an unqualified name, like a container's (RFC 5321 section 4.1.1.1 wants a domain).
func helloName(from *mail.Address) string {
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") {
		return name
	}
	return from.Address[strings.LastIndexByte(from.Address, '@')+1:]
}

// Send holds one dialogue. It ends the moment ctx does, at whatever stage: the connection is closed under it.
func (s *smtpSender) Send(ctx context.Context, m Message) error { return s.send(ctx, m, &Dialogue{}) }

// send keeps in d how far it came.
func (s *smtpSender) send(ctx context.Context, m Message, d *Dialogue) error {
	body, err := s.encode(m)
	if err != nil {
		return err
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", hostPort(s.url))
	if err != nil {
		return failed(StageConnect, err)
	}
	defer connection.Close()
	d.Peer = connection.RemoteAddr().String()
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	if failure := s.converse(connection, m.To, body, d); failure != nil {
		if ctx.Err() != nil {
			return &Failure{Stage: failure.Stage, Err: context.Cause(ctx)}
		}
		return failure
	}
	return nil
}

// converse is the dialogue of RFC 5321 section 3, from the banner to QUIT.
func (s *smtpSender) converse(connection net.Conn, to string, body []byte, d *Dialogue) *Failure {
	client, failure := s.open(&limitedConn{Conn: connection, left: replyLimit})
	if failure != nil {
		return failure
	}
	d.secured(client, s.url.Scheme)
	if s.url.User != nil {
		if err := s.login(client); err != nil {
			return failed(StageAuth, err)
		}
		d.Authenticated = true
	}
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return failed(StageFrom, err)
	}
	if err := client.Rcpt("<" + to + ">"); err != nil {
		return failed(StageRcpt, err)
	}
	w, err := client.Data()
	if err != nil {
		return failed(StageData, err)
	}
	if _, err := w.Write(body); err != nil {
		return failed(StageData, err)
	}
	if err := w.Close(); err != nil {
		return failed(StageAnswer, err)
	}
	d.heard(w)
	// Accepted: whatever becomes of QUIT, sending it again would double it.
	if connection.SetDeadline(time.Now().Add(quitWait)) == nil {
		_ = client.Quit()
	}
	return nil
}

// open brings the connection to where mail may be sent: greeted and, unless it stays on this machine, encrypted.
func (s *smtpSender) open(connection net.Conn) (*smtp.Client, *Failure) {
	if s.url.Scheme == "smtps" {
		secured := tls.Client(connection, s.tls)
		if err := secured.Handshake(); err != nil {
			return nil, failed(StageTLS, err)
		}
		connection = secured
	}
	client, err := smtp.NewClient(connection, s.host)
	if err != nil {
		return nil, failed(StageBanner, err)
	}
	client.SkipSMTPUTF8(true) // addresses and headers are ASCII; asking for it would exclude servers
	if err := client.Hello(s.hello); err != nil {
		return nil, failed(StageHello, err)
	}
	if s.url.Scheme == "smtps" {
		return client, nil
	}
	offered, _ := client.Extension("STARTTLS")
	switch {
	case offered:
		if err := client.StartTLS(s.startTLSConfig()); err != nil {
			return nil, failed(StageTLS, err)
		}
	case !s.loopback:
		return nil, failed(StageTLS, errors.New("the server does not offer STARTTLS, which is demanded unless it is on loopback"))
	}
	return client, nil
}

// startTLSConfig: on loopback plain text is taken too, so that checking the name of a local relay's certificate (which
// hardly ever is "localhost") would protect from nothing and only lose mail.
func (s *smtpSender) startTLSConfig() *tls.Config {
	if !s.loopback || s.tls.RootCAs != nil {
		return s.tls
	}
	unchecked := s.tls.Clone()
	unchecked.InsecureSkipVerify = true
	return unchecked
}

// login authenticates (RFC 4954) with the mechanism that the URL names, else the plainest that the server offers: the line is
// encrypted, and PLAIN works with every way a server may store passwords.
func (s *smtpSender) login(client *smtp.Client) error {
	_, encrypted := client.TLSConnectionState()
	if !encrypted && !s.loopback {
		return errors.New("no password is sent unencrypted")
	}
	_, offer := client.Extension("AUTH")
	offered := make(map[string]bool)
	for _, mechanism := range strings.Fields(strings.ToUpper(offer)) {
		offered[mechanism] = true
	}
	user := s.url.User.Username()
	password, _ := s.url.User.Password()
	wanted := strings.ToUpper(s.url.Query().Get("auth"))
	may := func(mechanism string) bool {
		return offered[mechanism] && (wanted == "" || wanted == "AUTO" || wanted == mechanism)
	}
	switch {
	case may("PLAIN"):
		return authenticate(client, smtp.PlainAuth("", user, password, s.host, true))
	case may("LOGIN"):
		return authenticate(client, smtp.LoginAuth(user, password, s.host, true))
	case may("SCRAM-SHA-256"):
		return authenticate(client, smtp.ScramSHA256Auth(user, password))
	case may("CRAM-MD5"):
		return authenticate(client, smtp.CRAMMD5Auth(user, password))
	}
	return errors.New("the server offers no way to authenticate that is wanted here (PLAIN, LOGIN, SCRAM-SHA-256, CRAM-MD5)")
}

// authenticate keeps out of the error what the server said in the exchange: it could repeat the password.
func authenticate(client *smtp.Client, mechanism smtp.Auth) error {
	err := client.Auth(mechanism)
	var reply *textproto.Error
	var network net.Error
	if err == nil || errors.As(err, &reply) || errors.As(err, &network) || errors.Is(err, io.EOF) {
		return err
	}
	return errors.New("the exchange of the authentication mechanism failed")
}

// encode renders the message before the server is asked, so that nothing but the network can fail in DATA.
func (s *smtpSender) encode(m Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	if err := msg.To(m.To); err != nil {
		return nil, fmt.Errorf("%w: recipient", ErrMalformed)
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(m.MessageID)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	var body bytes.Buffer
	if _, err := msg.WriteTo(&body); err != nil {
		return nil, fmt.Errorf("mail: encode: %w", err)
	}
	return body.Bytes(), nil
}

// limitedConn stops reading from a server that never stops talking.
type limitedConn struct {
	net.Conn
	left int
}

func (c *limitedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
