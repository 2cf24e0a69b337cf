package handlers

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"signet/issuer"
)

// drfBody is a body as Django REST framework takes it: an object or a form, of which the known fields are read and the others ignored. Strings may be
// given as whole numbers, and blanks around them don't count, passwords aside. A known field that is given twice is refused.
type drfBody struct {
	values   map[string]json.RawMessage
	repeated []string
	faults   []issuer.FieldError
}

func readDRF(c *call) (*drfBody, error) {
	body, err := readBody(c.exchange, c.r)
	if err != nil {
		return nil, err
	}
	switch {
	case len(body) == 0:
		return &drfBody{}, nil
	case isForm(c.r.Header):
		return decodeForm(string(body))
	}
	if err := isJSON(c.r.Header); err != nil {
		return nil, &issuer.Error{Kind: kindUnsupportedMediaType, Detail: "The body must be application/json or application/x-www-form-urlencoded, in UTF-8 and not compressed."}
	}
	f, err := decodeObject(body)
	if err != nil {
		return nil, err
	}
	b := &drfBody{values: f.values}
	for _, twice := range f.faults {
		b.repeated = append(b.repeated, twice.Field)
	}
	return b, nil
}

// isForm says whether the body is a form that was not compressed.
func isForm(h http.Header) bool {
	if e := h.Get("Content-Encoding"); len(h["Content-Type"]) != 1 || (e != "" && !strings.EqualFold(e, "identity")) {
		return false
	}
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset, given := params["charset"]
	return err == nil && mediaType == "application/x-www-form-urlencoded" && (!given || strings.EqualFold(charset, "utf-8"))
}

func decodeForm(body string) (*drfBody, error) {
	values, names, ok := splitForm(body)
	if !ok {
		return nil, badBody("The form can't be read.")
	}
	b := &drfBody{values: map[string]json.RawMessage{}}
	for _, name := range names {
		text, _ := json.Marshal(values[name][0]) // valid UTF-8
		b.values[name] = text
		if len(values[name]) > 1 {
			b.repeated = append(b.repeated, name)
		}
	}
	return b, nil
}

func (b *drfBody) fault(name, message string) {
	b.faults = append(b.faults, issuer.FieldError{Field: name, Message: message})
}

// has says whether a field says anything.
func (b *drfBody) has(name string) bool {
	v := string(b.values[name])
	return v != "" && v != "null" && v != `""`
}

// naming picks which of two fields names the user: the first that says anything, else one that was sent, else the second.
func (b *drfBody) naming(first, second string) string {
	_, sentFirst := b.values[first]
	_, sentSecond := b.values[second]
	if b.has(first) || (sentFirst && !sentSecond) {
		return first
	}
	return second
}

// required is a string without the blanks around it.
func (b *drfBody) required(name string) string {
	s := strings.TrimSpace(b.text(name))
	if s == "" {
		b.missing(name)
	}
	return s
}

// secret is a string as typed.
func (b *drfBody) secret(name string) string {
	s := b.text(name)
	if s == "" {
		b.missing(name)
	}
	return s
}

// missing says why a field says nothing, unless that was said already.
func (b *drfBody) missing(name string) {
	said := slices.ContainsFunc(b.faults, func(f issuer.FieldError) bool { return f.Field == name })
	switch v, sent := b.values[name]; {
	case said:
	case !sent:
		b.fault(name, "This field is required.")
	case string(v) == "null":
		b.fault(name, "This field may not be null.")
	default:
		b.fault(name, "This field may not be blank.")
	}
}

// text is a string, "" for none or one that can't be accepted.
func (b *drfBody) text(name string) string {
	v := b.values[name]
	switch {
	case slices.Contains(b.repeated, name):
		b.fault(name, "This field may not be repeated.")
		return ""
	case len(v) == 0 || string(v) == "null":
		return ""
	case wholeNumber(v):
		return string(v)
	}
	f := fields{}
	s := f.text(name, v)
	switch {
	case len(f.faults) == 0:
		return s
	case v[0] == '"' && len(v) > maxText:
		b.fault(name, fmt.Sprintf("Ensure this field has no more than %d characters.", maxText))
	default:
		b.fault(name, "Not a valid string.")
	}
	return ""
}

// wholeNumber says whether v is a number without fraction and exponent, short enough to be a code.
func wholeNumber(v json.RawMessage) bool {
	return len(v) <= 20 && !slices.ContainsFunc(v, func(c byte) bool { return c < '0' || c > '9' })
}

// truthy says whether a flag is set, in any of the ways that clients write it.
func (b *drfBody) truthy(name string) bool {
	if slices.Contains(b.repeated, name) {
		b.fault(name, "This field may not be repeated.")
		return false
	}
	switch strings.ToLower(strings.Trim(string(b.values[name]), `" `)) {
	case "", "null", "false", "0", "no", "off", "[]", "{}":
		return false
	}
	return true
}

// err names every field at fault; nil when there is none.
func (b *drfBody) err() error {
	if len(b.faults) == 0 {
		return nil
	}
	return &issuer.Error{Kind: issuer.KindInvalidRequest, Detail: "The request has fields that can't be accepted.", Fields: b.faults}
}
