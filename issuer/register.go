package issuer

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"
)

// Register asks for an account. Nothing of one exists before the mailed code is proven, so nothing can be squatted, and the account gets
// the password of whoever reads the mail. The answer and the work are the same for a taken address, whose owner is told.
//
//  1. Count the source and the address's mails; hash the password; look the address up.
//  2. Insert the challenge, with everything that the account will be made from.
//  3. Insert the mail.
//
// Errors: invalid_request, weak_password, rate_limited, unavailable.
func (p *Provider) Register(ctx context.Context, who Requester, r RegisterRequest) (Ticket, error) {
	t, err := p.register(ctx, who, r)
	p.observe.SignIn("register", stepOutcome("code_sent", err))
	return t, err
}

func (p *Provider) register(ctx context.Context, who Requester, r RegisterRequest) (Ticket, error) {
	now := p.now()
	email, reg, client, err := p.checkRegistration(r)
	if err != nil {
		return Ticket{}, err
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return Ticket{}, err
	}
	address, err := p.blind("address", email)
	if err != nil {
		return Ticket{}, err
	}
	budget, att := account{key: address}.budget("codes", PurposeRegister), randomID()
	if err := p.take(ctx, budget, att, p.set.LimitCodes, now); err != nil {
		return Ticket{}, err
	}
	t, err := p.openRegistration(ctx, who, r, email, client, reg, now)
	if err != nil {
		return Ticket{}, p.unjudged(ctx, budget, att, p.set.LimitCodes, err)
	}
	return t, nil
}

func (p *Provider) openRegistration(ctx context.Context, who Requester, r RegisterRequest, email, client string, reg Registration, now time.Time) (t Ticket, err error) {
	if reg.PasswordHash, err = p.hasher.Hash(ctx, r.Password); err != nil {
		return t, err
	}
	_, taken, err := p.owner(ctx, EmailKey(email))
	if err != nil {
		return t, err
	}
	o := opening{purpose: PurposeRegister, userID: newUserID(), clientID: client, address: email, decoy: taken, locale: who.Locale, reg: &reg}
	return p.openChallenge(ctx, who, o, now)
}

// checkRegistration says everything that is wrong with a request at once.
func (p *Provider) checkRegistration(r RegisterRequest) (email string, reg Registration, client string, err error) {
	var f fields
	email, err = CanonicalEmail(r.Email)
	f.check("email", err)
	reg.GivenName, err = cleanName(r.GivenName)
	f.check("given_name", err)
	reg.FamilyName, err = cleanName(r.FamilyName)
	f.check("family_name", err)
	client, err = p.firstPartyClient(r.ClientID)
	f.check("client_id", err)
	if err := f.err(); err != nil {
		return "", reg, "", err
	}
	return email, reg, client, checkPassword(normalPassword(r.Password), p.contextWords(email, reg.GivenName, reg.FamilyName)...)
}

// contextWords are what a guesser tries first.
func (p *Provider) contextWords(of ...string) []string {
	if u, err := url.Parse(p.set.Issuer); err == nil {
		of = append(of, u.Hostname())
	}
	return append(of, "signet")
}

// newUserID is a UUIDv7 in lower case.
func newUserID() string { return uuid.Must(uuid.NewV7()).String() }

func isExists(err error) bool { return errors.Is(err, ErrExists) }

// newAccount is the user that a proven registration makes.
func newAccount(c Challenge) User {
	return User{
		ID: c.UserID, State: UserActive, Email: c.Address, PasswordHash: c.Reg.PasswordHash, GivenName: c.Reg.GivenName, FamilyName: c.Reg.FamilyName,
		CreatedAt: c.CreatedAt,
	}
}
