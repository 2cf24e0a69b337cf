package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"signet/issuer"
)

// maxDepth is how deep JSON may nest. Requests are flat objects; a little slack lets the fault be named by its field.
const maxDepth = 16

func badBody(detail string) error {
	return &issuer.Error{Kind: issuer.KindInvalidRequest, Detail: detail}
}

// isJSON refuses a body that is not plain JSON in UTF-8 (RFC 8259).
func isJSON(h http.Header) error {
	wrong := &issuer.Error{Kind: kindUnsupportedMediaType, Detail: "The body must be JSON: Content-Type: application/json."}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &issuer.Error{Kind: kindUnsupportedMediaType, Detail: "The body must not be compressed: no Content-Encoding."}
	}
	switch values := h["Content-Type"]; {
	case len(values) != 1:
		return wrong
	case values[0] == "application/json":
		return nil
	default:
		mediaType, params, err := mime.ParseMediaType(values[0])
		charset, given := params["charset"]
		if err != nil || mediaType != "application/json" || (given && !strings.EqualFold(charset, "utf-8")) {
			return wrong
		}
		return nil
	}
}

// decodeObject reads one flat JSON object, strictly: UTF-8, nothing after it, bounded nesting. Field names are compared
// byte for byte; a repeated one is a fault of that field. The values are checked as they are taken.
func decodeObject(body []byte) (*fields, error) {
	if !utf8.Valid(body) {
		return nil, badBody("The body is not valid UTF-8.")
	}
	if deeperThan(body, maxDepth) {
		return nil, badBody(fmt.Sprintf("The body nests deeper than %d levels.", maxDepth))
	}
	if err := wellFormed(body); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, badBody("The body must be a JSON object.")
	}
	f := &fields{values: map[string]json.RawMessage{}}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, badBody("The body must be a JSON object.")
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, badBody("The body is not valid JSON.")
		}
		if _, repeated := f.values[name]; repeated {
			f.fault(name, "must not be repeated")
			continue
		}
		f.values[name] = v
		f.sent = append(f.sent, name)
	}
	return f, nil
}

// wellFormed says where a body stops being one JSON value. It quotes nothing of the body, which may hold a password.
func wellFormed(body []byte) error {
	if json.Valid(body) {
		return nil
	}
	var v json.RawMessage
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(body, &v), &syntax) {
		return badBody(fmt.Sprintf("The body is not one valid JSON value: see byte %d.", syntax.Offset))
	}
	return badBody("The body is not one valid JSON value.")
}

// deeperThan says whether objects and arrays nest deeper than n.
func deeperThan(body []byte, n int) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > n {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
