package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// received is a mail that the test server accepted.
type received struct {
	from, to string
	raw      []byte
	user     string // who had authenticated
	tls      bool
}

func (r received) header(t *testing.T) mail.Header {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(r.raw))
	if err != nil {
		t.Fatalf("the server received something that is no message: %v", err)
	}
	return m.Header
}

// mailServer is a real SMTP server on loopback that can be told to misbehave: refusals are answered by the server itself,
// stalls and drops happen on its side of the connection.
type mailServer struct {
	t      *testing.T
	server *smtp.Server
	socket net.Listener
	addr   string
	roots  *x509.CertPool

	mu       sync.Mutex
	mails    []received
	arrived  chan struct{} // one token for each mail accepted
	refuse   map[Stage]*smtp.SMTPError
	stallAt  Stage
	dropAt   Stage
	stalled  chan Stage // where a dialogue was stalled
	cut      chan Stage // where the client closed a stalled dialogue
	dialogue func(messageID string) (end func(), refuse error)
}

type serverOptions struct {
	addr      string // "" for a port of the system's choice
	encrypted bool   // smtps
	startTLS  bool
	auth      []string
}

// stageHandshake is the TLS handshake after STARTTLS was accepted.
const stageHandshake Stage = "handshake"

func startServer(t *testing.T, o serverOptions) *mailServer {
	t.Helper()
	if o.addr == "" {
		o.addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{
		t: t, socket: listener, addr: listener.Addr().String(), refuse: map[Stage]*smtp.SMTPError{},
		arrived: make(chan struct{}, 1000), stalled: make(chan Stage, 100), cut: make(chan Stage, 100),
	}
	certificate, roots := selfSigned(t)
	s.roots = roots
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		_, encrypted := c.TLSConnectionState()
		session := &testSession{server: s, tls: encrypted}
		if len(o.auth) > 0 {
			return &authSession{testSession: session, mechanisms: o.auth}, nil
		}
		return session, nil
	}))
	s.server.Domain = "mail.test"
	s.server.AllowInsecureAuth = true
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	tlsConfig := &tls.Config{Certificates: []tls.Certificate{certificate}}
	var serving net.Listener = &saboteur{Listener: listener, server: s}
	if o.encrypted {
		serving = tls.NewListener(serving, tlsConfig)
	}
	if o.startTLS {
		s.server.TLSConfig = tlsConfig
	}
	go func() { _ = s.server.Serve(serving) }()
	t.Cleanup(s.stop)
	return s
}

// stop closes the socket itself too: the server doesn't know it before it serves.
func (s *mailServer) stop() {
	_ = s.server.Close()
	_ = s.socket.Close()
}

func (s *mailServer) set(change func(*mailServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *mailServer) all() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mails...)
}

func (s *mailServer) port() string {
	_, port, _ := net.SplitHostPort(s.addr)
	return port
}

// one waits for a mail to arrive.
func (s *mailServer) one() received {
	s.t.Helper()
	await(s.t, s.arrived, "a mail at the server")
	all := s.all()
	return all[len(all)-1]
}

// await receives from c, or fails the test when nothing comes.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

type testSession struct {
	server   *mailServer
	from, to string
	user     string
	tls      bool
}

func (s *testSession) refusal(stage Stage) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if e := s.server.refuse[stage]; e != nil {
		return e
	}
	return nil
}

func (s *testSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return s.refusal(StageFrom)
}

func (s *testSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return s.refusal(StageRcpt)
}

func (s *testSession) Data(r io.Reader) error {
	if err := s.refusal(StageData); err != nil {
		return err
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.server.dialogue != nil {
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		end, refuse := s.server.dialogue(m.Header.Get("Message-ID"))
		defer end()
		if refuse != nil {
			return refuse
		}
	}
	if err := s.refusal(StageAnswer); err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, received{from: s.from, to: s.to, raw: raw, user: s.user, tls: s.tls})
	s.server.mu.Unlock()
	s.server.arrived <- struct{}{}
	return nil
}

func (s *testSession) Reset()        {}
func (s *testSession) Logout() error { return nil }

type authSession struct {
	*testSession
	mechanisms []string
}

func (s *authSession) AuthMechanisms() []string { return s.mechanisms }

func (s *authSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if err := s.refusal(StageAuth); err != nil {
			return err
		}
		if user != "relay@example.org" || password != testPassword {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case "LOGIN":
		return &loginServer{check: check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// loginServer is the server's side of LOGIN, which go-sasl has none of.
type loginServer struct {
	step  int
	user  string
	check func(user, password string) error
}

func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	case 3:
		return nil, true, l.check(l.user, string(response))
	}
	return nil, true, errors.New("unexpected response")
}

// saboteur hands the server connections that stall or break at a stage.
type saboteur struct {
	net.Listener
	server *mailServer
}

func (l *saboteur) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sabotaged{Conn: c, server: l.server, stage: StageBanner}, nil
}

// sabotaged follows the commands that the client sends, so that it knows what the server's next words answer.
type sabotaged struct {
	net.Conn
	server *mailServer
	stage  Stage
	line   []byte
}

var stageOfCommand = map[string]Stage{
	"EHLO": StageHello, "HELO": StageHello, "STARTTLS": StageTLS, "AUTH": StageAuth, "MAIL": StageFrom, "RCPT": StageRcpt, "DATA": StageData,
}

func (c *sabotaged) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for _, b := range p[:n] {
		if b != '\n' {
			c.line = append(c.line, b)
			continue
		}
		line := strings.TrimSuffix(string(c.line), "\r")
		c.line = c.line[:0]
		if c.stage == StageData {
			if line == "." {
				c.stage = StageAnswer
			}
			continue
		}
		command, _, _ := strings.Cut(line, " ")
		if stage, ok := stageOfCommand[command]; ok {
			c.stage = stage
		}
	}
	return n, err
}

func (c *sabotaged) Write(p []byte) (int, error) {
	c.server.mu.Lock()
	stall, drop := c.server.stallAt == c.stage, c.server.dropAt == c.stage
	c.server.mu.Unlock()
	switch {
	case drop:
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	case stall:
		c.server.stalled <- c.stage
		_, _ = io.Copy(io.Discard, c.Conn) // until the client closes
		c.server.cut <- c.stage
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Write(p)
	if c.stage == StageTLS {
		c.stage = stageHandshake
	}
	return n, err
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		DNSNames: []string{"mail.test", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4zero},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
