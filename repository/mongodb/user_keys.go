package mongodb

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// Beside what a user is searched by lies the same text in the form in which it is compared, and beside its hash what computing that takes. Each key is
// absent where the text is empty, id_key never. Whatever sets a field sets its key in the same update.

// searchKeys are the fields that a search by prefix looks at.
var searchKeys = []string{"id_key", "email_key", "username_key", "given_key", "family_key"}

func searchKey(text string) string { return issuer.SearchKey(readable(text)) }

// putKey adds the key of a text to an update.
func putKey(set, unset bson.M, field, text string) {
	key := searchKey(text)
	put(set, unset, field, key, key != "")
}

// putHash adds a hash and its kind.
func putHash(set, unset bson.M, hash string) {
	set["hash"] = hash
	kind := issuer.HashKind(hash)
	put(set, unset, "hash_kind", kind, kind != "")
}

// put sets a field that is absent when there is nothing in it.
func put(set, unset bson.M, field string, value any, there bool) {
	if there {
		set[field] = value
	} else {
		unset[field] = ""
	}
}

// assigned is an update of what set and unset hold.
func assigned(set, unset bson.M) bson.M {
	update := bson.M{}
	if len(set) > 0 {
		update["$set"] = set
	}
	if len(unset) > 0 {
		update["$unset"] = unset
	}
	return update
}

// startsWith is the condition that a field begins with a prefix, as a range, which an index finds. false when none can.
func startsWith(prefix string) (bson.M, bool) {
	if readable(prefix) != prefix {
		return nil, false
	}
	runes := []rune(prefix)
	for len(runes) > 0 {
		end := len(runes) - 1
		if next := following(runes[end]); next > 0 {
			return bson.M{"$gte": prefix, "$lt": string(runes[:end]) + string(next)}, true
		}
		runes = runes[:end]
	}
	return bson.M{"$gte": prefix}, true
}

// following is the character after r in the order of UTF-8; 0 after the last.
func following(r rune) rune {
	switch r {
	case '\U0010FFFF':
		return 0
	case 0xD7FF:
		return 0xE000 // surrogates are between
	}
	return r + 1
}

// eitherBegins is the condition that one of the fields that are searched begins with a prefix.
func eitherBegins(prefix string) (bson.A, bool) {
	starts, possible := startsWith(prefix)
	var any bson.A
	for _, field := range searchKeys {
		any = append(any, bson.M{field: starts})
	}
	return any, possible
}

// family is the range of types that begin with one that ends in a dot.
func family(dotted string) bson.M {
	return bson.M{"$gte": dotted, "$lt": strings.TrimSuffix(dotted, ".") + "/"} // which follows the dot
}
