package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every row of the table has a parser, a check of its kind, and a default that passes them.
func TestEverySettingOfTheTable(t *testing.T) {
	keys := map[string]bool{}
	for _, s := range settings {
		if s.key == "" || s.key != strings.ToLower(s.key) || keys[s.key] || s.help == "" {
			t.Errorf("setting %q: no name, not lower case, twice, or no help", s.key)
		}
		keys[s.key] = true
		if _, expected := parseValue(s, raw{text: s.preset}); s.preset != "" && expected != "" {
			t.Errorf("default of %s is not %s", s.key, expected)
		}
		if _, expected := parseValue(s, raw{text: "\x00"}); expected == "" {
			t.Errorf("%s takes a NUL", s.key)
		}
		zero := reflect.New(s.ofField).Elem()
		_ = formatValue(zero)
		if s.ofField == reflect.TypeFor[time.Duration]() && (s.min == "" || s.max == "") {
			t.Errorf("%s has no bounds", s.key)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "15m": 15 * time.Minute, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "0": 0, "0s": 0, "1h30m": 90 * time.Minute,
		"250ms": 250 * time.Millisecond,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%q = %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "5", "-5s", "+5s", "1d-2h", "d", "5 m", "1e3s", "99999999d", "1d2d", "300000000h", "5M"} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q passes as %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 36 * time.Hour: "36h", 720 * time.Hour: "30d", 90 * time.Second: "1m30s", time.Hour: "1h", 250 * time.Millisecond: "250ms",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%v as %q, want %q", d, got, want)
		}
	}
}

func TestIssuers(t *testing.T) {
	for _, text := range []string{"https://id.example.org", "https://id.example.org:8443", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:8080",
		"http://a.localhost", "https://10.0.0.1", "https://xn--bcher-kva.example"} {
		if expected := checkKind("issuer", text); expected != "" {
			t.Errorf("%s refused: %s", text, expected)
		}
	}
	for _, text := range []string{"", "id.example.org", "http://id.example.org", "https://ID.example.org", "HTTPS://id.example.org", "https://id.example.org/",
		"https://id.example.org/x", "https://id.example.org?x", "https://id.example.org#", "https://u@id.example.org", "https://id.example.org:443",
		"https://id.example.org:", "https://id.example.org:0", "https://id.example.org:99999", "https://id.example.org:08443", "https://", "https://a b", "ftp://a",
		"https://bücher.example", "https://a%41", "https://[::1%25eth0]", "https://*.example.org", "https://id.example.org.", "http://localhost.evil.example",
		"http://127.0.0.1.evil.example", "https://[0:0::1]", "null", "*"} {
		if checkKind("issuer", text) == "" {
			t.Errorf("issuer %q passes", text)
		}
		if checkKind("origin", text) == "" {
			t.Errorf("origin %q passes", text)
		}
	}
}

func TestOtherKinds(t *testing.T) {
	type example struct{ kind, text string }
	for _, right := range []example{
		{"listen", "127.0.0.1:8080"}, {"listen", ":0"}, {"listen", "[::1]:443"}, {"listen", "localhost:1"},
		{"smtp", "smtp://localhost:25"}, {"smtp", "smtps://u:p%40@mail.example.org"}, {"smtp", "smtp://mail.example.org/"},
		{"mongodb", "mongodb+srv://u:p@h/db"}, {"mailbox", "Signet <no-reply@example.org>"}, {"audience", "https://api.example.org/v1"},
	} {
		if expected := checkKind(right.kind, right.text); expected != "" {
			t.Errorf("%s %s refused: %s", right.kind, right.text, expected)
		}
	}
	for _, wrong := range []example{
		{"listen", "8080"}, {"listen", "127.0.0.1"}, {"listen", "127.0.0.1:http"}, {"listen", "127.0.0.1:70000"}, {"listen", "a b:1"},
		{"smtp", "mail.example.org:25"}, {"smtp", "http://mail.example.org"}, {"smtp", "smtp://"}, {"smtp", "smtp://h?x=1"}, {"smtp", "smtp://h/path"},
		{"smtp", "smtp://u:p\n@h"}, {"smtp", "smtp://h:0"}, {"smtp", "smtp://user@h"}, {"mongodb", "h:27017"}, {"mailbox", "nobody"}, {"mailbox", "a@b\r\nBcc: c@d"}, {"audience", "a b"},
	} {
		if checkKind(wrong.kind, wrong.text) == "" {
			t.Errorf("%s %q passes", wrong.kind, wrong.text)
		}
	}
}

func TestBudgetsAndSizes(t *testing.T) {
	for text, want := range map[string]Budget{"10/10m": {10, 10 * time.Minute}, "0": {}, "1/30d": {1, 720 * time.Hour}} {
		if got, expected := parseBudget(text); expected != "" || got != want {
			t.Errorf("%q = %v, %s", text, got, expected)
		}
	}
	for _, text := range []string{"", "10", "10/", "/10m", "-1/10m", "0/10m", "10/0s", "10/10m/1", "1.5/1m", "10 / 10m"} {
		if got, expected := parseBudget(text); expected == "" {
			t.Errorf("%q passes as %v", text, got)
		}
	}
	for text, want := range map[string]KiB{"19MiB": 19456, "19456KiB": 19456, "19456": 19456, "1GiB": 1 << 20} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q = %v", text, got)
		}
	}
	for _, text := range []string{"", "MiB", "-1MiB", "19MB", "9999999GiB", "1.5MiB"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q passes as %v", text, got)
		}
	}
}

func TestMasking(t *testing.T) {
	for text, want := range map[string]string{
		"smtp://user:hunter2@mail.example.org:587":                           "smtp://user:***@mail.example.org:587",
		"smtp://hunter2@mail.example.org":                                    "smtp://***@mail.example.org",
		"smtp://mail.example.org":                                            "smtp://mail.example.org",
		"mongodb://u:hunter2@a:1,b:2/db?replicaSet=r&authSource=admin":       "mongodb://u:***@a:1,b:2/db?replicaSet=r&authSource=admin",
		"mongodb://u:hun/ter@2@a:1/db":                                       "mongodb://u:***@a:1/db",
		"mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:hunter2&w=1": "mongodb://h/?authMechanismProperties=***&w=1",
		"mongodb://h/?tlsCertificateKeyFilePassword=hunter2":                 "mongodb://h/?tlsCertificateKeyFilePassword=***",
		"mongodb://u:hunt?er2@h/":                                            "mongodb://***",
		"hunter2":                                                            "***",
		"not a url://hunter2":                                                "***",
	} {
		if got := maskURL(text); got != want {
			t.Errorf("%q shown as %q, want %q", text, got, want)
		}
	}
}
