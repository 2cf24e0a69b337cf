package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// top is the repository's root, from this folder.
const top = "../.."

// sources are the Go files of the repository by the folder that they are in: what is built, and tests.
func sources(t *testing.T) (built, tests map[string][]string) {
	t.Helper()
	built, tests = map[string][]string{}, map[string][]string{}
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case d.IsDir() && name != top && isModule(name):
			return filepath.SkipDir // an example for others to copy, with dependencies of its own
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		room, into := path.Dir(filepath.ToSlash(rel)), built
		if strings.HasSuffix(name, "_test.go") {
			into = tests
		}
		into[room] = append(into[room], name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return built, tests
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

// inward says which rooms each room may look into. Dependencies point inward: keys knows nobody.
var inward = map[string][]string{
	"keys":                         {},
	"keys/pkcs11":                  {"keys"},
	"keys/pkcs11/softhsm":          {}, // for tests
	"issuer":                       {"keys"},
	"issuer/mail":                  {"issuer", "keys"},
	"issuer/djangoimport":          {},
	"handlers":                     {"handlers/openapi", "issuer", "keys"},
	"handlers/openapi":             {},
	"handlers/openapitest":         {"handlers/openapi"}, // for tests
	"repository/sqlite":            {"issuer", "keys"},
	"repository/mongodb":           {"issuer", "keys"},
	"repository/mongodb/mongotest": {},                 // for tests
	"repository/conformance":       {"issuer", "keys"}, // for tests
	"cmd/signet":                   {"handlers", "issuer", "issuer/djangoimport", "issuer/mail", "keys", "keys/pkcs11", "repository/mongodb", "repository/sqlite"},
}

// owners says in which rooms a library may be used outside of tests; the longest prefix of the import decides.
var owners = map[string][]string{
	"github.com/go-jose/go-jose":           {"keys"},
	"golang.org/x/crypto/chacha20poly1305": {"keys"},
	"golang.org/x/crypto/cryptobyte":       {"keys"},
	"golang.org/x/crypto/argon2":           {"issuer"},
	"golang.org/x/crypto/bcrypt":           {"issuer"},
	"golang.org/x/crypto/scrypt":           {"issuer"},
	"github.com/miekg/pkcs11":              {"keys/pkcs11"},
	"github.com/google/uuid":               {"issuer"},
	"golang.org/x/text":                    {"issuer"},
	"golang.org/x/net/idna":                {"issuer", "cmd/signet"},
	"github.com/wneessen/go-mail":          {"issuer/mail"},
	"github.com/gorilla/mux":               {"handlers"},
	"github.com/jub0bs/cors":               {"handlers"},
	"github.com/pb33f":                     {"handlers/openapitest"},
	"go.mongodb.org/mongo-driver":          {"repository/mongodb", "repository/mongodb/mongotest"},
	"modernc.org/sqlite":                   {"repository/sqlite"},
	"github.com/spf13/cobra":               {"cmd/signet"},
	"github.com/spf13/pflag":               {"cmd/signet"},
	"github.com/goccy/go-yaml":             {"cmd/signet"},
	"github.com/prometheus/client_golang":  {"cmd/signet"},
	"golang.org/x/sys":                     {"cmd/signet"},
	"golang.org/x/term":                    {"cmd/signet"},
	"filippo.io/age":                       {"cmd/signet"},
	"github.com/rs/zerolog":                {"cmd/signet", "handlers", "issuer", "issuer/mail"},
	"github.com/coreos/go-oidc":            {}, // tests
	"github.com/emersion/go-smtp":          {}, // tests
	"github.com/emersion/go-sasl":          {}, // tests
	"github.com/rogpeppe/go-internal":      {}, // tests
	"pgregory.net/rapid":                   {}, // tests
}

func ownersOf(library string) (rooms []string, known bool) {
	for p := library; p != "."; p = path.Dir(p) {
		if rooms, known = owners[p]; known {
			return rooms, true
		}
	}
	return nil, false
}

// Every room looks inward alone, and each library is used only in the rooms that own it.
func TestDependenciesPointInward(t *testing.T) {
	built, tests := sources(t)
	if len(built) < len(inward) {
		t.Fatalf("rooms: %v", built)
	}
	for room, files := range built {
		allowed, known := inward[room]
		if !known {
			t.Errorf("room %s has no place in the architecture", room)
		}
		for _, file := range files {
			for _, name := range importsOf(t, file) {
				first, _, _ := strings.Cut(name, "/")
				switch {
				case name == "C" || strings.Contains(first, "."):
					if rooms, _ := ownersOf(name); !slices.Contains(rooms, room) {
						t.Errorf("%s uses %s, which is for %v", file, name, rooms)
					}
				case first == "signet":
					if of := strings.TrimPrefix(name, "signet/"); !slices.Contains(allowed, of) {
						t.Errorf("%s looks into %s; %s may look into %v", file, of, room, allowed)
					}
				}
			}
		}
	}
	for _, files := range tests {
		for _, file := range files {
			for _, name := range importsOf(t, file) {
				if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
					if _, known := ownersOf(name); !known {
						t.Errorf("%s uses %s, which has no owner", file, name)
					}
				}
			}
		}
	}
}

// Every module that go.mod asks for directly has its line, with a reason, in docs/dependencies.md.
func TestEveryDependencyIsAccountedFor(t *testing.T) {
	module, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(top, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(module)) {
		name, _, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "require ")), " v")
		if ok && !strings.Contains(line, "// indirect") && !strings.Contains(string(page), name) {
			t.Errorf("docs/dependencies.md says nothing of %s", name)
		}
	}
}
