package djangoimport

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// kind is what a value is in JSON. A cell of a table is a text, or null when it is empty.
type kind byte

const (
	absent kind = iota
	null
	text
	number
	boolean
	other
)

// value is one field of a row, not yet read by its type.
type value struct {
	kind kind
	text string // of a number its literal, of a boolean true or false
}

// UnmarshalJSON implements json.Unmarshaler. Whatever JSON there is can be kept; what it is good for is decided by the field.
func (v *value) UnmarshalJSON(raw []byte) error {
	switch c := raw[0]; {
	case c == 'n':
		*v = value{kind: null}
	case c == '"':
		v.kind = text
		return json.Unmarshal(raw, &v.text)
	case c == 't' || c == 'f':
		*v = value{boolean, string(raw)}
	case c == '-' || c >= '0' && c <= '9':
		*v = value{number, string(raw)}
	default:
		*v = value{kind: other}
	}
	return nil
}

// none says whether there is nothing to read.
func (v value) none() bool {
	return v.kind == absent || v.kind == null || v.kind == text && strings.TrimSpace(v.text) == ""
}

// faults reads values by type and notes what can't be.
type faults struct{ row *Row }

func (f faults) add(field, reason string) { f.row.Faults = append(f.row.Faults, Fault{field, reason}) }

func (f faults) text(field string, v value) string {
	if v.kind == text || v.none() {
		return v.text
	}
	f.add(field, "must be a text")
	return ""
}

// id is a text or a whole number.
func (f faults) id(field string, v value) string {
	switch {
	case v.none():
		f.add(field, "is missing")
		return ""
	case v.kind == text:
		return strings.TrimSpace(v.text)
	case v.kind == number && strings.Trim(v.text, "0123456789") == "":
		return v.text
	}
	f.add(field, "must be a whole number or a text")
	return ""
}

// flags are the ways in which databases and spreadsheets write booleans, in lower case.
var (
	yes = []string{"true", "t", "1", "yes", "y"}
	no  = []string{"false", "f", "0", "no", "n"}
)

func (f faults) flag(field string, v value, otherwise bool) bool {
	word := strings.ToLower(strings.TrimSpace(v.text))
	switch {
	case v.none():
		return otherwise
	case v.kind != other && slices.Contains(yes, word):
		return true
	case v.kind != other && slices.Contains(no, word):
		return false
	}
	f.add(field, "must be true or false")
	return false
}

// layouts are those of Django's JSON, of PostgreSQL and of MySQL and SQLite. A time without an offset is UTC. Fractions of a second are read anyway.
var layouts = []string{
	time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05-07", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02",
}

var errTime = errors.New("must be a date and time like 2024-05-01T10:30:00Z")

func (f faults) time(field string, v value) time.Time {
	if v.none() {
		return time.Time{}
	}
	at, err := parseTime(v)
	if err != nil {
		f.add(field, err.Error())
	}
	return at
}

func parseTime(v value) (time.Time, error) {
	if v.kind != text {
		return time.Time{}, errTime
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, strings.TrimSpace(v.text)); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errTime
}
