package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

// prepareFile makes the file and its directory if they are missing, and closes the file to others. SQLite gives the
// files that it makes beside it the same mode.
//
// An existing file is never opened here: closing it would drop the locks that another store of this process has on it
// (POSIX record locks belong to the process).
func prepareFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return closeToOthers(path)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(dir)
}

func closeToOthers(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(path, info.Mode().Perm()&0o700)
}

// syncDir makes the name of a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// dsn is the driver's name of the file at the absolute path; every connection begins with the pragmas.
func dsn(path string, busy time.Duration, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds())}, pragmas...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// The caches are small because the system's own cache holds the file too.
var (
	writerPragmas = []string{"synchronous(FULL)", "cache_size(-1024)", "journal_size_limit(16777216)"}
	readerPragmas = []string{"query_only(1)", "cache_size(-512)"}
)

// SQLite's primary result codes, https://sqlite.org/rescode.html.
const (
	codeBusy     = 5
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// code is the primary result code of an error of the driver, or 0.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// explain says in an operator's words what a result code means.
func explain(err error) error {
	switch code(err) {
	case codeNotADB:
		return fmt.Errorf("the file is not a SQLite database, or its beginning is damaged: %w", err)
	case codeCorrupt:
		return fmt.Errorf("the database is damaged, restore it from a backup: %w", err)
	case codeFull:
		return fmt.Errorf("the disk is full: %w", err)
	case codeCantOpen:
		return fmt.Errorf("the file can't be opened: %w", err)
	case codeBusy:
		return fmt.Errorf("another process holds the database: %w", err)
	}
	return err
}
