package mail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// phrase is one name of a file of phrases, as read.
type phrase struct {
	name  string
	texts []string
	line  int
}

// isList says whether a name holds any number of paragraphs, or the months.
func isList(name string) bool { return strings.HasSuffix(name, ".body") || name == "months" }

// readPhrases reads a file of phrases: JSON objects in objects, whose names are joined by dots. Errors name the line.
func readPhrases(raw []byte) ([]phrase, error) {
	r := phraseReader{raw: raw, d: json.NewDecoder(bytes.NewReader(raw))}
	if err := r.value(""); err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line(), err)
	}
	if _, err := r.d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: something follows the JSON object", r.line())
	}
	return r.found, nil
}

type phraseReader struct {
	raw   []byte
	d     *json.Decoder
	found []phrase
}

func (r *phraseReader) line() int {
	end := min(int(r.d.InputOffset()), len(r.raw))
	return 1 + bytes.Count(r.raw[:end], []byte("\n"))
}

// value reads whatever comes next under a name; "" is the file itself, which is an object.
func (r *phraseReader) value(name string) error {
	t, err := r.d.Token()
	if err != nil {
		return plainJSON(err)
	}
	switch v := t.(type) {
	case json.Delim:
		switch {
		case v == '{':
			return r.object(name)
		case v == '[' && isList(name):
			return r.list(name)
		}
	case string:
		if name != "" {
			return r.keep(name, []string{v})
		}
	}
	return fmt.Errorf("%s: expected text, or an object of texts", shownName(name))
}

func (r *phraseReader) object(name string) error {
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return plainJSON(err)
		}
		inner, _ := t.(string) // a name of an object is nothing else
		if name != "" {
			inner = name + "." + inner
		}
		if err := r.value(inner); err != nil {
			return err
		}
	}
	_, err := r.d.Token()
	return plainJSON(err)
}

func (r *phraseReader) list(name string) error {
	texts := []string{}
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return plainJSON(err)
		}
		text, ok := t.(string)
		if !ok {
			return fmt.Errorf("%s: expected a list of texts", name)
		}
		texts = append(texts, text)
	}
	if err := r.keep(name, texts); err != nil {
		return err
	}
	_, err := r.d.Token()
	return plainJSON(err)
}

func (r *phraseReader) keep(name string, texts []string) error {
	if slices.ContainsFunc(r.found, func(p phrase) bool { return p.name == name }) {
		return fmt.Errorf("%s is there twice", name)
	}
	r.found = append(r.found, phrase{name, texts, r.line()})
	return nil
}

// plainJSON says that the end came early in other words than EOF.
func plainJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object does not end")
	}
	return err
}

func shownName(name string) string {
	if name == "" {
		return "the file"
	}
	return name
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// placeholders are the {names} in texts, each once, sorted.
func placeholders(texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, placeholder.FindAllString(text, -1)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// checkPhrase says what keeps a phrase from standing in for the English one. It may leave a {name} out, and bring none of its own.
func checkPhrase(f phrase, english phrases) error {
	model, known := english[f.name]
	switch {
	case !known:
		return fmt.Errorf("there is no text %q", f.name)
	case f.name == "months" && len(f.texts) != len(model):
		return fmt.Errorf("months: expected %d", len(model))
	case f.name == "direction" && f.texts[0] != "ltr" && f.texts[0] != "rtl":
		return errors.New("direction: expected ltr or rtl")
	}
	for _, text := range f.texts {
		switch {
		case strings.TrimSpace(text) == "":
			return fmt.Errorf("%s is empty", f.name)
		case strings.ContainsFunc(text, isControl):
			return fmt.Errorf("%s has a line break or another control character", f.name)
		}
	}
	for _, name := range placeholders(f.texts) {
		if !slices.Contains(placeholders(model), name) {
			return fmt.Errorf("%s: %s is not known here; there is %s", f.name, name, listed(placeholders(model)))
		}
	}
	return nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
