package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// fault is one setting that is missing or wrong. Value is masked already when it is a secret.
type fault struct {
	Setting  string `json:"setting"`
	Source   string `json:"source"` // "" when the setting is not given anywhere
	Value    string `json:"value"`
	Expected string `json:"expected"`
}

func (f fault) String() string {
	return f.brief() + ": expected " + f.Expected
}

// quoteShort keeps a value on one line, and a huge one from filling the screen.
func quoteShort(v string) string {
	const most = 200
	if len(v) > most {
		v = v[:most] + "..."
	}
	return fmt.Sprintf("%q", v)
}

// faults is everything that is wrong with a configuration, told at once.
type faults []fault

func (f faults) Error() string {
	var b strings.Builder
	if len(f) == 1 {
		b.WriteString("one setting is missing or wrong:")
	} else {
		fmt.Fprintf(&b, "%d settings are missing or wrong:", len(f))
	}
	for _, one := range f {
		b.WriteString("\n  ")
		b.WriteString(one.String())
	}
	return b.String()
}

// plainCause says why a file can't be read, without the path, which the fault names already.
func plainCause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// has says whether a fault about this setting is known already, so that a check that builds on its value stays silent.
func (f faults) has(keys ...string) bool {
	return slices.ContainsFunc(f, func(one fault) bool {
		return slices.ContainsFunc(keys, func(k string) bool {
			name := envPrefix + strings.ToUpper(k)
			return one.Setting == name || one.Setting == name+"_FILE"
		})
	})
}

// brief is a fault without what was expected.
func (f fault) brief() string {
	switch {
	case f.Source == "":
		return f.Setting + " is not set"
	case f.Value == "":
		return fmt.Sprintf("%s (%s)", f.Setting, f.Source)
	default:
		return fmt.Sprintf("%s = %s (%s)", f.Setting, quoteShort(f.Value), f.Source)
	}
}
