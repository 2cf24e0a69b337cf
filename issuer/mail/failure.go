package mail

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
)

// Stage is how far a try of a mail came.
type Stage string

const (
	StageOpen    Stage = "open"  // the sealed letter
	StageStore   Stage = "store" // an operation of the store, before the dialogue or after it
	StageConnect Stage = "connect"
	StageBanner  Stage = "banner"
	StageHello   Stage = "hello"
	StageTLS     Stage = "tls"
	StageAuth    Stage = "auth"
	StageFrom    Stage = "mail_from"
	StageRcpt    Stage = "rcpt"
	StageData    Stage = "data"
	StageAnswer  Stage = "answer" // the message was sent whole; it may have been accepted
	StageOther   Stage = "other"
)

// Failure is why a dialogue with a mail server came to nothing. Error names stage, codes and the network's error; what the
// server said is in Reply alone, for an operator who tries the settings: it may repeat the recipient's address, so it is
// not to be logged.
type Failure struct {
	Stage    Stage
	Code     int    // RFC 5321 section 4.2 reply code; 0 when there was no reply
	Enhanced string // RFC 3463 code, "" for none
	Reply    string
	Err      error // nil when the server replied
}

func (f *Failure) Error() string {
	switch {
	case f.Err != nil:
		return fmt.Sprintf("smtp %s: %v", f.Stage, f.Err)
	case f.Enhanced != "":
		return fmt.Sprintf("smtp %s: refused with %d %s", f.Stage, f.Code, f.Enhanced)
	}
	return fmt.Sprintf("smtp %s: refused with %d", f.Stage, f.Code)
}

func (f *Failure) Unwrap() error { return f.Err }

// Permanent says that the server will never take mail for this recipient: a 5xx to RCPT. Everything else may pass or be mended
// by the operator while the code is valid: 4xx, a refused login, a refused sender, a quota, and those 5xx to RCPT that are about
// who is sending (RFC 4954 section 6, and 503: out of order).
func (f *Failure) Permanent() bool {
	if f.Stage != StageRcpt || f.Code < 500 || f.Code > 599 {
		return false
	}
	switch f.Code {
	case 503, 530, 534, 535, 538:
		return false
	}
	return true
}

// aboutServer says that any other mail would have met the same: what outages are told from.
func (f *Failure) aboutServer() bool { return f.Stage != StageRcpt || f.Code == 0 }

var enhancedCode = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// failed makes a Failure of what a library reported. A reply's text is kept apart from the error.
func failed(stage Stage, err error) *Failure {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return &Failure{Stage: stage, Code: reply.Code, Enhanced: enhancedCode.FindString(reply.Msg), Reply: reply.Msg}
	}
	var garbage textproto.ProtocolError
	if errors.As(err, &garbage) {
		return &Failure{Stage: stage, Reply: string(garbage), Err: errors.New("the server's reply is not SMTP")}
	}
	return &Failure{Stage: stage, Err: err}
}
