package mail

import (
	"strings"
	"testing"
)

func TestParseSMTPURL(t *testing.T) {
	good := map[string]string{
		"smtp://mail.example.org":                                   "mail.example.org:587",
		"smtps://mail.example.org/":                                 "mail.example.org:465",
		"smtp://u:p@mail.example.org:2525":                          "mail.example.org:2525",
		"smtp://relay%40example.org:a%2Fb%23c%40d@mail.example.org": "mail.example.org:587",
		"smtps://u:p@[2001:db8::1]:465?auth=login":                  "[2001:db8::1]:465",
		"smtp://u:p@localhost:1025?auth=auto":                       "localhost:1025",
	}
	for raw, address := range good {
		u, err := ParseSMTPURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		} else if hostPort(u) != address {
			t.Errorf("%s: connects to %s", raw, hostPort(u))
		}
	}
	bad := []string{
		"", "SECRET", "mail.example.org:587", "http://u:SECRET@mail.example.org", "user:SECRET@mail.example.org:587", "smtp:u:SECRET@host",
		"smtp://", "smtp://u:SECRET@", "smtp://u:SECRET@:587", "smtp://u:SECRET@mail.example.org:0", "smtp://u:SECRET@mail.example.org:70000",
		"smtp://u:SECRET@mail.example.org:x", "smtp://u:SE#SECRET@mail.example.org", "smtp://u:25#SECRET@mail.example.org", "smtp://u:25/SECRET@mail.example.org",
		"smtp://u:25?SECRET@mail.example.org", "smtp://u:SECRET%@mail.example.org", "smtp://u:SECRET%0d%0aRSET@mail.example.org", "smtp://u@mail.example.org",
		"smtp://u:@mail.example.org", "smtp://:SECRET@mail.example.org", "smtp://u:SECRET@mail.example.org/SECRET", "smtp://u:SECRET@mail.example.org?tls=none",
		"smtp://u:SECRET@mail.example.org?auth=SECRET", "smtp://u:SECRET@mail.example.org?auth=plain&auth=login", "smtp://mail.example.org?auth=plain",
		"smtp://u:SECRET@mäil.example.org", "smtp://u:SECRET@mail.example.org\r\n", "smtp://u:SECRET@mail example.org", "smtp://u:SECRET@mail.example.org?%zz",
	}
	for _, raw := range bad {
		u, err := ParseSMTPURL(raw)
		if err == nil {
			t.Errorf("%q was taken as %v", raw, u)
		} else if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "u:") {
			t.Errorf("%q: the error repeats it: %v", raw, err)
		}
	}
}

func FuzzParseSMTPURL(f *testing.F) {
	f.Add("smtp://u:p@mail.example.org:587")
	f.Add("smtps://[::1]?auth=plain")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := ParseSMTPURL(raw)
		if err == nil && (u.Hostname() == "" || hostPort(u) == "") {
			t.Errorf("%q was taken without a host", raw)
		}
	})
}

func TestParseFrom(t *testing.T) {
	for raw, want := range map[string]string{
		"no-reply@example.org":                   "<no-reply@example.org>",
		"Example <no-reply@example.org>":         `"Example" <no-reply@example.org>`,
		"\"Größe, Ltd.\" <no-reply@example.org>": "=?utf-8?b?R3LDtsOfZSwgTHRkLg==?= <no-reply@example.org>",
	} {
		from, err := ParseFrom(raw)
		if err != nil || from.String() != want {
			t.Errorf("%s: %v, %v", raw, from, err)
		}
	}
	for _, raw := range []string{"", "nobody", "a@b, c@d", "X <a@b>\r\nBcc: c@d", "\"X\r\n Y\" <a@b>", "ü@example.org", "a@example.org\n", "=?utf-8?q?a=0Ab?= <a@example.org>"} {
		if from, err := ParseFrom(raw); err == nil {
			t.Errorf("%q was taken as %v", raw, from)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "mail.localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"localhost.example.org": false, "0.0.0.0": false, "mail": false, "10.0.0.1": false, "notlocalhost": false, "": false,
	} {
		if isLoopback(host) != want {
			t.Errorf("isLoopback(%q) is not %t", host, want)
		}
	}
}
