package mongodb

import (
	"errors"
	"strings"
	"testing"
)

func TestDatabaseName(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://h": "signet", "mongodb://h/": "signet", "mongodb://h/?w=1": "signet", "mongodb://h?w=1": "signet",
		"mongodb://h/auth": "auth", "mongodb://u:p%2F@h1:1,h2/auth?a=/b": "auth", "mongodb+srv://h/a%20b": "a b",
	} {
		if got, err := databaseName(uri); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", uri, got, err, want)
		}
	}
	if name, err := databaseName("mongodb://h/%zz"); err == nil {
		t.Errorf("got %q", name)
	}
}

func TestWithoutPassword(t *testing.T) {
	for uri, quoted := range map[string]string{
		"mongodb://u:s3cret@h":       "bad: mongodb://u:s3cret@h",
		"mongodb://u:s3cret%21@h/d":  "bad: s3cret! and s3cret%21",
		"mongodb://u:s3@cret@h":      "bad: s3@cret",
		"mongodb://u:s3:cret@h1,h2/": "bad: s3:cret",
	} {
		got := withoutPassword(uri, errors.New(quoted)).Error()
		for _, secret := range []string{"s3cret", "s3@cret", "s3:cret", "cret"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: %q", uri, got)
			}
		}
	}
	if got := withoutPassword("mongodb://h:port", errors.New("bad port")).Error(); got != "mongodb: bad port" {
		t.Errorf("got %q", got)
	}
}
