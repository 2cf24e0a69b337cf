package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/issuer"
)

// eventInfo is a line of the audit log as commands show it. What does not apply is null.
type eventInfo struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	At        time.Time `json:"at"`
	Actor     *string   `json:"actor"`
	Target    *string   `json:"target"`
	SID       *string   `json:"sid"`
	ClientID  *string   `json:"client_id"`
	Source    *string   `json:"source"`
	RequestID *string   `json:"request_id"`
	Detail    *string   `json:"detail"`
}

func eventInfoOf(e issuer.AuditEvent) eventInfo {
	return eventInfo{ID: e.ID, Type: e.Type, At: e.At.UTC(), Actor: textOrNull(e.Actor), Target: textOrNull(e.Target), SID: textOrNull(e.SID),
		ClientID: textOrNull(e.ClientID), Source: textOrNull(e.Source), RequestID: textOrNull(e.RequestID), Detail: textOrNull(e.Detail)}
}

// textOrNull is nil for no text.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// auditFlags say which events are shown.
type auditFlags struct{ since, until, kind, user string }

func (f *auditFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.kind, "type", "", "only this type of event, or with a final dot all that begin so: sign_in.")
	c.Flags().StringVar(&f.user, "user", "", "only what this user did or had done to it: an id or an e-mail address, or operator")
}

// query is what the flags ask for, but for an address, which is looked up later.
func (f *auditFlags) query(now time.Time) (q issuer.AuditQuery, err error) {
	q.Type, q.UserID = f.kind, f.user
	if q.Since, err = parseMoment("--since", f.since, now); err != nil {
		return q, err
	}
	q.Until, err = parseMoment("--until", f.until, now)
	return q, err
}

// lookUp puts an id in the place of an address. An id stays as it is, because the log remembers users that are no more.
func lookUp(ctx context.Context, st store, q *issuer.AuditQuery) error {
	if !strings.Contains(q.UserID, "@") {
		return nil
	}
	u, err := findUser(ctx, st, "email:"+q.UserID)
	q.UserID = u.ID
	return err
}

// parseMoment reads a time in RFC 3339, or how long ago. "" is the zero time.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if ago, ok := parseDuration(text); ok && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, misused("%s is a time (2030-01-31T09:00:00Z) or how long ago (36h, 2d), not %.60q", flag, text)
}

func newAuditExport(p *program) *cobra.Command {
	var f auditFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "export",
		Short: "print the audit log, oldest first, one JSON object a line",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := f.query(time.Now())
			if err != nil {
				return err
			}
			return p.operator(c, storeSettings, 0, false, func(ctx context.Context, st store, provider *issuer.Provider) error {
				if err := lookUp(ctx, st, &q); err != nil {
					return err
				}
				return p.exportAudit(ctx, provider, q)
			})
		},
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&f.since, "since", "", "from this time on (2030-01-31T09:00:00Z), or so long ago (36h, 2d)")
	c.Flags().StringVar(&f.until, "until", "", "before this time, or so long ago")
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, which it is in any case")
	addSettings(c, storeSettings)
	return c
}

func (p *program) exportAudit(ctx context.Context, provider *issuer.Provider, q issuer.AuditQuery) error {
	page := func(after issuer.Place) (issuer.Page[issuer.AuditEvent], error) {
		return provider.ListAudit(ctx, issuer.Operator(), q, after, listPage)
	}
	return eachOf(page, func(events []issuer.AuditEvent) error {
		for _, e := range events {
			if err := writeEvent(p.out, e, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeEvent writes one event on a line of its own, for a machine or for people.
func writeEvent(w io.Writer, e issuer.AuditEvent, asJSON bool) error {
	if asJSON {
		text, err := json.Marshal(eventInfoOf(e))
		if err == nil {
			_, err = w.Write(append(text, '\n'))
		}
		if err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
		return nil
	}
	line := fmt.Sprintf("%s  %-20s", when(&e.At), e.Type)
	for _, part := range [][2]string{
		{"actor", e.Actor}, {"target", e.Target}, {"sid", e.SID}, {"client", e.ClientID}, {"source", e.Source}, {"request", e.RequestID}, {"detail", e.Detail},
	} {
		if part[1] != "" {
			line += " " + part[0] + "=" + printable(part[1])
		}
	}
	if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
