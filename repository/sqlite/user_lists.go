package sqlite

import (
	"slices"
	"strings"

	"signet/issuer"
)

// What is kept beside a user so that lists of users are found in order of CreatedAt, ID. All of it is made from the document and written in the
// operation that writes that; a deleted user has none of it.
//
// user_lists holds a user once for each list: those of a state, those of a role, and those of both.
//
// user_terms is for searches by how something begins. The order of the list is cut into chunks of at most chunkUsers users who follow one
// another, and the terms of a chunk (id, address, username, names, as issuer.SearchKey) are sorted by themselves. A search goes from chunk to chunk
// and asks each by one step of the index whether it has such a term. Whatever the prefix, it costs no more than a step for each chunk and
// the terms of those chunks whose users it lists: neither a prefix that everybody has nor one that nobody has is dear, wherever in the order they are.
//
// Invariant: chunk n of user_chunks begins at its place (at, id) and ends before the next one's, and users is how many are in it.

const chunkUsers = 2048

// entry is what lists and searches know of a user.
type entry struct {
	at    int64
	id    string
	lists []string
	terms []string
}

// anyState, withState and withRole make the name of a list: a state and a role, of which either may be any.
const anyState = "*"

func listName(state, role string) string { return state + role }

func stateName(disabled bool) string {
	if disabled {
		return "-"
	}
	return "+"
}

// entryOf is nil for a user who is in no list.
func entryOf(u *issuer.User) *entry {
	if u == nil || u.State == issuer.UserDeleted {
		return nil
	}
	e := &entry{at: int64(stamp(u.CreatedAt)), id: u.ID}
	for _, role := range append([]string{""}, u.Roles...) {
		e.lists = append(e.lists, listName(anyState, role), listName(stateName(u.State == issuer.UserDisabled), role))
	}
	for _, text := range searched(u) {
		if text != "" {
			e.terms = append(e.terms, searchKey(text))
		}
	}
	slices.Sort(e.lists)
	slices.Sort(e.terms)
	e.lists, e.terms = slices.Compact(e.lists), slices.Compact(e.terms)
	return e
}

// searched is what a user is found by.
func searched(u *issuer.User) [5]string {
	return [5]string{u.ID, u.Email, u.Username, u.GivenName, u.FamilyName}
}

func searchKey(text string) string { return issuer.SearchKey(strings.ToValidUTF8(text, "\uFFFD")) }

// enlist brings lists and terms from what they were made of to what they are to be made of.
func enlist(x *tx, before, after *issuer.User) error {
	was, is := entryOf(before), entryOf(after)
	if was == nil && is == nil {
		return nil
	}
	if was == nil || is == nil || was.at != is.at {
		if err := drop(x, was, nil); err != nil {
			return err
		}
		return add(x, is, nil)
	}
	if err := drop(x, was, is); err != nil {
		return err
	}
	return add(x, is, was)
}

// drop takes away what e has and kept has not; with nil it leaves its chunk too.
func drop(x *tx, e, kept *entry) error {
	if e == nil {
		return nil
	}
	lists, terms := e.without(kept)
	for _, list := range lists {
		if _, err := x.exec(`DELETE FROM user_lists WHERE list = ? AND created_at = ? AND id = ?`, list, e.at, e.id); err != nil {
			return err
		}
	}
	if len(terms) == 0 && kept != nil {
		return nil
	}
	chunk, err := chunkOf(x, e.at, e.id)
	if err != nil {
		return err
	}
	for _, term := range terms {
		if _, err := x.exec(`DELETE FROM user_terms WHERE chunk = ? AND term = ? AND created_at = ? AND id = ?`, chunk, term, e.at, e.id); err != nil {
			return err
		}
	}
	if kept == nil {
		_, err = x.exec(`UPDATE user_chunks SET users = users - 1 WHERE n = ?`, chunk)
	}
	return err
}

// add adds what e has and had has not; with nil it takes a place in a chunk first.
func add(x *tx, e, had *entry) error {
	if e == nil {
		return nil
	}
	lists, terms := e.without(had)
	for _, list := range lists {
		if _, err := x.exec(`INSERT INTO user_lists (list, created_at, id) VALUES (?, ?, ?)`, list, e.at, e.id); err != nil {
			return err
		}
	}
	if len(terms) == 0 {
		return nil
	}
	find := chunkOf
	if had == nil {
		find = joinChunk
	}
	chunk, err := find(x, e.at, e.id)
	if err != nil {
		return err
	}
	for _, term := range terms {
		if _, err := x.exec(`INSERT INTO user_terms (chunk, term, created_at, id) VALUES (?, ?, ?, ?)`, chunk, term, e.at, e.id); err != nil {
			return err
		}
	}
	return nil
}

// without is what e has and other, which may be nil, has not.
func (e *entry) without(other *entry) (lists, terms []string) {
	if other == nil {
		return e.lists, e.terms
	}
	return minus(e.lists, other.lists), minus(e.terms, other.terms)
}

func minus(a, b []string) (left []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			left = append(left, s)
		}
	}
	return left
}
