package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// testsOf are the names of the test functions of each room.
func testsOf(t *testing.T) map[string]map[string]bool {
	t.Helper()
	_, files := sources(t)
	found := map[string]map[string]bool{}
	for room, names := range files {
		found[room] = map[string]bool{}
		for _, name := range names {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					found[room][f.Name.Name] = true
				}
			}
		}
	}
	return found
}

const requirements = 116

var namedTest = regexp.MustCompile("`([a-z/]+): ((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// docs/conformance.md has one row for each requirement, in order; what is met names tests, and every test that it names is there.
func TestConformancePageHolds(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(top, "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, next := testsOf(t), 1
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		number, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			continue
		}
		if number != next || len(cells) != 4 || strings.TrimSpace(cells[1]) == "" || strings.TrimSpace(cells[3]) == "" {
			t.Fatalf("not the row of requirement %d: %s", next, line)
		}
		next++
		named := namedTest.FindAllStringSubmatch(cells[3], -1)
		switch status := strings.TrimSpace(cells[2]); status {
		case "met":
			if len(named) == 0 {
				t.Errorf("requirement %d is met by no test", number)
			}
		case "later", "does not apply":
		default:
			t.Errorf("requirement %d has the status %q", number, status)
		}
		if all := strings.Count(cells[3], ": Test") + strings.Count(cells[3], ": Fuzz"); all != len(named) {
			t.Errorf("requirement %d: a test is not named like `room: TestName`: %s", number, cells[3])
		}
		for _, n := range named {
			if !tests[n[1]][n[2]] {
				t.Errorf("requirement %d: there is no test %s in %s", number, n[2], n[1])
			}
		}
	}
	if next != requirements+1 {
		t.Errorf("%d rows of %d", next-1, requirements)
	}
}
