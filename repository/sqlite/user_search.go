package sqlite

import (
	"context"
	"database/sql"
	"math"
	"strings"

	"signet/issuer"
)

// ListUsers implements issuer.Users.
//
// A list that no prefix narrows is walked in its order. A prefix is searched for chunk by chunk (user_lists.go). With both a prefix and a role or state
// either may be the rarer, and nobody knows which: walk and search take turns, each time for longer, until one of them has the page. Each goes
// on where it stopped, so the page costs a few times what the cheaper of them would have.
//
// One page may take several reads. Users keep their place in the order for as long as they live, and a chunk that is cut meanwhile
// moves them only to one that comes later: who belongs to the list all the while is met, and what was met lies before where the next read begins.
func (s *Store) ListUsers(ctx context.Context, q issuer.UserQuery, after issuer.Place, limit int) ([]issuer.User, error) {
	if limit <= 0 {
		return nil, nil
	}
	from := placeOf(after)
	list := listName(anyState, q.Role)
	if q.Disabled != nil {
		list = listName(stateName(*q.Disabled), q.Role)
	}
	if q.Prefix == "" {
		return s.walkUsers(ctx, list, from, limit)
	}
	walk := &userWalk{store: s, list: list, prefix: q.Prefix, place: from, limit: limit}
	search := &userSearch{store: s, prefix: q.Prefix, place: from, limit: limit}
	if q.Role == "" && q.Disabled == nil {
		err := search.turn(ctx, math.MaxInt)
		return search.found, err
	}
	search.list = list
	for rows := walkPage; ; rows *= 2 {
		if err := search.turn(ctx, rows); err != nil || search.done {
			return search.found, err
		}
		if err := walk.turn(ctx, rows); err != nil || walk.done {
			return walk.found, err
		}
	}
}

// place is where a list goes on, as it is stored.
type place struct {
	at int64
	id string
}

func placeOf(p issuer.Place) place {
	if p.ID == "" && p.At.IsZero() {
		return place{at: math.MinInt64}
	}
	return place{int64(stamp(p.At)), p.ID}
}

func placeOfUser(u *issuer.User) place { return place{int64(stamp(u.CreatedAt)), u.ID} }

func (p place) before(q place) bool { return p.at < q.at || p.at == q.at && p.id < q.id }

func (s *Store) walkUsers(ctx context.Context, list string, after place, limit int) ([]issuer.User, error) {
	return users.list(ctx, s, `SELECT u.id, u.doc FROM user_lists l CROSS JOIN users u ON u.id = l.id WHERE l.list = ? AND (l.created_at, l.id) > (?, ?)
		ORDER BY l.created_at, l.id LIMIT ?`, list, after.at, after.id, limit)
}

// walkPage is how many users are read at once where most of them are expected not to fit.
const walkPage = 128

// userWalk goes through a list and keeps whom the prefix fits.
type userWalk struct {
	store        *Store
	list, prefix string
	place        place
	limit        int
	found        []issuer.User
	done         bool
}

// turn reads up to rows users.
func (w *userWalk) turn(ctx context.Context, rows int) error {
	for ; rows > 0; rows -= walkPage {
		page, err := w.store.walkUsers(ctx, w.list, w.place, walkPage)
		if err != nil {
			return err
		}
		for i := range page {
			u := &page[i]
			w.place = placeOfUser(u)
			if begins(u, w.prefix) {
				w.found = append(w.found, *u)
			}
			if w.done = len(w.found) == w.limit; w.done {
				return nil
			}
		}
		if w.done = len(page) < walkPage; w.done {
			return nil
		}
	}
	return nil
}

func begins(u *issuer.User, prefix string) bool {
	for _, text := range searched(u) {
		if strings.HasPrefix(searchKey(text), prefix) {
			return true
		}
	}
	return false
}

// userSearch goes through the chunks that have terms with a prefix.
type userSearch struct {
	store        *Store
	list, prefix string // list "" is that of all
	place        place  // of the last user found, or where the page begins
	chunk        *place // where the last chunk read begins; nil before the first
	limit        int
	found        []issuer.User
	done         bool
}

// turn reads chunks for about as long as reading rows users takes: a chunk takes as long as a few users, and four of its terms as long as one.
func (w *userSearch) turn(ctx context.Context, rows int) error {
	for rows > 0 && !w.done {
		c, err := w.nextChunk(ctx)
		if err != nil {
			return err
		}
		if w.done = c.terms == 0; w.done {
			return nil
		}
		page, cost, err := w.readMembers(ctx, c)
		if err == nil && cost == 0 {
			cost = 4 + c.terms/4
			page, err = w.readChunk(ctx, c.n)
		}
		rows -= cost
		if err != nil {
			return err
		}
		if len(page) > 0 {
			u := &page[len(page)-1]
			w.place = placeOfUser(u)
		}
		w.found = append(w.found, page...)
		w.done = len(w.found) == w.limit
	}
	return nil
}

// termed is a chunk and how many terms with the prefix it has.
type termed struct {
	n     int64
	terms int
}

// beyond is above every text that begins with prefix.
func beyond(prefix string) string { return prefix + "\xff" }

// nextChunk finds the next chunk with terms that begin with the prefix; none after the last.
func (w *userSearch) nextChunk(ctx context.Context) (c termed, err error) {
	const first = `(at, id) >= (SELECT at, id FROM user_chunks WHERE (at, id) <= (?3, ?4) ORDER BY at DESC, id DESC LIMIT 1)`
	const next = `(at, id) > (?3, ?4)`
	where, from := first, w.place
	if w.chunk != nil {
		where, from = next, *w.chunk
	}
	err = readRows(ctx, w.store, func(rows *sql.Rows) error {
		w.chunk = new(place)
		return rows.Scan(&c.n, &w.chunk.at, &w.chunk.id, &c.terms)
	}, `SELECT n, at, id, (SELECT count(*) FROM user_terms WHERE chunk = n AND term >= ?1 AND term < ?2) FROM user_chunks WHERE `+where+`
		AND EXISTS (SELECT 1 FROM user_terms WHERE chunk = n AND term >= ?1 AND term < ?2) ORDER BY at, id LIMIT 1`, w.prefix, beyond(w.prefix), from.at, from.id)
	return c, err
}

// readMembers is what readChunk is, by way of those in the chunk who are on the list, if they are few beside the terms; it took as long as reading
// cost users. Else cost is 0.
func (w *userSearch) readMembers(ctx context.Context, c termed) (page []issuer.User, cost int, err error) {
	most := c.terms / 4
	if w.list == "" || most < walkPage/8 {
		return nil, 0, nil
	}
	from, end := w.place, place{at: math.MaxInt64}
	if from.before(*w.chunk) {
		from = place{w.chunk.at, w.chunk.id}
	}
	err = readRows(ctx, w.store, func(rows *sql.Rows) error { return rows.Scan(&end.at, &end.id) },
		`SELECT at, id FROM user_chunks WHERE (at, id) > (?, ?) ORDER BY at, id LIMIT 1`, w.chunk.at, w.chunk.id)
	if err != nil {
		return nil, 0, err
	}
	members, err := users.list(ctx, w.store, `SELECT u.id, u.doc FROM user_lists l CROSS JOIN users u ON u.id = l.id
		WHERE l.list = ? AND (l.created_at, l.id) >= (?, ?) AND (l.created_at, l.id) < (?, ?) ORDER BY l.created_at, l.id LIMIT ?`,
		w.list, from.at, from.id, end.at, end.id, most)
	if err != nil || len(members) == most {
		return nil, 0, err
	}
	for i := range members {
		u := &members[i]
		if w.place.before(placeOfUser(u)) && begins(u, w.prefix) && len(w.found)+len(page) < w.limit {
			page = append(page, *u)
		}
	}
	return page, 8 + len(members), nil
}

// readChunk is the users of a chunk who have such a term and are on the list.
func (w *userSearch) readChunk(ctx context.Context, n int64) ([]issuer.User, error) {
	args := []any{n, w.prefix, beyond(w.prefix), w.place.at, w.place.id}
	listed := ``
	if w.list != "" {
		listed = ` AND EXISTS (SELECT 1 FROM user_lists l WHERE l.list = ? AND l.created_at = t.created_at AND l.id = t.id)`
		args = append(args, w.list)
	}
	return users.list(ctx, w.store, `SELECT u.id, u.doc FROM (SELECT DISTINCT created_at, id FROM user_terms t WHERE chunk = ? AND term >= ? AND term < ?
		AND (created_at, id) > (?, ?)`+listed+` ORDER BY created_at, id LIMIT ?) f CROSS JOIN users u ON u.id = f.id ORDER BY f.created_at, f.id`,
		append(args, w.limit-len(w.found))...)
}
