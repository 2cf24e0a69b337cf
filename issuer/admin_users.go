package issuer

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestSearch bounds what is searched for; nothing that is searched is longer.
const longestSearch = 254

// ListUsers lists accounts that are not deleted, in order of CreatedAt, ID. q.Prefix is as somebody typed it. limit is 1 to 200.
// Errors: invalid_request, forbidden, unavailable.
func (p *Provider) ListUsers(ctx context.Context, by Admin, q UserQuery, after Place, limit int) (Page[User], error) {
	if err := by.mayRead(); err != nil {
		return Page[User]{}, err
	}
	if !utf8.ValidString(q.Prefix) || utf8.RuneCountInString(q.Prefix) > longestSearch || strings.ContainsFunc(q.Prefix, unicode.IsControl) {
		return Page[User]{}, fields{{Field: "q", Message: "must be at most 254 characters, none of them a control character"}}.err()
	}
	if q.Role != "" {
		if err := checkRole(q.Role); err != nil {
			return Page[User]{}, fields{{Field: "role", Message: err.Error()}}.err()
		}
	}
	q.Prefix = SearchKey(strings.TrimSpace(q.Prefix))
	place := func(u User) Place { return Place{At: u.CreatedAt, ID: u.ID} }
	return pageOf(ctx, after, limit, place, func(after Place, limit int) ([]User, error) { return p.store.ListUsers(ctx, q, after, limit) })
}

// GetUser reads one account.
// Errors: not_found, also of a deleted one; forbidden, unavailable.
func (p *Provider) GetUser(ctx context.Context, by Admin, id string) (User, error) {
	if err := by.mayRead(); err != nil {
		return User{}, err
	}
	return p.liveUser(ctx, id)
}

// AdminCreateUser makes an account without a mailed code: an administrator vouches for the address. Without a password its owner chooses one by
// "forgot password", as the mail says that Invite sends.
// Errors: invalid_request, weak_password, conflict (email or username), step_up_required, forbidden, session_revoked, unavailable.
func (p *Provider) AdminCreateUser(ctx context.Context, by Admin, n NewUser) (User, error) {
	ctx, cancel := by.unhurried(ctx)
	defer cancel()
	now := p.now()
	n, err := p.checkNewUser(n)
	if err != nil {
		return User{}, err
	}
	if err := p.mayChange(ctx, by, now); err != nil {
		return User{}, err
	}
	return p.createUser(ctx, by, n, now)
}

// liveUser reads an account that is not deleted. What can't be an id is not asked of the store.
func (p *Provider) liveUser(ctx context.Context, id string) (User, error) {
	if !isID(id) {
		return User{}, errNoUser
	}
	u, err := again(ctx, func() (User, error) { return p.store.User(ctx, id) })
	if errors.Is(err, ErrNotFound) || (err == nil && u.State == UserDeleted) {
		return User{}, errNoUser
	}
	return u, err
}

// isID says whether a text can be the id of a user or a session: at most 64 printable ASCII characters.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
