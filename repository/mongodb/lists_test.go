package mongodb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

// TestEveryListHasAnIndex: the list of every port is found, in its order and from where a page begins, by `_id` or an index that is there. Lists of
// marked documents are found by the marker, and the few there are sorted. Collections of few documents may be read whole.
func TestEveryListHasAnIndex(t *testing.T) {
	uri := mongotest.URI(t)
	open(t, uri, mongodb.Options{})
	_, s, sent := elected(t, uri)
	db := raw(t, uri)
	small := []string{"AllClients", "Heartbeats", "QueuedMails", "Counts"} // the last two count, and have no order
	tried := map[string]bool{}
	for _, c := range commandCases {
		if !slices.Contains(lists, c.method) || slices.Contains(small, c.method) {
			continue
		}
		if err := c.call(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		for _, command := range sent.take() {
			if nameOf(command) != "find" {
				continue
			}
			tried[c.method] = true
			collection, _ := command.Lookup("find").StringValueOK()
			keys := [][]string{{"_id"}}
			cursor, err := db.Collection(collection).Indexes().List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var found []bson.Raw
			if err := cursor.All(t.Context(), &found); err != nil {
				t.Fatal(err)
			}
			for _, index := range found {
				keys = append(keys, namesOf(t, index.Lookup("key").Document()))
			}
			if !slices.ContainsFunc(keys, func(key []string) bool { return serves(t, key, command) }) {
				t.Errorf("%s: none of the indexes %v serves %v", c.method, keys, command)
			}
		}
	}
	if len(tried) != len(lists)-len(small) {
		t.Errorf("tried %v", tried)
	}
}

func namesOf(t *testing.T, d bson.Raw) (names []string) {
	t.Helper()
	elements, err := d.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		names = append(names, e.Key())
	}
	return names
}

// serves says whether an index on key finds what the command lists: where the filter holds a field to one value or asks for a marker, by that
// field.
func serves(t *testing.T, key []string, command bson.Raw) bool {
	filter, order := command.Lookup("filter").Document(), namesOf(t, command.Lookup("sort").Document())
	held := map[string]bool{}
	for _, field := range namesOf(t, filter) {
		if marker, _ := filter.Lookup(field, "$exists").BooleanOK(); marker {
			return field == key[0]
		}
		switch filter.Lookup(field).Type {
		case bson.TypeString, bson.TypeBoolean, bson.TypeNull:
			held[field] = true
		}
	}
	for len(key) > 0 && held[key[0]] {
		delete(held, key[0])
		key = key[1:]
	}
	return len(held) == 0 && len(key) > 0 && strings.Join(key, ",") == strings.Join(order, ",") && !filter.Lookup(key[0]).IsZero()
}

// TestSearchIsServedByIndexes: what is searched by how it begins, and lists of one user or role, never read a whole collection. It asks the server for its plan.
func TestSearchIsServedByIndexes(t *testing.T) {
	if mongotest.Substitute(t) {
		t.Skip("this server does not explain: which index it uses can't be seen")
	}
	uri := mongotest.URI(t)
	open(t, uri, mongodb.Options{})
	_, s, sent := elected(t, uri)
	db := raw(t, uri)
	no := false
	for i := range 300 {
		u := issuer.User{ID: fmt.Sprintf("%08d", i), State: issuer.UserActive, Email: fmt.Sprintf("user%d@example.org", i), CreatedAt: noon}
		if err := s.InsertUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	sent.take()
	for name, call := range map[string]func() error{
		"prefix": func() error {
			return ignore(s.ListUsers(t.Context(), issuer.UserQuery{Prefix: "user29"}, issuer.Place{}, 50))
		},
		"role": func() error {
			return ignore(s.ListUsers(t.Context(), issuer.UserQuery{Role: "admin"}, issuer.Place{}, 50))
		},
		"enabled": func() error {
			return ignore(s.ListUsers(t.Context(), issuer.UserQuery{Disabled: &no}, issuer.Place{}, 50))
		},
		"sessions": func() error {
			return ignore(s.ListSessions(t.Context(), issuer.SessionQuery{Now: noon}, issuer.Place{}, 50))
		},
		"sessions of a user": func() error {
			return ignore(s.ListSessions(t.Context(), issuer.SessionQuery{UserID: "u", Now: noon}, issuer.Place{}, 50))
		},
		"audit": func() error { return ignore(s.ListAudit(t.Context(), issuer.AuditQuery{}, issuer.Place{}, 50)) },
		"audit of a user": func() error {
			return ignore(s.ListAudit(t.Context(), issuer.AuditQuery{UserID: "u"}, issuer.Place{}, 50))
		},
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
		for _, command := range sent.take() {
			find := bson.D{}
			for _, field := range []string{"find", "filter", "sort", "limit"} {
				if v := command.Lookup(field); !v.IsZero() {
					find = append(find, bson.E{Key: field, Value: v})
				}
			}
			plan, err := db.RunCommand(t.Context(), bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
			if err != nil {
				t.Fatal(err)
			}
			winning := plan.Lookup("queryPlanner", "winningPlan").String()
			if !strings.Contains(winning, "IXSCAN") || strings.Contains(winning, "COLLSCAN") {
				t.Errorf("%s is run as %s", name, winning)
			}
		}
	}
}
