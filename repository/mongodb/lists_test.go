package mongodb_test

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

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
	small := []string{"AllClients", "Heartbeats", "QueuedMails"} // the last counts by give_up_at, and has no order
	tried := map[string]bool{}
	for _, c := range commandCases {
		if !slices.Contains(lists, c.method) || slices.Contains(small, c.method) {
			continue
		}
		if err := c.call(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		for _, command := range sent.take() {
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
	for _, field := range namesOf(t, filter) {
		marker, _ := filter.Lookup(field, "$exists").BooleanOK()
		one := filter.Lookup(field).Type == bson.TypeString
		if (marker || one) && field != key[0] {
			return false
		}
		if marker {
			return true
		}
		if one {
			key = key[1:]
		}
	}
	return strings.Join(key, ",") == strings.Join(order, ",") && !filter.Lookup(key[0]).IsZero()
}
