package main

import (
	"encoding/json"
	"fmt"
	"io"

	"signet/issuer"
)

// listPage is how many of a list are in memory at a time.
const listPage = 200

// eachOf walks a list to its end, page by page.
func eachOf[T any](page func(after issuer.Place) (issuer.Page[T], error), do func([]T) error) error {
	for after := (issuer.Place{}); ; {
		p, err := page(after)
		if err != nil {
			return err
		}
		if err := do(p.Items); err != nil || p.Next == nil {
			return err
		}
		after = *p.Next
	}
}

// jsonArray writes an array as it comes, one element a line. One that is not closed was not written to its end, and parses nowhere.
type jsonArray struct {
	w     io.Writer
	begun bool
}

func (a *jsonArray) add(v any) error {
	before := ",\n  "
	if !a.begun {
		before, a.begun = "[\n  ", true
	}
	text, err := json.Marshal(v)
	if err == nil {
		_, err = a.w.Write(append([]byte(before), text...))
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

func (a *jsonArray) close() error {
	end := "\n]\n"
	if !a.begun {
		end = "[]\n"
	}
	if _, err := io.WriteString(a.w, end); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
