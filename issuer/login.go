package issuer

import (
	"context"
	"time"
)

// Login is the password step. It gives no token: only a challenge, whose code is mailed to the account's address.
//
//  1. Count the source; look the identifier up; one read of the user gives hash, Ver and EmailRev together.
//  2. Count the account's wrong passwords before hashing; give the count back when the password is right.
//  3. Insert the challenge with what was read, then the mail.
//
// An unknown identifier costs the same hash and the same store operations, and gets the same answer. Whoever has the right password is told when the
// account waits for a new one.
// Errors: invalid_request, invalid_credentials, password_reset_required, rate_limited, unavailable.
func (p *Provider) Login(ctx context.Context, who Requester, r LoginRequest) (Ticket, error) {
	t, err := p.login(ctx, who, r)
	p.observe.SignIn("password", stepOutcome("code_sent", err))
	return t, err
}

func (p *Provider) login(ctx context.Context, who Requester, r LoginRequest) (Ticket, error) {
	now := p.now()
	identifier, client, err := p.checkLogin(r)
	if err != nil {
		return Ticket{}, err
	}
	if err := p.takeSource(ctx, who, now); err != nil {
		return Ticket{}, err
	}
	u, found, err := p.owner(ctx, identifier)
	if err != nil {
		return Ticket{}, err
	}
	acct, err := p.loginAccount(ctx, r, identifier, u, found, now)
	if err != nil {
		return Ticket{}, err
	}
	if err := p.checkStoredPassword(ctx, acct, u, found, r.Password, now); err != nil {
		if KindOf(err) == KindInvalidCredentials {
			p.auditRefusal(ctx, who, u.ID, client, "password", now)
		}
		return Ticket{}, err
	}
	if u.ResetRequired {
		p.auditResetRequired(ctx, who, u.ID, client, now)
		return Ticket{}, errPasswordResetRequired
	}
	budget, att := acct.budget("codes", PurposeLogin), randomID()
	if err := p.take(ctx, budget, att, p.set.LimitCodes, now); err != nil {
		return Ticket{}, err
	}
	o := opening{
		purpose: PurposeLogin, userID: u.ID, clientID: client, ver: u.Ver, emailRev: u.EmailRev, address: u.Email,
		device: acct.device, locale: localeOf(u, who),
	}
	t, err := p.openChallenge(ctx, who, o, now)
	if err != nil {
		return Ticket{}, p.unjudged(ctx, budget, att, p.set.LimitCodes, err)
	}
	return t, nil
}

// checkLogin turns a request into the identifier that it names and the client.
func (p *Provider) checkLogin(r LoginRequest) (identifier, client string, err error) {
	var f fields
	switch {
	case (r.Email == "") == (r.Username == ""):
		f.add("email", "give either email or username")
	case r.Email != "":
		var email string
		email, err = CanonicalEmail(r.Email)
		f.check("email", err)
		identifier = EmailKey(email)
	default:
		var key string
		_, key, err = CanonicalUsername(r.Username)
		f.check("username", err)
		identifier = NameKey(key)
	}
	checkOwnPassword(&f, "password", r.Password)
	client, err = p.firstPartyClient(r.ClientID)
	f.check("client_id", err)
	return identifier, client, f.err()
}

// loginAccount is whose budgets a sign-in counts against: the user's, or those of an identifier that nobody has.
func (p *Provider) loginAccount(ctx context.Context, r LoginRequest, identifier string, u User, found bool, now time.Time) (account, error) {
	device := p.knownDevice(ctx, r.DeviceToken, u.ID, now) // looked at for an unknown account too: the work is the same
	if found {
		return account{key: u.ID, device: device}, nil
	}
	key, err := p.blind("identifier", identifier)
	return account{key: key}, err
}

// checkStoredPassword compares with the hash of an account that may sign in, and with none of any other.
func (p *Provider) checkStoredPassword(ctx context.Context, a account, u User, found bool, password string, now time.Time) error {
	stored := ""
	if found && u.State == UserActive {
		stored = u.PasswordHash
	}
	if err := p.checkCounted(ctx, a.budget("passwords", PurposeLogin), stored, password, now); err != nil {
		return err
	}
	return p.rehash(ctx, u, password)
}

// checkCounted counts, compares, and gives the count back when the password is right. stored may be "".
func (p *Provider) checkCounted(ctx context.Context, budget, stored, password string, now time.Time) error {
	att := randomID()
	if err := p.take(ctx, budget, att, p.set.LimitPasswords, now); err != nil {
		return err
	}
	match, err := p.hasher.Verify(ctx, stored, password)
	if err != nil {
		return p.unjudged(ctx, budget, att, p.set.LimitPasswords, err)
	}
	if !match {
		return errInvalidCredentials
	}
	return p.giveBack(ctx, budget, att, p.set.LimitPasswords)
}

// rehash brings an old hash to today's cost, unless the password was changed meanwhile.
func (p *Provider) rehash(ctx context.Context, u User, password string) error {
	if !p.hasher.Outdated(u.PasswordHash) {
		return nil
	}
	next, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	_, err = again(ctx, func() (bool, error) { return p.store.RehashPassword(ctx, u.ID, u.PasswordHash, next) })
	return err
}

// auditResetRequired records a sign-in that ends here, once an hour: no budget bounds how often a right password is given.
func (p *Provider) auditResetRequired(ctx context.Context, who Requester, userID, client string, now time.Time) {
	id := "sign_in.failed:reset_required:" + userID + ":" + now.Truncate(time.Hour).Format(time.RFC3339)
	p.audit(ctx, AuditEvent{
		ID: id, Type: "sign_in.failed", At: now, Target: userID, ClientID: client, Source: who.IP, RequestID: who.RequestID,
		Detail: "password reset required; the first of the hour",
	})
}

// stepOutcome is what a step of a sign-in is counted as.
func stepOutcome(ok string, err error) string {
	if err != nil {
		return string(KindOf(err))
	}
	return ok
}

// localeOf is the language a user is written to in.
func localeOf(u User, who Requester) string {
	if u.Locale != "" {
		return u.Locale
	}
	return who.Locale
}
