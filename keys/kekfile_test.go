package keys

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func kekLine(n byte) string {
	k := testKEK(n)
	return base64.StdEncoding.EncodeToString(k.key[:])
}

func writeKEKs(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCreateKEKFileNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek")
	if err := CreateKEKFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	first, err := ReadKEKFile(path)
	if err != nil || len(first) != 1 {
		t.Fatalf("%d keys, %v", len(first), err)
	}
	if err := CreateKEKFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("overwrites: %v", err)
	}
	if again, _ := ReadKEKFile(path); again[0].ID() != first[0].ID() {
		t.Error("the key is another")
	}
	if err := CreateKEKFile(filepath.Join(path, "below")); err == nil {
		t.Error("made a file below a file")
	}
}

func TestKEKFileOfSeveralLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek")
	writeKEKs(t, path, "# new\r\n  "+kekLine(2)+"\t\r\n\n#old\n"+kekLine(1))
	keks, err := ReadKEKFile(path)
	if err != nil || len(keks) != 2 || keks[0].ID() != testKEK(2).ID() || keks[1].ID() != testKEK(1).ID() {
		t.Errorf("%v, %v", keks, err)
	}
}

func TestKEKFileThatOthersCanReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek")
	writeKEKs(t, path, kekLine(1))
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o602, 0o644, 0o610} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKEKFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKEKFile(path); err != nil {
		t.Errorf("mode 400: %v", err)
	}
	if _, err := ReadKEKFile(t.TempDir()); err == nil {
		t.Error("a folder is read")
	}
	if _, err := ReadKEKFile(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestBadKEKFileNamesLinesAndNeverKeys(t *testing.T) {
	good := kekLine(1)
	for name, c := range map[string]struct{ content, want string }{
		"empty":        {"", "holds no key"},
		"comments":     {"# none\n\n", "holds no key"},
		"not base64":   {good + "\n\nSECRETSECRET!\n", "line 3 is not base64"},
		"short":        {"# c\n" + base64.StdEncoding.EncodeToString([]byte("SECRETSECRET")), "line 2: "},
		"twice":        {good + "\n" + good, "line 2 repeats the key of line 1"},
		"no padding":   {strings.TrimRight(good, "="), "line 1 is not base64"},
		"inner spaces": {good[:10] + " " + good[10:], "line 1 is not base64"},
		"NUL":          {"\x00" + good, "line 1 is not base64"},
		"huge":         {strings.Repeat("#\n", maxKEKFile), "larger than"},
	} {
		path := filepath.Join(t.TempDir(), "kek")
		writeKEKs(t, path, c.content)
		_, err := ReadKEKFile(path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), good[:8]) {
			t.Errorf("%s: the error tells key text: %v", name, err)
		}
	}
}

func FuzzKEKFile(f *testing.F) {
	f.Add([]byte(kekLine(1) + "\n# c\n" + kekLine(2)))
	f.Fuzz(func(t *testing.T, content []byte) {
		keks, err := parseKEKs(content)
		if (err == nil) != (len(keks) > 0) {
			t.Errorf("%d keys, %v", len(keks), err)
		}
		if err != nil {
			return
		}
		if _, err := NewSealer(keks); err != nil {
			t.Errorf("a file that parses makes no sealer: %v", err)
		}
	})
}
