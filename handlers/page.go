package handlers

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signet/issuer"
)

// listKind is whose places a cursor names, its first byte: a cursor of one list means nothing to another.
type listKind byte

const (
	listOfUsers    listKind = 'u'
	listOfSessions listKind = 's'
	listOfAudit    listKind = 'a'
)

// page is the part of a list that is wanted.
type page struct {
	after issuer.Place
	limit int
}

// listJSON is a page of a list as the API shows it.
type listJSON[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"` // null at the end
}

func listAnswer[T, J any](of listKind, p issuer.Page[T], show func(T) J) answer {
	list := listJSON[J]{Items: make([]J, 0, len(p.Items))}
	for _, item := range p.Items {
		list.Items = append(list.Items, show(item))
	}
	if p.Next != nil {
		c := cursor(of, *p.Next)
		list.NextCursor = &c
	}
	return answer{http.StatusOK, list}
}

// longestPlaceID bounds a cursor; the ids of what is listed are shorter.
const longestPlaceID = 512

// cursor is a place as text: base64url( kind | milliseconds since 1970, 8 bytes | id ). Nothing in it is secret, and nobody gains by making one up: it
// only says where a list goes on that the caller may read from its beginning.
func cursor(of listKind, p issuer.Place) string {
	b := binary.BigEndian.AppendUint64([]byte{byte(of)}, uint64(p.At.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(b, p.ID...))
}

// readCursor takes nothing but what cursor makes of a place that a list can have.
func readCursor(of listKind, text string) (issuer.Place, bool) {
	if len(text) > base64.RawURLEncoding.EncodedLen(9+longestPlaceID) || strings.ContainsAny(text, "\r\n") {
		return issuer.Place{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 10 || listKind(b[0]) != of {
		return issuer.Place{}, false
	}
	at, id := time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:9]))).UTC(), string(b[9:])
	if at.Year() < 1 || at.Year() > 9999 || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return issuer.Place{}, false
	}
	return issuer.Place{At: at, ID: id}, true
}
