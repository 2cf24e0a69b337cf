package conformance

import (
	"context"
	"slices"
	"testing"
	"time"

	"signet/issuer"
)

func sampleChallenge() issuer.Challenge {
	return issuer.Challenge{
		ID: newID("challenge"), Purpose: issuer.PurposeLogin, UserID: "user-1", SID: "sid-1", ClientID: issuer.FirstPartyID, Ver: 4,
		EmailRev: 2, Address: "zoë@example.com", Decoy: true, CodeMAC: []byte{0, 1, 2, 255}, CodeSecret: "s1", CodeLength: 6,
		Send: 1, SendBy: "resend-1", Tries: []string{"t1", "t2"}, State: issuer.ChallengeOpen, By: "by-1", CreatedAt: base,
		ExpiresAt: after(10 * time.Minute), NextSendAt: after(time.Minute), Device: "device-1", Locale: "fr",
		Reg: &issuer.Registration{PasswordHash: "$argon2id$", GivenName: unicodeText, FamilyName: "x"},
	}
}

func challenges(t *testing.T, s Store) {
	read := func(ctx context.Context, c issuer.Challenge) (issuer.Challenge, error) { return s.Challenge(ctx, c.ID) }
	small := issuer.Challenge{ID: newID("challenge"), Purpose: issuer.PurposeRegister, State: issuer.ChallengeOpen, CodeMAC: []byte{}, ExpiresAt: after(time.Minute)}
	inserting(t, s.InsertChallenge, read, func(c *issuer.Challenge) { c.UserID = "other" }, whole(t, sampleChallenge()), small)
	countTry(t, s)
	resend(t, s)
	finish(t, s)
}

// challengeMethod fills in how challenges are inserted and read.
func challengeMethod[A any](s Store, m method[issuer.Challenge, A]) method[issuer.Challenge, A] {
	m.insert = s.InsertChallenge
	m.read = func(ctx context.Context, c issuer.Challenge) (issuer.Challenge, error) { return s.Challenge(ctx, c.ID) }
	return m
}

func countTry(t *testing.T, s Store) {
	type args struct {
		purpose issuer.Purpose
		att     string
		limit   int
		now     time.Time
	}
	challengeMethod(s, method[issuer.Challenge, args]{
		name:  "CountTry",
		fresh: func() (issuer.Challenge, args) { return sampleChallenge(), args{issuer.PurposeLogin, "t3", 3, base} },
		call: func(ctx context.Context, c issuer.Challenge, a args) (*issuer.Challenge, bool, error) {
			return found(s.CountTry(ctx, c.ID, a.purpose, a.att, a.limit, a.now))
		},
		effect: func(c issuer.Challenge, a args) *issuer.Challenge {
			c.Tries = append(slices.Clone(c.Tries), a.att)
			return &c
		},
		cases: []variant[issuer.Challenge, args]{
			{name: "the first", doc: func(c *issuer.Challenge) { c.Tries = nil }, hit: true},
			{name: "the first of one", doc: func(c *issuer.Challenge) { c.Tries = nil }, arg: func(a *args) { a.limit = 1 }, hit: true},
			{name: "just before it expires", arg: func(a *args) { a.now = after(10*time.Minute - ms) }, hit: true},
			{name: "when it expires", arg: func(a *args) { a.now = after(10 * time.Minute) }},
			{name: "after it expires", arg: func(a *args) { a.now = after(11 * time.Minute) }},
			{name: "done", doc: func(c *issuer.Challenge) { c.State = issuer.ChallengeDone }},
			{name: "another purpose", arg: func(a *args) { a.purpose = issuer.PurposeReset }},
			{name: "counted before", arg: func(a *args) { a.att, a.limit = "t1", 10 }},
			{name: "at the limit", arg: func(a *args) { a.limit = 2 }},
			{name: "beyond the limit", arg: func(a *args) { a.limit = 1 }},
		},
	}).run(t)
}

func resend(t *testing.T, s Store) {
	type args struct {
		r   issuer.Resending
		now time.Time
	}
	challengeMethod(s, method[issuer.Challenge, args]{
		name: "Resend",
		fresh: func() (issuer.Challenge, args) {
			r := issuer.Resending{Send: 1, CodeMAC: []byte{9, 8, 7}, CodeSecret: "s2", NextSendAt: after(2 * time.Minute), Att: "resend-2"}
			return sampleChallenge(), args{r, after(time.Minute)}
		},
		call: func(ctx context.Context, c issuer.Challenge, a args) (*issuer.Challenge, bool, error) {
			return found(s.Resend(ctx, c.ID, a.r, a.now))
		},
		effect: func(c issuer.Challenge, a args) *issuer.Challenge {
			c.Send, c.SendBy, c.CodeMAC, c.CodeSecret, c.NextSendAt = a.r.Send+1, a.r.Att, a.r.CodeMAC, a.r.CodeSecret, a.r.NextSendAt
			return &c
		},
		cases: []variant[issuer.Challenge, args]{
			{name: "long after", arg: func(a *args) { a.now = after(10*time.Minute - ms) }, hit: true},
			{name: "too early", arg: func(a *args) { a.now = after(time.Minute - ms) }},
			{name: "when it expires", arg: func(a *args) { a.now = after(10 * time.Minute) }},
			{name: "after it expires", arg: func(a *args) { a.now = after(11 * time.Minute) }},
			{name: "done", doc: func(c *issuer.Challenge) { c.State = issuer.ChallengeDone }},
			{name: "a later mail is out", doc: func(c *issuer.Challenge) { c.Send = 2 }},
			{name: "an earlier mail is out", doc: func(c *issuer.Challenge) { c.Send = 0 }},
		},
	}).run(t)
}

func finish(t *testing.T, s Store) {
	type args struct {
		send int64
		att  string
	}
	challengeMethod(s, method[issuer.Challenge, args]{
		name:  "FinishChallenge",
		fresh: func() (issuer.Challenge, args) { return sampleChallenge(), args{1, "mine"} },
		call: func(ctx context.Context, c issuer.Challenge, a args) (*issuer.Challenge, bool, error) {
			return found(s.FinishChallenge(ctx, c.ID, a.send, a.att))
		},
		effect: func(c issuer.Challenge, a args) *issuer.Challenge {
			c.State, c.By = issuer.ChallengeDone, a.att
			return &c
		},
		cases: []variant[issuer.Challenge, args]{
			// The try was counted in time; a finish that comes late is still one.
			{name: "expired", doc: func(c *issuer.Challenge) { c.ExpiresAt = after(-time.Hour) }, hit: true},
			{name: "done", doc: func(c *issuer.Challenge) { c.State = issuer.ChallengeDone }},
			{name: "a later mail is out", doc: func(c *issuer.Challenge) { c.Send = 2 }},
			{name: "an earlier mail is out", doc: func(c *issuer.Challenge) { c.Send = 0 }},
		},
	}).run(t)
}
