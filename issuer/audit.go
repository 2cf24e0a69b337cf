package issuer

import "time"

// AuditEvent is one line of the audit log. It never holds a secret, code, token or password.
type AuditEvent struct {
	ID        string // made from its cause where there is one (`reuse:<sid>`), else random
	Type      string // `sign_in.ok`, `sign_in.failed`, `token.reuse`, ...
	At        time.Time
	Actor     string // user id; "" for none
	Target    string
	SID       string
	ClientID  string
	Source    string // address of the caller
	RequestID string
	Detail    string
}
