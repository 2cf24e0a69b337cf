package handlers

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signet/issuer"
)

// Bounds of a page of a list.
const (
	defaultLimit = 50
	mostLimit    = 200
)

// params is a list's query while it is taken apart, as strictly as a body: a filter that was mistyped, repeated or left empty by a script must not
// list everything.
type params struct {
	values map[string][]string
	sent   []string // names as sent, in order, each once
	faults []issuer.FieldError
}

// readParams takes a query apart.
func readParams(raw string) (*params, error) {
	values, names, ok := splitForm(raw)
	if !ok {
		return nil, &issuer.Error{Kind: issuer.KindInvalidRequest, Detail: "The query can't be read."}
	}
	p := &params{values: values, sent: names}
	for _, name := range names {
		if len(values[name]) > 1 {
			p.fault(name, "must not be repeated")
		}
	}
	return p, nil
}

// splitForm reads name=value pairs as forms and queries have them (WHATWG URL, section 5.1), with the names in order, each once. They are UTF-8
// without NUL, of at most maxText bytes each.
func splitForm(raw string) (values map[string][]string, names []string, ok bool) {
	values = map[string][]string{}
	for raw != "" {
		var pair string
		if pair, raw, _ = strings.Cut(raw, "&"); pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !readable(name) {
			return nil, nil, false
		}
		if value, err = url.QueryUnescape(value); err != nil || !readable(value) {
			return nil, nil, false
		}
		if len(values[name]) == 0 {
			names = append(names, name)
		}
		values[name] = append(values[name], value)
	}
	return values, names, true
}

func readable(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func (p *params) fault(name, message string) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, issuer.FieldError{Field: shortened(name, 64), Message: message})
	}
}

// take removes a parameter: what is left in the end is unknown.
func (p *params) take(name string) (value string, given bool) {
	v, given := p.values[name]
	delete(p.values, name)
	if !given {
		return "", false
	}
	return v[0], true
}

// text is a filter, "" for none.
func (p *params) text(name string) string {
	v, given := p.take(name)
	if given && v == "" {
		p.fault(name, "must not be empty")
	}
	return v
}

// search is text that may be empty: nobody has typed anything yet.
func (p *params) search(name string) string {
	v, _ := p.take(name)
	return v
}

// choice is one of the words, or the first of them when it is absent.
func (p *params) choice(name string, words ...string) string {
	v, given := p.take(name)
	if !given {
		return words[0]
	}
	for _, w := range words {
		if v == w {
			return w
		}
	}
	p.fault(name, "must be "+strings.Join(words, " or "))
	return words[0]
}

// flag is true or false, or nil when it is absent.
func (p *params) flag(name string) *bool {
	v, given := p.take(name)
	if !given {
		return nil
	}
	if v != "true" && v != "false" {
		p.fault(name, "must be true or false")
	}
	b := v == "true"
	return &b
}

// moment is a time as RFC 3339 writes it, in UTC, or the zero time when it is absent.
func (p *params) moment(name string) time.Time {
	v, given := p.take(name)
	if !given {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		p.fault(name, "must be a time such as 2026-01-02T03:04:05Z")
	}
	return t.UTC()
}

// page is which part of the list is wanted.
func (p *params) page(of listKind) page {
	g := page{limit: defaultLimit}
	if v, given := p.take("limit"); given {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil || n < 1 || n > mostLimit {
			p.fault("limit", fmt.Sprintf("must be 1 to %d", mostLimit))
		}
		g.limit = int(n)
	}
	if v, given := p.take("cursor"); given {
		var ok bool
		if g.after, ok = readCursor(of, v); !ok {
			p.fault("cursor", "must be the next_cursor of a page of this list")
		}
	}
	return g
}

// err is an invalid_request that names every parameter at fault, the unknown ones included; nil when there is none.
func (p *params) err() error {
	for _, name := range p.sent {
		if _, left := p.values[name]; left {
			p.fault(name, "is not a parameter of this call")
		}
	}
	if len(p.faults) == 0 {
		return nil
	}
	return &issuer.Error{Kind: issuer.KindInvalidRequest, Detail: "The query has parameters that can't be accepted.", Fields: p.faults}
}
