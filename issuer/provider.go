package issuer

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"signet/keys"
)

// Settings are the issuer's part of the configuration. All are required but the limits, whose zero allows all.
type Settings struct {
	Issuer   string   // `iss`, byte for byte
	Audience []string // of first-party access tokens; the issuer is added

	Skew time.Duration // most that a replica's clock may differ from the store's

	AccessTTL time.Duration
	AccessAlg keys.Algorithm
	AccessTyp string // `at+jwt` (RFC 9068), or `JWT` for verifiers that refuse it

	RefreshGrace    time.Duration // how long a superseded refresh token is answered with the current one
	RefreshIdle     time.Duration
	RefreshAbsolute time.Duration

	CodeTTL      time.Duration
	CodeLength   int
	CodeAttempts int
	ResendAfter  time.Duration

	LimitCodes     Limit // mails per address
	LimitGuesses   Limit // wrong codes per account
	LimitPasswords Limit // wrong passwords per account
	LimitSource    Limit // sign-in requests per network

	SimpleJWT bool // tokens also carry `token_type` and `user_id`
}

// Deps are what a Provider works with. All are required.
type Deps struct {
	Settings Settings
	Store    Store
	Keys     Keys
	Hasher   *Hasher
	Postman  Postman
	Observer Observer
	Log      zerolog.Logger
}

// Provider is the identity provider: one method a use case. It keeps no state of its own but caches; any number of replicas
// work on one store. Safe for concurrent use. Errors are *Error.
type Provider struct {
	set      Settings
	audience any // string or []string, as tokens say it
	store    Store
	keys     Keys
	hasher   *Hasher
	postman  Postman
	observe  Observer
	log      zerolog.Logger
	full     fullBudgets
	clients  atomic.Pointer[clientList]

	unanswered *unansweredRotations
}

// clientList is the registered clients as read at the last poll.
type clientList struct {
	byID       map[string]Client
	firstParty []string // ids of the enabled ones
}

// New returns a Provider that serves once LoadClients (or Settle) has run.
func New(d Deps) *Provider {
	p := &Provider{set: d.Settings, store: d.Store, keys: d.Keys, hasher: d.Hasher, postman: d.Postman, observe: d.Observer, log: d.Log, unanswered: newUnanswered()}
	p.audience = audience(d.Settings.Audience, d.Settings.Issuer)
	p.clients.Store(&clientList{})
	return p
}

// audience is the issuer and what else is configured: an array, or a plain string when they are one.
func audience(configured []string, issuer string) any {
	all := slices.Clone(configured)
	if !slices.Contains(all, issuer) {
		all = append(all, issuer)
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// now is the request's one reading of the clock, cut to what the store keeps.
func (p *Provider) now() time.Time { return p.keys.Now().UTC().Truncate(time.Millisecond) }

// LoadClients reads the registered clients; each replica does so every poll, so that disabling one takes a poll at most.
func (p *Provider) LoadClients(ctx context.Context) error {
	all, err := again(ctx, func() ([]Client, error) { return p.store.AllClients(ctx) })
	if err != nil {
		return err
	}
	l := &clientList{byID: make(map[string]Client, len(all))}
	for _, c := range all {
		l.byID[c.ID] = c
		if c.FirstParty && !c.Disabled {
			l.firstParty = append(l.firstParty, c.ID)
		}
	}
	p.clients.Store(l)
	return nil
}

// firstPartyClient is the client that a request of the first-party API names; "" is the one that every store has.
func (p *Provider) firstPartyClient(id string) (string, error) {
	if id == "" {
		id = FirstPartyID
	}
	c, ok := p.clients.Load().byID[id]
	if !ok || !c.FirstParty || c.Disabled {
		return "", errors.New("must be a registered first-party client")
	}
	return id, nil
}

// keyTrouble is what a failure of the key ring means for a caller.
func keyTrouble(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return unavailable(err)
}
