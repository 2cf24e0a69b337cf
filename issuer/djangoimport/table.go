package djangoimport

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// table reads CSV (RFC 4180) with a header of Django's names. Columns that mean nothing here are left out.
func (r *Reader) table(separator rune) (func() (Row, error), error) {
	c := csv.NewReader(r.src)
	c.Comma, c.ReuseRecord = separator, true
	head, err := header(c)
	if err != nil {
		return nil, err
	}
	return func() (Row, error) {
		cells, err := c.Read()
		r.src.row = c.InputOffset()
		if errors.Is(err, csv.ErrFieldCount) {
			line, _ := c.FieldPos(0)
			return Row{Line: int64(line), Faults: []Fault{{"", fmt.Sprintf("has %d columns, and the header %d", len(cells), len(head))}}}, nil
		}
		if err != nil {
			return Row{}, tableError(err)
		}
		line, _ := c.FieldPos(0)
		var rec record
		columns := rec.columns()
		for i, cell := range cells {
			if into := columns[head[i]]; into != nil && cell != "" {
				*into = value{text, cell}
			}
		}
		return rec.row(int64(line), rec.ID), nil
	}, nil
}

// header reads the names of the columns. Without an id and an address there is nothing to import.
func header(c *csv.Reader) ([]string, error) {
	cells, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("the header: %w", tableError(err))
	}
	var head []string
	known := new(record).columns()
	for _, cell := range cells {
		name := strings.ToLower(strings.TrimSpace(cell))
		if name == "pk" {
			name = "id"
		}
		if known[name] != nil && slices.Contains(head, name) {
			return nil, fmt.Errorf("the header has the column %s twice", name)
		}
		head = append(head, name)
	}
	for _, name := range []string{"id", "email"} {
		if !slices.Contains(head, name) {
			return nil, fmt.Errorf("the first line is no header with the columns id and email: %s is missing", name)
		}
	}
	return head, nil
}

func tableError(err error) error {
	var at *csv.ParseError
	switch {
	case errors.As(err, &at):
		return fmt.Errorf("line %d: %w", at.StartLine, at.Err)
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return err
}
