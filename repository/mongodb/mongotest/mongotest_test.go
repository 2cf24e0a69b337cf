package mongotest

import (
	"runtime"
	"testing"
)

func TestWithDatabase(t *testing.T) {
	for server, want := range map[string]string{
		"mongodb://h":                               "mongodb://h/d",
		"mongodb://h:1/?directConnection=true":      "mongodb://h:1/d?directConnection=true",
		"mongodb://h1,h2:2/x?replicaSet=r":          "mongodb://h1,h2:2/d?replicaSet=r",
		"mongodb://u:p@h/":                          "mongodb://u:p@h/d?authSource=admin",
		"mongodb://u:p@h/x?tls=true":                "mongodb://u:p@h/d?tls=true&authSource=x",
		"mongodb://u:p@h/x?authSource=y":            "mongodb://u:p@h/d?authSource=y",
		"mongodb://u@h/?authMechanism=MONGODB-X509": "mongodb://u@h/d?authMechanism=MONGODB-X509",
		"mongodb+srv://u:p@h":                       "mongodb+srv://u:p@h/d?authSource=admin",
	} {
		if got := withDatabase(server, "d"); got != want {
			t.Errorf("%s: got %s, want %s", server, got, want)
		}
	}
}

// outcome is a test that only says how it ended.
type outcome struct {
	testing.TB
	how string
}

func (o *outcome) Helper()               {}
func (o *outcome) Skipf(string, ...any)  { o.how = "skipped"; runtime.Goexit() }
func (o *outcome) Fatalf(string, ...any) { o.how = "failed"; runtime.Goexit() }

func TestWithoutServer(t *testing.T) {
	for _, c := range []struct{ ci, uri, want string }{
		{"", "", "skipped"}, {"true", "", "failed"}, {"", "mongodb://h", "given"}, {"true", "mongodb://h", "given"},
	} {
		t.Setenv("CI", c.ci)
		t.Setenv(Variable, c.uri)
		o := &outcome{}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if Server(o) == c.uri {
				o.how = "given"
			}
		}()
		<-ended
		if o.how != c.want {
			t.Errorf("CI=%q, URI %q: %s, want %s", c.ci, c.uri, o.how, c.want)
		}
	}
}
