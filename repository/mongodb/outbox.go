package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// mailDocument is a message on its way out. After give_up_at no step needs it.
type mailDocument struct {
	ID         string    `bson:"_id"`
	Sealed     []byte    `bson:"sealed"`
	Drop       bool      `bson:"drop,omitempty"`
	Challenge  string    `bson:"challenge"`
	Send       int64     `bson:"send"`
	CreatedAt  time.Time `bson:"created_at"`
	DueAt      time.Time `bson:"due_at"`
	LeaseUntil time.Time `bson:"lease_until"`
	By         string    `bson:"by"`
	Tries      int64     `bson:"tries"`
	GiveUpAt   time.Time `bson:"give_up_at"`
	TTLAt      time.Time `bson:"ttl_at"`
}

func fromMail(m issuer.Mail) mailDocument {
	return mailDocument{
		ID: m.ID, Sealed: m.Sealed, Drop: m.Drop, Challenge: m.Challenge, Send: m.Send, CreatedAt: m.CreatedAt,
		DueAt: m.DueAt, LeaseUntil: m.LeaseUntil, By: m.By, Tries: m.Tries, GiveUpAt: m.GiveUpAt,
		TTLAt: m.GiveUpAt.Add(keptLonger),
	}
}

func (d mailDocument) mail() issuer.Mail {
	return issuer.Mail{
		ID: d.ID, Sealed: d.Sealed, Drop: d.Drop, Challenge: d.Challenge, Send: d.Send, CreatedAt: d.CreatedAt,
		DueAt: d.DueAt, LeaseUntil: d.LeaseUntil, By: d.By, Tries: d.Tries, GiveUpAt: d.GiveUpAt,
	}
}

// due is the condition under which a mail may be tried.
func due(now time.Time) bson.M {
	return bson.M{"due_at": bson.M{"$lte": now}, "lease_until": bson.M{"$lte": now}, "give_up_at": bson.M{"$gt": now}}
}

// InsertMail implements issuer.Outbox.
func (s *Store) InsertMail(ctx context.Context, m issuer.Mail) error {
	return insert(ctx, s.outbox, "insert mail", fromMail(m))
}

// DueMails implements issuer.Outbox.
func (s *Store) DueMails(ctx context.Context, now time.Time, limit int) ([]string, error) {
	order := bson.D{{Key: "due_at", Value: 1}, {Key: "_id", Value: 1}}
	return listIDs(ctx, s.outbox, "list due mail", due(now), order, limit)
}

// ClaimMail implements issuer.Outbox.
func (s *Store) ClaimMail(ctx context.Context, id string, now, leaseUntil time.Time, by string) (issuer.Mail, bool, error) {
	d, ok, err := change[mailDocument](ctx, s.outbox, "claim mail", id, due(now),
		bson.M{"$set": bson.M{"lease_until": leaseUntil, "by": by}, "$inc": bson.M{"tries": int64(1)}})
	return d.mail(), ok, err
}

// DeferMail implements issuer.Outbox.
func (s *Store) DeferMail(ctx context.Context, id, by string, now, dueAt time.Time) (bool, error) {
	return changed(ctx, s.outbox, "defer mail", id, bson.M{"by": by},
		bson.M{"$set": bson.M{"lease_until": now, "due_at": dueAt}})
}

// DeleteMail implements issuer.Outbox.
func (s *Store) DeleteMail(ctx context.Context, id, by string) (bool, error) {
	return remove(ctx, s.outbox, "delete mail", id, bson.M{"by": by})
}

// QueuedMails implements issuer.Outbox.
func (s *Store) QueuedMails(ctx context.Context, now time.Time) (int64, error) {
	n, err := s.outbox.CountDocuments(ctx, bson.M{"give_up_at": bson.M{"$gt": now}})
	return n, mapped("count queued mail", err)
}

// Mails implements issuer.Outbox.
func (s *Store) Mails(ctx context.Context, after string, limit int) ([]issuer.Mail, error) {
	found, err := list[mailDocument](ctx, s.outbox, "list mail", bson.M{"_id": bson.M{"$gt": after}}, byID, limit)
	return mapAll(found, mailDocument.mail), err
}

// ResealMail implements issuer.Outbox.
func (s *Store) ResealMail(ctx context.Context, id string, old, next []byte) (bool, error) {
	is := any(old)
	if len(old) == 0 {
		is = bson.M{"$in": bson.A{nil, []byte{}}} // no bytes are stored as null
	}
	return changed(ctx, s.outbox, "reseal mail", id, bson.M{"sealed": is}, bson.M{"$set": bson.M{"sealed": next}})
}
