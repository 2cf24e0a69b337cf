package main

import (
	"reflect"
	"strings"
)

// setting is one field of Config and what its tags say.
type setting struct {
	key     string // snake case: the YAML key
	preset  string // default as typed; "" for none
	help    string
	kind    string
	min     string
	max     string
	one     []string
	whole   bool
	secret  bool
	isList  bool
	index   int
	ofField reflect.Type
}

// env is the environment variable's name.
func (s *setting) env() string { return envPrefix + strings.ToUpper(s.key) }

// flag is the flag's name, without dashes.
func (s *setting) flag() string { return strings.ReplaceAll(s.key, "_", "-") }

const (
	envPrefix  = "SIGNET_"
	twinSuffix = "_file"
	// configKey names the YAML file itself: a flag and a variable, but no key in the file.
	configKey = "config"
)

// settings is the table, in the order of the struct.
var settings = readSettings()

func readSettings() []*setting {
	t := reflect.TypeFor[Config]()
	list := make([]*setting, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		s := &setting{
			key: f.Tag.Get("name"), preset: f.Tag.Get("default"), help: f.Tag.Get("help"), kind: f.Tag.Get("kind"),
			min: f.Tag.Get("min"), max: f.Tag.Get("max"), whole: f.Tag.Get("whole") == "true",
			secret: f.Tag.Get("secret") == "true", isList: f.Type.Kind() == reflect.Slice, index: i, ofField: f.Type,
		}
		if one := f.Tag.Get("one"); one != "" {
			s.one = strings.Split(one, "|")
		}
		list = append(list, s)
	}
	return list
}

// settingByKey finds a setting by its YAML key; nil when there is none.
func settingByKey(key string) *setting {
	for _, s := range settings {
		if s.key == key {
			return s
		}
	}
	return nil
}

// byKeyOrTwin finds a setting by its own key or that of its twin.
func byKeyOrTwin(key string) (s *setting, twin bool) {
	if s := settingByKey(key); s != nil {
		return s, false
	}
	if base, ok := strings.CutSuffix(key, twinSuffix); ok {
		if s := settingByKey(base); s != nil && s.secret {
			return s, true
		}
	}
	return nil, false
}

// nearest is the known key that a mistyped one most likely meant; "" when none is close.
func nearest(key string) string {
	best, bestDistance := "", 1+len(key)/4
	for _, s := range settings {
		if d := editDistance(key, s.key); d <= bestDistance {
			best, bestDistance = s.key, d-1
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
