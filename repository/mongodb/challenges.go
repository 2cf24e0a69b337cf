package mongodb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// challengeDocument is a mailed code that waits for its answer.
type challengeDocument struct {
	ID         string                `bson:"_id"`
	Purpose    string                `bson:"purpose"`
	UserID     string                `bson:"user_id"`
	SID        string                `bson:"sid"`
	ClientID   string                `bson:"client_id"`
	Ver        int64                 `bson:"ver"`
	EmailRev   int64                 `bson:"email_rev"`
	Address    string                `bson:"address"`
	Decoy      bool                  `bson:"decoy,omitempty"`
	CodeMAC    []byte                `bson:"code_mac"`
	CodeSecret string                `bson:"code_secret"`
	CodeLength int                   `bson:"code_length"`
	Send       int64                 `bson:"send"`
	SendBy     string                `bson:"send_by"`
	Tries      []string              `bson:"tries,omitempty"`
	State      string                `bson:"state"`
	By         string                `bson:"by"`
	CreatedAt  time.Time             `bson:"created_at"`
	ExpiresAt  time.Time             `bson:"expires_at"`
	NextSendAt time.Time             `bson:"next_send_at"`
	Device     string                `bson:"device"`
	Locale     string                `bson:"locale"`
	Reg        *registrationDocument `bson:"reg,omitempty"`
	TTLAt      time.Time             `bson:"ttl_at"`
}

type registrationDocument struct {
	Hash       string `bson:"hash"`
	GivenName  string `bson:"given_name"`
	FamilyName string `bson:"family_name"`
}

func fromChallenge(c issuer.Challenge) challengeDocument {
	d := challengeDocument{
		ID: c.ID, Purpose: string(c.Purpose), UserID: c.UserID, SID: c.SID, ClientID: c.ClientID, Ver: c.Ver,
		EmailRev: c.EmailRev, Address: c.Address, Decoy: c.Decoy, CodeMAC: c.CodeMAC, CodeSecret: c.CodeSecret,
		CodeLength: c.CodeLength, Send: c.Send, SendBy: c.SendBy, Tries: c.Tries, State: string(c.State), By: c.By,
		CreatedAt: c.CreatedAt, ExpiresAt: c.ExpiresAt, NextSendAt: c.NextSendAt, Device: c.Device,
		Locale: readable(c.Locale), TTLAt: c.ExpiresAt.Add(keptLonger),
	}
	if c.Reg != nil {
		d.Reg = &registrationDocument{
			Hash: c.Reg.PasswordHash, GivenName: readable(c.Reg.GivenName), FamilyName: readable(c.Reg.FamilyName),
		}
	}
	return d
}

func (d challengeDocument) challenge() issuer.Challenge {
	c := issuer.Challenge{
		ID: d.ID, Purpose: issuer.Purpose(d.Purpose), UserID: d.UserID, SID: d.SID, ClientID: d.ClientID, Ver: d.Ver,
		EmailRev: d.EmailRev, Address: d.Address, Decoy: d.Decoy, CodeMAC: d.CodeMAC, CodeSecret: d.CodeSecret,
		CodeLength: d.CodeLength, Send: d.Send, SendBy: d.SendBy, Tries: d.Tries, State: issuer.ChallengeState(d.State),
		By: d.By, CreatedAt: d.CreatedAt, ExpiresAt: d.ExpiresAt, NextSendAt: d.NextSendAt, Device: d.Device,
		Locale: d.Locale,
	}
	if d.Reg != nil {
		c.Reg = &issuer.Registration{PasswordHash: d.Reg.Hash, GivenName: d.Reg.GivenName, FamilyName: d.Reg.FamilyName}
	}
	return c
}

// InsertChallenge implements issuer.Challenges.
func (s *Store) InsertChallenge(ctx context.Context, c issuer.Challenge) error {
	return insert(ctx, s.challenges, "insert challenge", fromChallenge(c))
}

// Challenge implements issuer.Challenges.
func (s *Store) Challenge(ctx context.Context, id string) (issuer.Challenge, error) {
	d, err := read[challengeDocument](ctx, s.challenges, "read challenge", id)
	return d.challenge(), err
}

// changeChallenge is change for an open challenge.
func (s *Store) changeChallenge(ctx context.Context, what, id string, conditions, update bson.M) (issuer.Challenge, bool, error) {
	conditions["state"] = string(issuer.ChallengeOpen)
	d, ok, err := change[challengeDocument](ctx, s.challenges, what, id, conditions, update)
	return d.challenge(), ok, err
}

// CountTry implements issuer.Challenges. "Fewer than limit" is "has no entry number limit-1".
func (s *Store) CountTry(ctx context.Context, id string, p issuer.Purpose, att string, limit int, now time.Time) (issuer.Challenge, bool, error) {
	if limit <= 0 {
		return issuer.Challenge{}, false, nil
	}
	return s.changeChallenge(ctx, "count try", id, bson.M{
		"purpose": string(p), "expires_at": bson.M{"$gt": now},
		"tries": bson.M{"$ne": att}, fmt.Sprintf("tries.%d", limit-1): absent,
	}, bson.M{"$push": bson.M{"tries": att}})
}

// Resend implements issuer.Challenges.
func (s *Store) Resend(ctx context.Context, id string, r issuer.Resending, now time.Time) (issuer.Challenge, bool, error) {
	return s.changeChallenge(ctx, "resend code", id, bson.M{
		"expires_at": bson.M{"$gt": now}, "send": r.Send, "next_send_at": bson.M{"$lte": now},
	}, bson.M{"$set": bson.M{
		"send": r.Send + 1, "send_by": r.Att, "code_mac": r.CodeMAC, "code_secret": r.CodeSecret, "next_send_at": r.NextSendAt,
	}})
}

// FinishChallenge implements issuer.Challenges.
func (s *Store) FinishChallenge(ctx context.Context, id string, send int64, att string) (issuer.Challenge, bool, error) {
	return s.changeChallenge(ctx, "finish challenge", id, bson.M{"send": send},
		bson.M{"$set": bson.M{"state": string(issuer.ChallengeDone), "by": att}})
}
