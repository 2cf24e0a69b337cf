package issuer

import (
	"context"
	"strconv"
	"time"

	"signet/keys"
)

// openChallenge makes a challenge with a fresh code and mails it: the challenge first, then the mail, named by challenge and
// number. A crash between leaves a challenge whose `resend` makes the mail. A decoy, which can't succeed, takes the same steps: its mail tells the owner
// of the address or, where nobody is to be told, is dropped by the mail worker.

// opening is what a challenge is made from.
type opening struct {
	purpose  Purpose
	userID   string
	sid      string // of the caller's session; "" is a new one
	clientID string
	ver      int64
	emailRev int64
	address  string
	decoy    bool
	device   string
	locale   string
	reg      *Registration
}

func (p *Provider) openChallenge(ctx context.Context, who Requester, o opening, now time.Time) (Ticket, error) {
	secret, err := p.keys.MACSecret(keys.MACCode)
	if err != nil {
		return Ticket{}, keyTrouble(err)
	}
	length := p.codeLength(o.purpose)
	id, code := randomID(), newCode(length)
	c := Challenge{
		ID: challengeKey(id), Purpose: o.purpose, UserID: o.userID, SID: o.sid, ClientID: o.clientID, Ver: o.ver, EmailRev: o.emailRev,
		Address: o.address, Decoy: o.decoy, CodeSecret: secret.ID, CodeLength: length, Send: 1, State: ChallengeOpen,
		CreatedAt: now, ExpiresAt: now.Add(p.set.CodeTTL), NextSendAt: now.Add(p.set.ResendAfter), Device: o.device, Locale: o.locale, Reg: o.reg,
	}
	if c.SID == "" {
		c.SID = randomID()
	}
	c.CodeMAC = codeMAC(secret, c.ID, c.Purpose, c.Send, code)
	if err := done(ctx, func() error { return p.store.InsertChallenge(ctx, c) }); err != nil && !isExists(err) {
		return Ticket{}, err
	}
	if err := p.mailCode(ctx, who, c, code, now); err != nil {
		return Ticket{}, err
	}
	return ticket(id, c, now), nil
}

// codeLetters are the letters that carry a code.
var codeLetters = map[Purpose]LetterKind{
	PurposeRegister: LetterWelcome, PurposeLogin: LetterCode, PurposeReset: LetterReset, PurposeEmail: LetterEmailCode, PurposeStepUp: LetterStepUp,
}

// mailCode posts the code that the challenge holds now. A registration, or a change of address, to a taken address tells its owner instead; a reset of
// an account that there is not tells nobody: its letter, code and all, is laid out as any other and dropped.
func (p *Provider) mailCode(ctx context.Context, who Requester, c Challenge, code string, now time.Time) error {
	l := Letter{
		Kind: codeLetters[c.Purpose], To: c.Address, Locale: c.Locale, Code: code, ExpiresIn: seconds(c.ExpiresAt.Sub(now)), At: now,
		UserAgent: cut(who.UserAgent, 256), IP: who.IP,
	}
	e := postage{id: mailOf(c), challenge: c.ID, send: c.Send, giveUpAt: c.ExpiresAt}
	if c.Decoy {
		if e.drop = c.Purpose == PurposeReset; !e.drop {
			l.Kind, l.Code = LetterTaken, ""
		}
	}
	if err := p.post(ctx, l, e, now); err != nil {
		return err
	}
	p.auditCode(ctx, who, c, "code.sent", "code.sent:"+mailOf(c), now)
	return nil
}

// mailOf names the mail with the code that the challenge holds now.
func mailOf(c Challenge) string { return c.ID + "/" + strconv.FormatInt(c.Send, 10) }

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
