package djangoimport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// mostRow is how much of a file may be read for one row: a bracket or a quote that is not closed must not take the rest of the file into memory.
const mostRow = 4 << 20

// source is the file as the parsers read it, ahead of the row they are at. It counts bytes, and lines where they are wanted.
type source struct {
	r      io.Reader
	read   int64  // bytes handed out
	row    int64  // where the current row begins, or the last one ended
	ahead  []byte // the last of those bytes, which the parser may not have come to: as much as it holds of them itself
	line   int64  // newlines before them
	tracks bool   // whether lines are wanted
}

var errLongRow = fmt.Errorf("a row takes more than %d MiB: a quote or a bracket is not closed", mostRow>>20)

// Read implements io.Reader.
func (s *source) Read(b []byte) (int, error) {
	if s.read-s.row > mostRow {
		return 0, errLongRow
	}
	n, err := s.r.Read(b)
	if s.tracks {
		s.ahead = append(s.ahead, b[:n]...)
	}
	s.read += int64(n)
	return n, err
}

// lineAt is the line of an offset that is not before an earlier one asked for.
func (s *source) lineAt(offset int64) int64 {
	begins := s.read - int64(len(s.ahead))
	passed := s.ahead[:max(0, offset-begins)]
	s.line += int64(bytes.Count(passed, []byte("\n")))
	s.ahead = s.ahead[len(passed):]
	return s.line + 1
}

// sniff looks at how a file begins, and passes over a byte order mark. What it returns of it is good until the next read.
func sniff(b *bufio.Reader) ([]byte, error) {
	head, err := b.Peek(b.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return nil, errors.New("the file is UTF-16, as PowerShell's > writes it: let dumpdata write it itself with --output, or save it as UTF-8")
	}
	if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, bom) {
		_, _ = b.Discard(len(bom)) // they are in the buffer
		head = head[len(bom):]
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return nil, errors.New("the file is empty")
	}
	return head, nil
}

// formatOf is the format of a file that begins so.
func formatOf(head []byte) Format {
	switch bytes.TrimSpace(head)[0] {
	case '[':
		return Dumpdata
	case '{':
		return JSONL
	}
	return CSV
}

// separatorOf is what a table that begins so has between its columns: a comma, a semicolon or a tab, whichever its first line has most of.
func separatorOf(head []byte) rune {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	best := ','
	for _, r := range ";\t" {
		if bytes.Count(line, []byte(string(r))) > bytes.Count(line, []byte(string(best))) {
			best = r
		}
	}
	return best
}
