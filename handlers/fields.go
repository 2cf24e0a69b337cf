package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"signet/issuer"
)

// maxText is the most bytes that any string of a request may have, tokens included. What a field means, and how long
// it may be for that, is the issuer's to say.
const maxText = 4 << 10

// maxFaults bounds an answer to a request that has everything wrong.
const maxFaults = 20

// fields is a request's JSON object while it is taken apart, one field after the other. Everything that is wrong
// is gathered, so that all of it is said at once.
type fields struct {
	values map[string]json.RawMessage
	sent   []string // names as sent, in order
	faults []issuer.FieldError
}

func (f *fields) fault(name, message string) {
	if len(f.faults) < maxFaults {
		f.faults = append(f.faults, issuer.FieldError{Field: shortened(name, 64), Message: message})
	}
}

// take removes a field: what is left in the end is unknown. Absent, and null, are false.
func (f *fields) take(name string) (v json.RawMessage, given bool) {
	v, given = f.values[name]
	delete(f.values, name)
	return v, given && string(v) != "null"
}

// required is a string that must be there.
func (f *fields) required(name string) string {
	v, given := f.take(name)
	if !given {
		f.fault(name, "is required, a string")
		return ""
	}
	return f.text(name, v)
}

// optional is a string or nothing: absent and null are "".
func (f *fields) optional(name string) string {
	if v, given := f.take(name); given {
		return f.text(name, v)
	}
	return ""
}

// given is a string, or nil when it is absent or null.
func (f *fields) given(name string) *string {
	v, given := f.take(name)
	if !given {
		return nil
	}
	s := f.text(name, v)
	return &s
}

// change is a field of a PATCH: nil leaves it as it is, "" clears it, which null does too.
func (f *fields) change(name string) *string {
	if _, sent := f.values[name]; !sent {
		return nil
	}
	s := f.optional(name)
	return &s
}

// flag is true or false; absent and null are false.
func (f *fields) flag(name string) bool {
	v, given := f.take(name)
	if !given {
		return false
	}
	switch string(v) {
	case "true":
		return true
	case "false":
	default:
		f.fault(name, "must be true or false")
	}
	return false
}

// changeFlag is a field of a PATCH that is true or false: nil when it is absent. null says neither, and is refused.
func (f *fields) changeFlag(name string) *bool {
	v, sent := f.values[name]
	if !sent {
		return nil
	}
	if string(v) == "null" {
		delete(f.values, name)
		f.fault(name, "must be true or false")
		return nil
	}
	b := f.flag(name)
	return &b
}

// texts is a list of strings, or nil when it is absent. null is refused: [] is the empty list.
func (f *fields) texts(name string) *[]string {
	v, sent := f.values[name]
	if !sent {
		return nil
	}
	delete(f.values, name)
	var raw []json.RawMessage
	if json.Unmarshal(v, &raw) != nil || raw == nil {
		f.fault(name, "must be a list of strings")
		return nil
	}
	before, list := len(f.faults), make([]string, 0, len(raw))
	for _, item := range raw {
		if list = append(list, f.text(name, item)); len(f.faults) > before {
			return nil
		}
	}
	return &list
}

// text decodes a JSON string (RFC 8259, section 7). NUL, and half of a surrogate pair, which no UTF-8 can hold, are refused: two
// different passwords must not become one.
func (f *fields) text(name string, v json.RawMessage) string {
	if len(v) < 2 || v[0] != '"' {
		f.fault(name, "must be a string")
		return ""
	}
	if len(v) > 6*maxText+2 {
		f.fault(name, fmt.Sprintf("must be at most %d bytes", maxText))
		return ""
	}
	s := string(v[1 : len(v)-1])
	if bytes.IndexByte(v, '\\') >= 0 {
		if halfSurrogate(s) || json.Unmarshal(v, &s) != nil {
			f.fault(name, "must be valid Unicode")
			return ""
		}
	}
	switch {
	case len(s) > maxText:
		f.fault(name, fmt.Sprintf("must be at most %d bytes", maxText))
	case strings.IndexByte(s, 0) >= 0:
		f.fault(name, "must not hold a NUL character")
	default:
		return s
	}
	return ""
}

// halfSurrogate says whether an escaped string has half of a UTF-16 surrogate pair.
func halfSurrogate(escaped string) bool {
	var high rune
	for i := 0; i < len(escaped); i++ {
		unit, n := rune(-1), 1
		if escaped[i] == '\\' {
			if n = 2; escaped[i+1] == 'u' {
				u, _ := strconv.ParseUint(escaped[i+2:i+6], 16, 16)
				unit, n = rune(u), 6
			}
		}
		low := 0xDC00 <= unit && unit <= 0xDFFF
		if low != (high != 0) {
			return true
		}
		high = 0
		if utf16.IsSurrogate(unit) && !low {
			high = unit
		}
		i += n - 1
	}
	return high != 0
}

// err is an invalid_request that names every field at fault, the unknown ones included; nil when there is none.
func (f *fields) err() error {
	for _, name := range f.sent {
		if _, left := f.values[name]; left {
			f.fault(name, "is not a field of this call")
		}
	}
	if len(f.faults) == 0 {
		return nil
	}
	return &issuer.Error{Kind: issuer.KindInvalidRequest, Detail: "The request has fields that can't be accepted.", Fields: f.faults}
}
