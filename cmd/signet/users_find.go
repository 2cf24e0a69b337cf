package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signet/issuer"
)

// oneAccount is how the argument is called that findUser takes.
const oneAccount = "an id, e-mail address or username"

// findUser finds the account that an argument names: an id, an e-mail address or a username. `id:`, `email:` or `name:` in front says which, and has to
// where the argument names several accounts: a username may look like anybody's id.
func findUser(ctx context.Context, st issuer.Store, text string) (issuer.User, error) {
	ways := []struct {
		prefix string
		find   func(context.Context, issuer.Store, string) (issuer.User, bool, error)
	}{{"id:", accountWithID}, {"email:", accountWithEmail}, {"name:", accountWithName}}
	var found issuer.User
	for _, way := range ways {
		name, only := strings.CutPrefix(text, way.prefix)
		u, is, err := way.find(ctx, st, name)
		switch {
		case err != nil:
			return issuer.User{}, err
		case only && !is:
			return issuer.User{}, fmt.Errorf("there is no account %.254q", text)
		case only:
			return u, nil
		case is && found.ID != "" && found.ID != u.ID:
			return issuer.User{}, fmt.Errorf("%.254q names two accounts, %s and %s: put id:, email: or name: in front", text, found.ID, u.ID)
		case is:
			found = u
		}
	}
	if found.ID == "" {
		return issuer.User{}, fmt.Errorf("there is no account %.254q", text)
	}
	return found, nil
}

func accountWithID(ctx context.Context, st issuer.Store, id string) (issuer.User, bool, error) {
	u, err := st.User(ctx, id)
	if errors.Is(err, issuer.ErrNotFound) {
		return issuer.User{}, false, nil
	}
	return u, err == nil && u.State != issuer.UserDeleted, err
}

func accountWithEmail(ctx context.Context, st issuer.Store, email string) (issuer.User, bool, error) {
	canonical, err := issuer.CanonicalEmail(email)
	if err != nil {
		return issuer.User{}, false, nil
	}
	u, found, err := holderOf(ctx, st, issuer.EmailKey(canonical))
	return u, found && u.Email == canonical, err
}

func accountWithName(ctx context.Context, st issuer.Store, name string) (issuer.User, bool, error) {
	_, key, err := issuer.CanonicalUsername(name)
	if err != nil {
		return issuer.User{}, false, nil
	}
	u, found, err := holderOf(ctx, st, issuer.NameKey(key))
	if !found || err != nil {
		return u, false, err
	}
	_, has, err := issuer.CanonicalUsername(u.Username)
	return u, err == nil && has == key, nil
}

// holderOf is the account that an identifier points to. What a crash left half done is left as it is: whoever changes something resolves it.
func holderOf(ctx context.Context, st issuer.Store, identifier string) (issuer.User, bool, error) {
	i, err := st.Identifier(ctx, identifier)
	if errors.Is(err, issuer.ErrNotFound) {
		return issuer.User{}, false, nil
	}
	if err != nil {
		return issuer.User{}, false, err
	}
	return accountWithID(ctx, st, i.UserID)
}
