package sqlite

import (
	"bytes"
	"context"
	"time"

	"signet/issuer"
)

type mailDoc struct {
	Sealed     []byte `json:"sealed,omitempty"`
	Drop       bool   `json:"drop,omitempty"`
	Challenge  string `json:"challenge,omitempty"`
	Send       int64  `json:"send,omitempty"`
	CreatedAt  millis `json:"created_at,omitempty"`
	DueAt      millis `json:"due_at,omitempty"`
	LeaseUntil millis `json:"lease_until,omitempty"`
	By         string `json:"by,omitempty"`
	Tries      int64  `json:"tries,omitempty"`
	GiveUpAt   millis `json:"give_up_at,omitempty"`
}

var outbox = newCollection("outbox", []string{"due_at", "lease_until", "give_up_at", "ttl_at"},
	func(m *issuer.Mail) []any {
		return []any{int64(stamp(m.DueAt)), int64(stamp(m.LeaseUntil)), int64(stamp(m.GiveUpAt)), ttl(m.GiveUpAt)}
	},
	func(m *issuer.Mail) mailDoc {
		return mailDoc{Sealed: m.Sealed, Drop: m.Drop, Challenge: m.Challenge, Send: m.Send, CreatedAt: stamp(m.CreatedAt), DueAt: stamp(m.DueAt),
			LeaseUntil: stamp(m.LeaseUntil), By: m.By, Tries: m.Tries, GiveUpAt: stamp(m.GiveUpAt)}
	},
	func(id string, d *mailDoc) issuer.Mail {
		return issuer.Mail{ID: id, Sealed: d.Sealed, Drop: d.Drop, Challenge: d.Challenge, Send: d.Send, CreatedAt: d.CreatedAt.time(), DueAt: d.DueAt.time(),
			LeaseUntil: d.LeaseUntil.time(), By: d.By, Tries: d.Tries, GiveUpAt: d.GiveUpAt.time()}
	})

// InsertMail implements issuer.Outbox.
func (s *Store) InsertMail(ctx context.Context, m issuer.Mail) error {
	return outbox.insert(ctx, s, m.ID, &m)
}

// DueMails implements issuer.Outbox.
func (s *Store) DueMails(ctx context.Context, now time.Time, limit int) ([]string, error) {
	at := int64(stamp(now))
	return listIDs(ctx, s, `SELECT id FROM outbox WHERE due_at <= ? AND lease_until <= ? AND give_up_at > ? ORDER BY due_at, id LIMIT ?`, at, at, at, limit)
}

// ClaimMail implements issuer.Outbox.
func (s *Store) ClaimMail(ctx context.Context, id string, now, leaseUntil time.Time, by string) (issuer.Mail, bool, error) {
	return outbox.update(ctx, s, id, func(m *issuer.Mail) bool {
		if m.DueAt.After(now) || m.LeaseUntil.After(now) || !m.GiveUpAt.After(now) {
			return false
		}
		m.LeaseUntil, m.By, m.Tries = cut(leaseUntil), by, m.Tries+1
		return true
	})
}

// DeferMail implements issuer.Outbox.
func (s *Store) DeferMail(ctx context.Context, id, by string, now, dueAt time.Time) (bool, error) {
	_, hit, err := outbox.update(ctx, s, id, func(m *issuer.Mail) bool {
		if m.By != by {
			return false
		}
		m.LeaseUntil, m.DueAt = now, dueAt
		return true
	})
	return hit, err
}

// DeleteMail implements issuer.Outbox.
func (s *Store) DeleteMail(ctx context.Context, id, by string) (bool, error) {
	return outbox.remove(ctx, s, id, func(m *issuer.Mail) bool { return m.By == by })
}

// QueuedMails implements issuer.Outbox.
func (s *Store) QueuedMails(ctx context.Context, now time.Time) (int64, error) {
	n, _, err := readRow[int64](ctx, s, `SELECT count(*) FROM outbox WHERE give_up_at > ?`, int64(stamp(now)))
	return n, err
}

// Mails implements issuer.Outbox.
func (s *Store) Mails(ctx context.Context, after string, limit int) ([]issuer.Mail, error) {
	return outbox.list(ctx, s, `SELECT id, doc FROM outbox WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
}

// ResealMail implements issuer.Outbox.
func (s *Store) ResealMail(ctx context.Context, id string, old, next []byte) (bool, error) {
	_, hit, err := outbox.update(ctx, s, id, func(m *issuer.Mail) bool {
		if !bytes.Equal(m.Sealed, old) {
			return false
		}
		m.Sealed = bytes.Clone(next)
		return true
	})
	return hit, err
}
