package issuer

import (
	"context"
	"errors"
	"fmt"
)

// restoreUsers is step 5 of a restore. A backup that was not made at one moment can have a user without the identifier of its address, because
// the address moved while it was made. Such a user gets it, unless another user has it by now: at most one active user may have an
// address, so that the one without is disabled, for the operator to look at.
func (r *restore) restoreUsers(ctx context.Context) error {
	for after := (Place{}); ; {
		page, err := again(ctx, func() ([]User, error) { return r.store.ListUsers(ctx, UserQuery{}, after, restorePage) })
		if err != nil {
			return err
		}
		for _, u := range page {
			after = Place{At: u.CreatedAt, ID: u.ID}
			if err := r.restoreUser(ctx, u); err != nil {
				return fmt.Errorf("user %s: %w", u.ID, err)
			}
			r.sum.Users++
		}
		r.Progress("users checked", r.sum.Users)
		if len(page) < restorePage {
			return nil
		}
	}
}

func (r *restore) restoreUser(ctx context.Context, u User) error {
	lost, err := r.regain(ctx, u, EmailKey(u.Email))
	if err != nil {
		return err
	}
	if lost {
		r.sum.Conflicts = append(r.sum.Conflicts, u.ID)
		if u, err = r.setAside(ctx, u); err != nil {
			return err
		}
	}
	if name := nameIdentifier(u.Username); name != "" {
		lostName, err := r.regain(ctx, u, name)
		if err != nil {
			return err
		}
		if lostName {
			if u, err = r.giveUpName(ctx, u, lost); err != nil {
				return err
			}
		}
	}
	return r.sweep(ctx, u, r.began)
}

// regain makes sure that the user has an identifier, which was resolved before; lost when another has it.
func (r *restore) regain(ctx context.Context, u User, id string) (lost bool, err error) {
	for range 8 {
		i, err := again(ctx, func() (Identifier, error) { return r.store.Identifier(ctx, id) })
		if err == nil {
			return i.UserID != u.ID, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return false, err
		}
		err = done(ctx, func() error {
			return r.store.InsertIdentifier(ctx, Identifier{ID: id, UserID: u.ID, Claim: randomID(), Kind: IdentifierFirm})
		})
		if err == nil {
			r.sum.Inserted++
			return false, nil
		}
		if !errors.Is(err, ErrExists) { // by this very write, whose answer was lost; else by somebody who should not be there
			return false, err
		}
	}
	return false, unavailable(errors.New("an identifier changes while the store is restored"))
}

// setAside disables an active user.
func (r *restore) setAside(ctx context.Context, u User) (User, error) {
	if u.State != UserActive {
		return u, nil
	}
	return r.act(ctx, u, randomID(), r.now(), func(u User) (Act, error) {
		return Act{State: UserDisabled, EndAll: RevokedDisabled}, nil
	})
}

// giveUpName takes a username away that another user has. One that is disabled keeps it, unused: it can't move.
func (r *restore) giveUpName(ctx context.Context, u User, counted bool) (User, error) {
	if !counted {
		r.sum.Conflicts = append(r.sum.Conflicts, u.ID)
	}
	if u.State != UserActive {
		return u, nil
	}
	return r.rename(ctx, u, "", r.now())
}
