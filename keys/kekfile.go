package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxKEKFile bounds what is read as a KEK file.
const maxKEKFile = 64 << 10

// ReadKEKFile reads key-encryption keys: one base64 (standard, padded) 32-byte key a line, blank lines and # comments aside. The first seals,
// all open. A file that others can read is refused. Errors name lines, never what is on them.
func ReadKEKFile(path string) ([]KEK, error) {
	content, err := readKEKFile(path)
	if err != nil {
		return nil, err
	}
	keks, err := parseKEKs(content)
	if err != nil {
		return nil, fmt.Errorf("KEK file %s: %w", path, err)
	}
	return keks, nil
}

// CreateKEKFile makes a file with one new key, mode 0600. It never overwrites: fs.ErrExist when there is something at path.
func CreateKEKFile(path string) (err error) {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return fmt.Errorf("make KEK: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create KEK file: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("create KEK file %s: %w", path, errors.Join(err, os.Remove(path)))
		}
	}()
	_, err = fmt.Fprintf(f, "# signet key-encryption keys: the first seals, all open. Keep a copy apart from the database: without it nothing opens.\n%s\n",
		base64.StdEncoding.EncodeToString(key[:]))
	if err != nil {
		return err
	}
	return f.Sync()
}

func readKEKFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read KEK file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read KEK file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("KEK file %s is not a regular file", path)
	}
	if err := refuseShared(path, info); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKEKFile+1))
	if err != nil {
		return nil, fmt.Errorf("read KEK file %s: %w", path, err)
	}
	if len(content) > maxKEKFile {
		return nil, fmt.Errorf("KEK file %s is larger than %d bytes", path, maxKEKFile)
	}
	return content, nil
}

// refuseShared refuses a file that others can read. Where the file is another user's (a secret mounted by an orchestrator is root's), being in
// its group is how this process may read it; nobody but the owner may write it, and the rest of the world has no business there.
func refuseShared(path string, info fs.FileInfo) error {
	refused := fs.FileMode(0o077)
	if !ownedByUs(info) {
		refused = 0o037
	}
	if mode := info.Mode().Perm(); mode&refused != 0 {
		return fmt.Errorf("KEK file %s has mode %04o, so that others than its owner can get at the keys: chmod 600 it", path, mode)
	}
	return nil
}

func parseKEKs(content []byte) ([]KEK, error) {
	var keks []KEK
	seen := map[string]int{}
	for i, line := range bytes.Split(content, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.Strict().DecodeString(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d is not base64", i+1)
		}
		k, err := NewKEK(key)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if first, twice := seen[k.ID()]; twice {
			return nil, fmt.Errorf("line %d repeats the key of line %d", i+1, first)
		}
		seen[k.ID()] = i + 1
		keks = append(keks, k)
	}
	if len(keks) == 0 {
		return nil, errors.New("holds no key")
	}
	return keks, nil
}
