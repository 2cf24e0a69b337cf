package mail

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
)

// Message is one mail, laid out.
type Message struct {
	To        string // a bare ASCII address, as the issuer stores it
	Subject   string
	Text      string
	HTML      string
	MessageID string // `id@domain`, without brackets; the same on every try
	Date      time.Time
	Code      string // "" for none; for the development mailbox, never a header
}

// Sender hands a message to whoever delivers it. A nil error means that it was accepted. An error is a *Failure when
// a mail server was involved. Send returns soon after ctx ends, and after it has returned nothing more is sent.
// Safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// ErrMalformed: a message or letter that can't be sent, now or later, whatever the server says.
var ErrMalformed = errors.New("malformed message")

// messageID is the part of RFC 5322 section 3.6.4 that signet makes.
var messageID = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+$`)

// check refuses whatever could be more than one header line or more than one recipient (RFC 5322 section 2.2).
// Its errors name the field, never what is in it.
func (m Message) check() error {
	if err := checkAddress(m.To); err != nil {
		return fmt.Errorf("%w: recipient: %w", ErrMalformed, err)
	}
	if strings.TrimSpace(m.Subject) == "" || strings.ContainsFunc(m.Subject, isControl) {
		return fmt.Errorf("%w: subject is empty or has control characters", ErrMalformed)
	}
	if !messageID.MatchString(m.MessageID) {
		return fmt.Errorf("%w: message id is not of the form id@domain", ErrMalformed)
	}
	if m.Date.IsZero() {
		return fmt.Errorf("%w: no date", ErrMalformed)
	}
	return nil
}

// checkAddress takes a bare addr-spec of ASCII, the canonical form of the API: no display name, comment or list.
func checkAddress(address string) error {
	if len(address) > 254 || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("not an address of at most 254 printable ASCII characters")
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return errors.New("not a bare address")
	}
	return nil
}

// isControl: C0, DEL and C1 controls, and the line and paragraph separators.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
}
