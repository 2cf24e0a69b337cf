package mail

import (
	"context"
	"crypto/tls"
	"io"

	"github.com/wneessen/go-mail/smtp"
)

// Dialogue is how a dialogue with a mail server went, as far as it came: for an operator who tries the settings. Answer is in the server's words, which
// may repeat the recipient's address, so it is not to be logged.
type Dialogue struct {
	Server        string `json:"server"`        // host:port, as configured
	Peer          string `json:"peer"`          // the address that answered; "" when none did
	Greeted       bool   `json:"greeted"`       // and said which extensions it has
	TLS           string `json:"tls"`           // "TLS 1.3"; "" while it is unencrypted
	STARTTLS      bool   `json:"starttls"`      // encrypted after the greeting, not from the start
	Authenticated bool   `json:"authenticated"` // by the user and password of the URL
	Answer        string `json:"answer"`        // to the whole message; "" when it was not accepted
}

// Try holds one dialogue with the mail server, as a Sender made of the same configuration does, and tells of it. Errors: what is wrong with the
// configuration or the message (ErrMalformed), or a *Failure.
func Try(ctx context.Context, c SMTPConfig, m Message) (Dialogue, error) {
	var d Dialogue
	sender, err := NewSMTP(c)
	if err != nil {
		return d, err
	}
	s := sender.(*smtpSender)
	d.Server = hostPort(s.url)
	return d, s.send(ctx, m, &d)
}

func (d *Dialogue) secured(client *smtp.Client, scheme string) {
	d.Greeted = true
	if state, encrypted := client.TLSConnectionState(); encrypted {
		d.TLS, d.STARTTLS = tls.VersionName(state.Version), scheme == "smtp"
	}
}

// heard keeps what the server said when it took the message.
func (d *Dialogue) heard(w io.Writer) {
	if closed, ok := w.(*smtp.DataCloser); ok {
		d.Answer = "250 " + closed.ServerResponse()
	}
}
