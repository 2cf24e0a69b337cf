package main

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signet/issuer"
	"signet/keys"
)

// auditRing records a command that made a version of the ring. Its id is made of that version, so that it is recorded once. One that found
// everything done already is not recorded.
func auditRing(ctx context.Context, st issuer.Audit, command, reason string, list []keys.Change) error {
	list = slices.DeleteFunc(slices.Clone(list), func(c keys.Change) bool { return c.Already })
	if len(list) == 0 {
		return nil
	}
	lines := make([]string, len(list))
	for i, c := range list {
		lines[i] = c.String()
	}
	return auditCommand(ctx, st, fmt.Sprintf("keys.%s:%d", command, list[0].RingVersion), command, list[0].KeyID, reason, lines...)
}

// auditCommand records what an operator did at the command line. The id says which version of the ring it is of.
func auditCommand(ctx context.Context, st issuer.Audit, id, command, target, reason string, what ...string) error {
	detail := append([]string{"by " + whoami()}, what...)
	if reason != "" {
		detail = append(detail, "reason: "+reason)
	}
	return st.AppendAudit(ctx, issuer.AuditEvent{ID: id, Type: "keys." + command, At: time.Now().UTC().Truncate(time.Millisecond), Target: target,
		Detail: strings.Join(detail, "; ")})
}

// whoami is the operating system's user and machine: the command line knows no other.
func whoami() string {
	name := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// checkReason keeps the audit log readable.
func checkReason(reason string) error {
	if utf8.RuneCountInString(reason) > 500 || strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return misused("--reason is at most 500 printable characters on one line")
	}
	return nil
}
