package issuer

import (
	"context"
	"errors"
	"time"
)

// Settle is one pass over what is recorded and not yet carried out: a crash leaves an effect on the document that decided it,
// and any replica's poll finishes it. It also reads the clients and the kinds of password hashes again. Each replica runs it every poll; two at once do no harm.
// What one step leaves (a move that is finished leaves a release) a later one of the same pass ends. It goes on past a document that fails and returns
// all failures.
func (p *Provider) Settle(ctx context.Context) error {
	began := p.now()
	self := func(id string) string { return id }
	withUser := func(do func(context.Context, User, time.Time) error) func(string) error {
		return func(id string) error {
			u, err := again(ctx, func() (User, error) { return p.store.User(ctx, id) })
			if err != nil {
				return err
			}
			return do(ctx, u, began)
		}
	}
	return errors.Join(
		p.LoadClients(ctx),
		p.LoadHashKinds(ctx),
		eachRecorded(ctx, p.store.PendingUsers, self, withUser(p.sweep)),
		eachRecorded(ctx, p.store.OpenIdentifiers, func(i Identifier) string { return i.ID }, func(i Identifier) error {
			_, _, err := p.resolve(ctx, i)
			return err
		}),
		eachRecorded(ctx, p.store.ReleasingUsers, self, withUser(p.releaseAll)),
		eachRecorded(ctx, p.store.NoticeSessions, func(s Session) string { return s.ID }, func(s Session) error { return p.tellOfTheft(ctx, s) }),
	)
}

const settlePage = 100

// eachRecorded walks a list to its end, page by page, and does what is to be done for each of its documents.
func eachRecorded[T any](ctx context.Context, list func(context.Context, string, int) ([]T, error), id func(T) string, do func(T) error) error {
	var failed []error
	for after := ""; ; {
		page, err := again(ctx, func() ([]T, error) { return list(ctx, after, settlePage) })
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, doc := range page {
			failed = append(failed, do(doc))
			after = id(doc)
		}
		if len(page) < settlePage {
			return errors.Join(failed...)
		}
	}
}
