package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Mail leaves through the outbox: the letter is sealed, inserted under an id made from its cause and already leased to this
// replica, which tries at once, in the request's wake.

const (
	firstLease   = 30 * time.Second
	noticeLife   = 72 * time.Hour // how long a notice is worth delivering
	sealedOutbox = "outbox"
)

// postage is the envelope of a letter.
type postage struct {
	id        string // its cause
	challenge string
	send      int64
	giveUpAt  time.Time
	drop      bool // never to leave: made only so that the work is equal
}

func (p *Provider) post(ctx context.Context, l Letter, e postage, now time.Time) error {
	body, err := json.Marshal(l)
	if err != nil {
		return internal("encode letter", err)
	}
	sealed, err := p.keys.Seal(body, sealedOutbox, e.id)
	if err != nil {
		return internal("seal letter", err)
	}
	m := Mail{
		ID: e.id, Sealed: sealed, Drop: e.drop, Challenge: e.challenge, Send: e.send, CreatedAt: now, DueAt: now,
		LeaseUntil: now.Add(firstLease + p.set.Skew), By: randomID(), Tries: 1, GiveUpAt: e.giveUpAt,
	}
	err = done(ctx, func() error { return p.store.InsertMail(ctx, m) })
	if errors.Is(err, ErrExists) {
		return nil // made before, from the same cause; its lease is its maker's
	}
	if err != nil {
		return err
	}
	p.observe.MailQueued()
	p.postman.Dispatch(m)
	return nil
}
