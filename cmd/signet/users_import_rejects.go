package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"

	"signet/issuer/djangoimport"
)

// rejectsFile says, a line of JSON each, which rows were left out and why. It holds ids, and never an address or a hash, nor those that stand where an id
// should: in a table whose columns are not what its header says.
type rejectsFile struct {
	path string
	file *os.File
	out  *bufio.Writer
	rows int64
}

// reject is a line of it.
type reject struct {
	Line   int64       `json:"line"`
	PK     string      `json:"pk"`    // "" for none, and for what does not look like one
	Field  string      `json:"field"` // "" when it is the row as a whole
	Reason string      `json:"reason"`
	More   []moreFault `json:"more,omitempty"`
}

type moreFault struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// looksLikeID is what ids look like everywhere, good ones and bad ones, and addresses and hashes don't.
var looksLikeID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

func shownID(id string) string {
	if !looksLikeID.MatchString(id) {
		return ""
	}
	return id
}

// rejectsPath is beside the file with the accounts.
func rejectsPath(file string) string { return file + ".rejects.jsonl" }

// openRejects begins anew: what an earlier run refused is refused again, if it still has to be.
func openRejects(file string) (*rejectsFile, error) {
	path := rejectsPath(file)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the list of refused rows can't be written: %w", err)
	}
	return &rejectsFile{path: path, file: f, out: bufio.NewWriter(f)}, nil
}

func (r *rejectsFile) add(row djangoimport.Row, faults []djangoimport.Fault) error {
	r.rows++
	line := reject{Line: row.Line, PK: shownID(row.ID), Field: faults[0].Field, Reason: faults[0].Reason}
	for _, f := range faults[1:] {
		line.More = append(line.More, moreFault(f))
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = r.out.Write(append(text, '\n'))
	}
	return err
}

// close leaves no file when nothing was refused.
func (r *rejectsFile) close() error {
	err := errors.Join(r.out.Flush(), r.file.Close())
	if r.rows == 0 {
		err = errors.Join(err, os.Remove(r.path))
	}
	return err
}
