package djangoimport

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// object is a row in JSON: as Django serializes a model, with its fields apart, or flat.
type object struct {
	Model  value   `json:"model"`
	PK     value   `json:"pk"`
	Fields *record `json:"fields"`
	record
}

var errNotUser = errors.New("an object of another model")

// row is the account in an object; errNotUser when it is of another model.
func (r *Reader) row(raw []byte, line int64, flat bool) (Row, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return Row{Line: line, Faults: []Fault{{"", notAnObject(err)}}}, nil
	}
	switch {
	case o.Fields != nil:
		if !r.models.users(o.Model.text, o.Fields) {
			return Row{}, errNotUser
		}
		return o.Fields.row(line, o.PK), nil
	case !flat || o.Model.kind == text:
		return Row{Line: line, Faults: []Fault{{"", "is no object with model, pk and fields"}}}, nil
	}
	return o.record.row(line, either(o.ID, o.PK)), nil
}

// notAnObject says what is wrong with a row that is JSON or should be, without repeating any of it.
func notAnObject(err error) string {
	var of *json.UnmarshalTypeError
	if errors.As(err, &of) {
		return "is no object with model, pk and fields"
	}
	return "is not JSON"
}

// array reads `[{"model": ..., "pk": ..., "fields": {...}}, ...]`, one element at a time.
func (r *Reader) array() (func() (Row, error), error) {
	r.src.tracks = true
	d := json.NewDecoder(r.src)
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New("the file does not begin with [, as a dump does")
	}
	var raw json.RawMessage
	return func() (Row, error) {
		for {
			if !d.More() {
				return Row{}, r.arrayEnd(d)
			}
			raw = raw[:0]
			if err := d.Decode(&raw); err != nil {
				return Row{}, r.broken(d, err)
			}
			r.src.row = d.InputOffset()
			row, err := r.row(raw, r.src.lineAt(d.InputOffset()-int64(len(raw))), false)
			if !errors.Is(err, errNotUser) {
				return row, err
			}
		}
	}, nil
}

func (r *Reader) arrayEnd(d *json.Decoder) error {
	if t, err := d.Token(); err != nil || t != json.Delim(']') {
		return r.broken(d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: there is more behind the end of the list", r.src.lineAt(d.InputOffset()))
	}
	return io.EOF
}

// broken says where a dump is no JSON any more, in words that repeat nothing of it.
func (r *Reader) broken(d *json.Decoder, err error) error {
	line := r.src.lineAt(d.InputOffset())
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, errLongRow):
		return fmt.Errorf("line %d: %w", line, errLongRow)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the file ends in the midst of the list")
	case errors.As(err, &syntax), err == nil:
		return fmt.Errorf("line %d: the file is not JSON from here on", line)
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// lines reads one object a line. A line that is none is a row with a fault.
func (r *Reader) lines() func() (Row, error) {
	s := bufio.NewScanner(r.src)
	s.Buffer(make([]byte, 64<<10), mostRow/2)
	var line int64
	return func() (Row, error) {
		for s.Scan() {
			line++
			r.src.row = r.src.read
			raw := bytes.TrimSpace(s.Bytes())
			if len(raw) == 0 {
				continue
			}
			row, err := r.row(raw, line, true)
			if !errors.Is(err, errNotUser) {
				return row, err
			}
		}
		switch err := s.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			return Row{}, fmt.Errorf("line %d: %w", line+1, errLongRow)
		case err != nil:
			return Row{}, fmt.Errorf("line %d: %w", line+1, err)
		}
		return Row{}, io.EOF
	}
}
