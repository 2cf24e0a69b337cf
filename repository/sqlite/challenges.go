package sqlite

import (
	"context"
	"slices"
	"time"

	"signet/issuer"
)

type challengeDoc struct {
	Purpose    issuer.Purpose        `json:"purpose"`
	UserID     string                `json:"user_id,omitempty"`
	SID        string                `json:"sid,omitempty"`
	ClientID   string                `json:"client_id,omitempty"`
	Ver        int64                 `json:"ver,omitempty"`
	EmailRev   int64                 `json:"email_rev,omitempty"`
	Address    string                `json:"address,omitempty"`
	Decoy      bool                  `json:"decoy,omitempty"`
	CodeMAC    []byte                `json:"code_mac,omitempty"`
	CodeSecret string                `json:"code_secret,omitempty"`
	CodeLength int                   `json:"code_length,omitempty"`
	Send       int64                 `json:"send,omitempty"`
	SendBy     string                `json:"send_by,omitempty"`
	Tries      []string              `json:"tries,omitempty"`
	State      issuer.ChallengeState `json:"state"`
	By         string                `json:"by,omitempty"`
	CreatedAt  millis                `json:"created_at,omitempty"`
	ExpiresAt  millis                `json:"expires_at,omitempty"`
	NextSendAt millis                `json:"next_send_at,omitempty"`
	Device     string                `json:"device,omitempty"`
	Locale     string                `json:"locale,omitempty"`
	Reg        *registrationDoc      `json:"reg,omitempty"`
}

type registrationDoc struct {
	PasswordHash string `json:"hash,omitempty"`
	GivenName    string `json:"given_name,omitempty"`
	FamilyName   string `json:"family_name,omitempty"`
}

func packChallenge(c *issuer.Challenge) challengeDoc {
	return challengeDoc{
		Purpose: c.Purpose, UserID: c.UserID, SID: c.SID, ClientID: c.ClientID, Ver: c.Ver, EmailRev: c.EmailRev, Address: c.Address,
		Decoy: c.Decoy, CodeMAC: c.CodeMAC, CodeSecret: c.CodeSecret, CodeLength: c.CodeLength, Send: c.Send, SendBy: c.SendBy,
		Tries: c.Tries, State: c.State, By: c.By, CreatedAt: stamp(c.CreatedAt), ExpiresAt: stamp(c.ExpiresAt),
		NextSendAt: stamp(c.NextSendAt), Device: c.Device, Locale: c.Locale, Reg: (*registrationDoc)(c.Reg),
	}
}

func openChallenge(id string, d *challengeDoc) issuer.Challenge {
	return issuer.Challenge{
		ID: id, Purpose: d.Purpose, UserID: d.UserID, SID: d.SID, ClientID: d.ClientID, Ver: d.Ver, EmailRev: d.EmailRev, Address: d.Address,
		Decoy: d.Decoy, CodeMAC: d.CodeMAC, CodeSecret: d.CodeSecret, CodeLength: d.CodeLength, Send: d.Send, SendBy: d.SendBy,
		Tries: d.Tries, State: d.State, By: d.By, CreatedAt: d.CreatedAt.time(), ExpiresAt: d.ExpiresAt.time(),
		NextSendAt: d.NextSendAt.time(), Device: d.Device, Locale: d.Locale, Reg: (*issuer.Registration)(d.Reg),
	}
}

var challenges = newCollection("challenges", []string{"ttl_at"},
	func(c *issuer.Challenge) []any { return []any{ttl(c.ExpiresAt)} },
	packChallenge, openChallenge)

// InsertChallenge implements issuer.Challenges.
func (s *Store) InsertChallenge(ctx context.Context, c issuer.Challenge) error {
	return challenges.insert(ctx, s, c.ID, &c)
}

// Challenge implements issuer.Challenges.
func (s *Store) Challenge(ctx context.Context, id string) (issuer.Challenge, error) {
	return challenges.read(ctx, s, id)
}

// CountTry implements issuer.Challenges.
func (s *Store) CountTry(ctx context.Context, id string, p issuer.Purpose, att string, limit int, now time.Time) (issuer.Challenge, bool, error) {
	return challenges.update(ctx, s, id, func(c *issuer.Challenge) bool {
		if c.Purpose != p || c.State != issuer.ChallengeOpen || !c.ExpiresAt.After(now) {
			return false
		}
		if slices.Contains(c.Tries, att) || len(c.Tries) >= limit {
			return false
		}
		c.Tries = append(c.Tries, att)
		return true
	})
}

// Resend implements issuer.Challenges.
func (s *Store) Resend(ctx context.Context, id string, r issuer.Resending, now time.Time) (issuer.Challenge, bool, error) {
	return challenges.update(ctx, s, id, func(c *issuer.Challenge) bool {
		if c.State != issuer.ChallengeOpen || !c.ExpiresAt.After(now) || c.Send != r.Send || c.NextSendAt.After(now) {
			return false
		}
		c.Send, c.SendBy = r.Send+1, r.Att
		c.CodeMAC, c.CodeSecret, c.NextSendAt = r.CodeMAC, r.CodeSecret, cut(r.NextSendAt)
		return true
	})
}

// FinishChallenge implements issuer.Challenges.
func (s *Store) FinishChallenge(ctx context.Context, id string, send int64, att string) (issuer.Challenge, bool, error) {
	return challenges.update(ctx, s, id, func(c *issuer.Challenge) bool {
		if c.State != issuer.ChallengeOpen || c.Send != send {
			return false
		}
		c.State, c.By = issuer.ChallengeDone, att
		return true
	})
}
