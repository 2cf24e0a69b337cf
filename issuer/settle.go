package issuer

import (
	"context"
	"errors"
	"time"
)

// Settle is one pass over what is recorded and not yet carried out: a crash leaves an effect on the document that decided it,
// and any replica's poll finishes it. It also reads the clients again. Each replica runs it every poll; two at once do no harm.
// It goes on past a document that fails and returns all failures.
func (p *Provider) Settle(ctx context.Context) error {
	began := p.now()
	return errors.Join(
		p.LoadClients(ctx),
		eachID(ctx, p.store.PendingUsers, func(id string) error { return p.withUser(ctx, id, began, p.sweep) }),
		eachID(ctx, p.store.ReleasingUsers, func(id string) error { return p.withUser(ctx, id, began, p.releaseAll) }),
		p.settleIdentifiers(ctx),
		p.settleNotices(ctx),
	)
}

const settlePage = 100

// eachID walks a list of ids to its end.
func eachID(ctx context.Context, list func(context.Context, string, int) ([]string, error), do func(string) error) error {
	var failed []error
	for after := ""; ; {
		ids, err := again(ctx, func() ([]string, error) { return list(ctx, after, settlePage) })
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, id := range ids {
			failed = append(failed, do(id))
			after = id
		}
		if len(ids) < settlePage {
			return errors.Join(failed...)
		}
	}
}

func (p *Provider) withUser(ctx context.Context, id string, began time.Time, do func(context.Context, User, time.Time) error) error {
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, id) })
	if err != nil {
		return err
	}
	return do(ctx, u, began)
}

func (p *Provider) settleIdentifiers(ctx context.Context) error {
	var failed []error
	for after := ""; ; {
		page, err := again(ctx, func() ([]Identifier, error) { return p.store.OpenIdentifiers(ctx, after, settlePage) })
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, i := range page {
			_, _, err := p.resolve(ctx, i)
			failed = append(failed, err)
			after = i.ID
		}
		if len(page) < settlePage {
			return errors.Join(failed...)
		}
	}
}

func (p *Provider) settleNotices(ctx context.Context) error {
	var failed []error
	for after := ""; ; {
		page, err := again(ctx, func() ([]Session, error) { return p.store.NoticeSessions(ctx, after, settlePage) })
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, s := range page {
			failed = append(failed, p.tellOfTheft(ctx, s))
			after = s.ID
		}
		if len(page) < settlePage {
			return errors.Join(failed...)
		}
	}
}
