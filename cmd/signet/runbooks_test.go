package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Every command of the runbooks can be typed: it is there, and has the flags that it is given.
func TestRunbooksNameCommandsThatExist(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(top, "docs", "runbooks", "*.md"))
	if err != nil || len(pages) < 2 {
		t.Fatalf("runbooks %v, %v", pages, err)
	}
	commands := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range typed(string(content)) {
			commands++
			if err := checkTyped(line); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(page), line, err)
			}
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands were found", commands)
	}
}

// typed are the command lines of signet on a page: lines of code blocks, and code within a sentence.
func typed(page string) (lines []string) {
	block := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			block = !block
			continue
		}
		if block {
			line, _, _ = strings.Cut(line, " #")
			if _, command, found := strings.Cut(" "+line, " signet "); found {
				lines = append(lines, command)
			}
			continue
		}
		for i, code := range strings.Split(line, "`") {
			if command, found := strings.CutPrefix(code, "signet "); found && i%2 == 1 {
				lines = append(lines, command)
			}
		}
	}
	return lines
}

// checkTyped says what is wrong with a command line, given without the program's name.
func checkTyped(line string) error {
	for _, shell := range []string{" > ", " < ", " | "} {
		line, _, _ = strings.Cut(line, shell)
	}
	words := strings.Fields(line)
	root := newRoot(&program{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	command, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if command.HasSubCommands() {
		return fmt.Errorf("%s holds commands and is none", command.CommandPath())
	}
	for _, word := range rest {
		flag, isFlag := strings.CutPrefix(word, "--")
		flag, _, _ = strings.Cut(flag, "=")
		if isFlag && lookup(flag, command.Flags(), command.InheritedFlags()) == nil {
			return fmt.Errorf("%s has no flag --%s", command.CommandPath(), flag)
		}
	}
	return nil
}

func lookup(name string, sets ...*pflag.FlagSet) *pflag.Flag {
	for _, s := range sets {
		if f := s.Lookup(name); f != nil {
			return f
		}
	}
	return nil
}
