package issuer

import (
	"context"
	"strconv"
	"time"

	"signet/keys"
)

// openChallenge makes a challenge with a fresh code and mails it: the challenge first, then the mail, named by challenge and
// number. A crash between leaves a challenge whose `resend` makes the mail.

// opening is what a challenge is made from.
type opening struct {
	purpose  Purpose
	userID   string
	clientID string
	ver      int64
	emailRev int64
	address  string
	decoy    bool
	letter   LetterKind
	device   string
	locale   string
	reg      *Registration
}

func (p *Provider) openChallenge(ctx context.Context, who Requester, o opening, now time.Time) (Ticket, error) {
	secret, err := p.keys.MACSecret(keys.MACCode)
	if err != nil {
		return Ticket{}, keyTrouble(err)
	}
	id, code := randomID(), newCode(p.set.CodeLength)
	c := Challenge{
		ID: challengeKey(id), Purpose: o.purpose, UserID: o.userID, SID: randomID(), ClientID: o.clientID, Ver: o.ver, EmailRev: o.emailRev,
		Address: o.address, Decoy: o.decoy, CodeSecret: secret.ID, CodeLength: p.set.CodeLength, Send: 1, State: ChallengeOpen,
		CreatedAt: now, ExpiresAt: now.Add(p.set.CodeTTL), NextSendAt: now.Add(p.set.ResendAfter), Device: o.device, Locale: o.locale, Reg: o.reg,
	}
	c.CodeMAC = codeMAC(secret, c.ID, c.Purpose, c.Send, code)
	if err := done(ctx, func() error { return p.store.InsertChallenge(ctx, c) }); err != nil && !isExists(err) {
		return Ticket{}, err
	}
	if err := p.mailCode(ctx, who, c, o.letter, code, now); err != nil {
		return Ticket{}, err
	}
	return ticket(id, c, now), nil
}

// mailCode posts the code that the challenge holds now. A decoy's letter tells the owner of the address and holds no code.
func (p *Provider) mailCode(ctx context.Context, who Requester, c Challenge, kind LetterKind, code string, now time.Time) error {
	if c.Decoy {
		kind, code = LetterTaken, ""
	}
	l := Letter{
		Kind: kind, To: c.Address, Locale: c.Locale, Code: code, ExpiresIn: seconds(c.ExpiresAt.Sub(now)), At: now,
		UserAgent: cut(who.UserAgent, 256), IP: who.IP,
	}
	return p.post(ctx, l, postage{id: c.ID + "/" + strconv.FormatInt(c.Send, 10), challenge: c.ID, send: c.Send, giveUpAt: c.ExpiresAt}, now)
}

// ticket is what the holder of a challenge is told; it never depends on whether the account exists.
func ticket(id string, c Challenge, now time.Time) Ticket {
	return Ticket{
		ChallengeID: id, ExpiresIn: seconds(c.ExpiresAt.Sub(now)), ResendIn: seconds(c.NextSendAt.Sub(now)), CodeLength: c.CodeLength, Hint: emailHint(c.Address),
	}
}

// cut shortens a text that only informs people, on a rune boundary.
func cut(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	for bytes > 0 && s[bytes]&0xC0 == 0x80 {
		bytes--
	}
	return s[:bytes]
}
