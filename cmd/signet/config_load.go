package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Flags win over SIGNET_* variables, those over the YAML file, that over the defaults. Each layer is read into raw values first;
// only then is the winner of each setting parsed, so that a wrong value that nothing uses is not in anybody's way, and every
// fault of those used is known before the first is told.

// raw is a setting's value as one layer gives it.
type raw struct {
	text   string
	list   []string // of a YAML sequence; nil otherwise
	source string   // "default", "derived: ...", "environment", "flag --x", "config.yaml:3", "file F named by ..."
}

// layer is what one source gives, by YAML key, twins included.
type layer map[string]raw

// input is where a configuration comes from.
type input struct {
	flags   layer    // what the command line gives
	environ []string // as os.Environ
	file    string   // --config; "" leaves it to SIGNET_CONFIG
}

// loaded is a configuration with the provenance of every value.
type loaded struct {
	Config
	source   map[string]string // by key; "" is not set
	warnings []string
}

// load reads every layer and parses the settings named by uses (nil for all). On error the result holds what could be read, and
// the error is faults: all of them.
func load(in input, uses []string) (*loaded, error) {
	l := &loaded{source: map[string]string{}}
	env, warnings := environmentLayer(in.environ)
	l.warnings = warnings
	var wrong faults

	path := in.file
	if path == "" {
		path = env[configKey].text
	}
	var file layer
	if path != "" {
		var more faults
		file, more = readYAMLFile(path)
		wrong = append(wrong, more...)
	}
	for _, s := range settings {
		if uses != nil && !slices.Contains(uses, s.key) {
			continue
		}
		value, set, fault := pick(s, in.flags, env, file)
		if fault != nil {
			wrong = append(wrong, *fault)
		}
		if !set {
			continue
		}
		l.source[s.key] = value.source
		if fault := l.assign(s, value); fault != nil {
			wrong = append(wrong, *fault)
		}
	}
	l.derive()
	if len(wrong) > 0 {
		return l, wrong
	}
	return l, nil
}

// pick finds the strongest layer that gives a setting, itself or through its twin. False when it stays unset.
func pick(s *setting, layers ...layer) (raw, bool, *fault) {
	for _, at := range layers {
		direct, given := at[s.key]
		var twin raw
		hasTwin := false
		if s.secret {
			twin, hasTwin = at[s.key+twinSuffix]
		}
		switch {
		case given && hasTwin:
			return raw{}, false, &fault{Setting: s.env(), Source: direct.source, Value: masked(s, direct.text),
				Expected: "either it or " + s.env() + "_FILE, not both"}
		case given:
			return direct, direct.text != "" || direct.list != nil, nil
		case hasTwin:
			return readTwin(s, twin)
		}
	}
	return raw{text: s.preset, source: "default"}, s.preset != "", nil
}

// twinLimit is far above any URI and far below what a mistyped path could fill memory with.
const twinLimit = 64 << 10

// readTwin reads the file that a _FILE twin names. One trailing line break is not part of the value.
func readTwin(s *setting, twin raw) (raw, bool, *fault) {
	wrong := &fault{Setting: s.env() + "_FILE", Source: twin.source, Value: shownName(twin.text)}
	data, err := readSmallFile(twin.text, twinLimit)
	if err != nil {
		wrong.Expected = "a readable file: " + plainCause(err)
		return raw{}, false, wrong
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		wrong.Expected = "a file that is not empty"
		return raw{}, false, wrong
	}
	return raw{text: text, source: fmt.Sprintf("file %s, named by %s_FILE (%s)", twin.text, s.env(), twin.source)}, true, nil
}

// assign parses a value into its field.
func (l *loaded) assign(s *setting, v raw) *fault {
	parsed, expected := parseValue(s, v)
	if expected != "" {
		return &fault{Setting: s.env(), Source: v.source, Value: masked(s, v.shown()), Expected: expected}
	}
	l.field(s).Set(reflect.ValueOf(parsed))
	return nil
}

// field is the settable field of a setting.
func (l *loaded) field(s *setting) reflect.Value {
	return reflect.ValueOf(&l.Config).Elem().Field(s.index)
}

func (v raw) shown() string {
	if v.list != nil {
		return strings.Join(v.list, ",")
	}
	return v.text
}

// environmentLayer takes the SIGNET_* variables. An empty one counts as not set: that is what compose files and unit files pass for
// a variable that nobody gave. Unknown ones are warnings, because an orchestrator may set variables of its own.
func environmentLayer(environ []string) (layer, []string) {
	found := layer{}
	var warnings []string
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours || value == "" {
			continue
		}
		key := strings.ToLower(rest)
		s, _ := byKeyOrTwin(key)
		switch {
		case strings.ToUpper(rest) == rest && (s != nil || key == configKey):
			found[key] = raw{text: value, source: "environment"}
		case strings.HasPrefix(rest, "TEST_"), strings.HasPrefix(rest, "SERVICE_"), strings.HasPrefix(rest, "PORT"):
		default:
			warnings = append(warnings, "unknown variable "+shownName(name)+" is ignored"+suggestion(key, func(k string) string {
				return envPrefix + strings.ToUpper(k)
			}))
		}
	}
	slices.Sort(warnings)
	return found, warnings
}

// shownName is a name or a path as an operator typed it, made harmless: where somebody put the secret itself there, it is masked, and what
// a terminal would obey is escaped.
func shownName(name string) string {
	if strings.Contains(name, "://") {
		return maskURL(name)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return strconv.Quote(name)
	}
	return name
}

func suggestion(key string, as func(string) string) string {
	if near := nearest(key); near != "" {
		return "; did you mean " + as(near) + "?"
	}
	return ""
}

// readSmallFile reads a regular file of at most limit bytes.
func readSmallFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file")
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return os.ReadFile(path)
}
