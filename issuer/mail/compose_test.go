package mail

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

var update = flag.Bool("update", false, "rewrite the golden letters")

var letterKinds = []issuer.LetterKind{issuer.LetterCode, issuer.LetterWelcome, issuer.LetterTaken, issuer.LetterReuse, issuer.LetterMailTest}

const firefoxOnLinux = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

func testLetter(kind issuer.LetterKind) issuer.Letter {
	l := issuer.Letter{Kind: kind, To: "ada@example.org", At: testDate}
	if kind != issuer.LetterMailTest {
		l.UserAgent, l.IP = firefoxOnLinux, "203.0.113.7"
	}
	if kind == issuer.LetterCode || kind == issuer.LetterWelcome {
		l.Code, l.ExpiresIn = "048213", 600
	}
	return l
}

// The host has digits of its own, which must not be taken for the code.
func testComposer(t testing.TB) Composer {
	t.Helper()
	c, err := NewComposer("https://auth2.example.org:8443", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compose(t *testing.T, l issuer.Letter) Message {
	t.Helper()
	m, err := testComposer(t).Compose("cause/1", testDate, l)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLettersAreAsAgreed(t *testing.T) {
	for _, kind := range letterKinds {
		m := compose(t, testLetter(kind))
		for extension, got := range map[string]string{".txt": "Subject: " + m.Subject + "\n\n" + m.Text, ".html": m.HTML} {
			file := filepath.Join("testdata", string(kind)+extension)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs (go test -update rewrites it):\n%s", file, got)
			}
		}
	}
}

var (
	number = regexp.MustCompile(`[0-9]+`)
	tags   = regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`)
)

func TestTheCodeIsTheFirstNumberAndUnbroken(t *testing.T) {
	for language := range languages {
		for _, kind := range []issuer.LetterKind{issuer.LetterCode, issuer.LetterWelcome} {
			for _, code := range []string{"048213", "00000000", "1"} {
				l := testLetter(kind)
				l.Locale, l.Code = language, code
				m := compose(t, l)
				for part, text := range map[string]string{"subject": m.Subject, "text": m.Text, "HTML as read": tags.ReplaceAllString(m.HTML, " ")} {
					if first := number.FindString(text); first != code {
						t.Errorf("%s %s: the first number of the %s is %q, not %q", language, kind, part, first, code)
					}
				}
				if m.Code != code {
					t.Errorf("Code is %q", m.Code)
				}
			}
		}
	}
}

func TestLettersLoadNothingAndLinkNowhere(t *testing.T) {
	for _, kind := range letterKinds {
		m := compose(t, testLetter(kind))
		for _, forbidden := range []string{"http:", "https:", "//", "src=", "href", "url(", "@import", "<img", "<link", "<script", "<a "} {
			if strings.Contains(strings.ToLower(m.HTML), forbidden) {
				t.Errorf("%s: HTML has %q", kind, forbidden)
			}
		}
		if strings.Contains(m.Text, "://") || strings.Contains(m.Text, "<no value>") || strings.Contains(m.HTML, "ZgotmplZ") {
			t.Errorf("%s: text %q", kind, m.Text)
		}
	}
}

func TestEveryLanguageSaysEverything(t *testing.T) {
	english := languages[fallback]
	if english.Language != "en" {
		t.Fatal("there is no English")
	}
	for tag, p := range languages {
		if !strings.EqualFold(p.Language, tag) || (p.Direction != "ltr" && p.Direction != "rtl") {
			t.Errorf("%s: language %q, direction %q", tag, p.Language, p.Direction)
		}
		compareStrings(t, tag, "", reflect.ValueOf(english), reflect.ValueOf(p))
		for _, w := range []wording{p.Code, p.Welcome} {
			if !strings.HasPrefix(w.Subject, "{code}") {
				t.Errorf("%s: subject %q does not begin with the code", tag, w.Subject)
			}
		}
	}
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

func compareStrings(t *testing.T, tag, where string, english, other reflect.Value) {
	t.Helper()
	switch english.Kind() {
	case reflect.Struct:
		for i := range english.NumField() {
			compareStrings(t, tag, where+"."+english.Type().Field(i).Name, english.Field(i), other.Field(i))
		}
	case reflect.Slice:
		if english.Len() != other.Len() {
			t.Errorf("%s: %s has %d paragraphs, English %d", tag, where, other.Len(), english.Len())
			return
		}
		for i := range english.Len() {
			compareStrings(t, tag, where, english.Index(i), other.Index(i))
		}
	case reflect.String:
		want, got := placeholder.FindAllString(english.String(), -1), placeholder.FindAllString(other.String(), -1)
		slices.Sort(want)
		slices.Sort(got)
		if strings.TrimSpace(other.String()) == "" || !slices.Equal(slices.Compact(want), slices.Compact(got)) {
			t.Errorf("%s: %s is %q; English has %q", tag, where, other, english)
		}
	default:
		t.Fatalf("%s is a %s", where, english.Kind())
	}
}

func TestLanguageOfALetter(t *testing.T) {
	languages["xx"] = phrases{Language: "xx"}
	languages["xx-yyyy"] = phrases{Language: "xx-Yyyy"}
	defer delete(languages, "xx")
	defer delete(languages, "xx-yyyy")
	for locale, want := range map[string]string{
		"": "en", "en": "en", "EN-gb": "en", "xx": "xx", "xx-AT": "xx", "xx_AT": "xx", "xx-Yyyy-ZZ": "xx-Yyyy", "qq": "en", "-": "en", "xxx": "en",
		"x\r\nBcc: eve": "en", strings.Repeat("xx-", 1000): "xx",
	} {
		if got := phrasesFor(locale).Language; got != want {
			t.Errorf("%q is answered in %s, not %s", locale, got, want)
		}
	}
}

func TestDeviceIsNamedInWordsOfItsOwn(t *testing.T) {
	english := languages[fallback]
	for userAgent, want := range map[string]string{
		firefoxOnLinux: "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                      "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1":     "Chrome on iOS",
		"Mozilla/5.0 (Linux; Android 14; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
		"curl/8.5.0":                          "curl",
		"python-requests/2.3":                 "python-requests",
		"okhttp":                              "okhttp",
		"":                                    "unknown",
		"Mozilla/5.0":                         "unknown",
		"call +1 800 555":                     "unknown",
		"evil.example.com":                    "unknown",
		"<script>alert(1)</script>":           "unknown",
		"\u202egnp.exe Firefox/1\r\nBcc: eve": "Firefox",
		"مرحبا بالعالم (Linux)":               "Linux",
		"漢字/1.0":                              "unknown",
		"\xff\xfe\x00":                        "unknown",
		strings.Repeat("a", 100000):           "unknown",
		strings.Repeat("漢", 1000) + " Firefox/1.0": "unknown",
	} {
		if got := describeDevice(english, userAgent); got != want {
			t.Errorf("%.60q is named %q, not %q", userAgent, got, want)
		}
		l := testLetter(issuer.LetterCode)
		l.UserAgent = userAgent
		if m := compose(t, l); strings.ContainsAny(m.Text+m.HTML, "\u202e\x00\r") || strings.Contains(m.HTML, "<script") || strings.Contains(m.Text, "Bcc") {
			t.Errorf("%.60q got into the letter", userAgent)
		}
	}
}

func TestFactsLeaveOutWhatIsNoFact(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.7": "IP address: 203.0.113.7", "::ffff:203.0.113.7": "IP address: 203.0.113.7", "2001:db8::1": "IP address: 2001:db8::1",
		"": "", "evil.example.com": "", "fe80::1%evil": "", "1.2.3.4\r\nx": "",
	} {
		l := issuer.Letter{UserAgent: "curl/8", IP: ip, At: testDate}
		got := facts(languages[fallback], l)
		if found := slices.Contains(got, want); found != (want != "") || len(got) != 2+len(want[:min(len(want), 1)]) {
			t.Errorf("%q: %q", ip, got)
		}
	}
	if got := facts(languages[fallback], issuer.Letter{}); len(got) != 0 {
		t.Errorf("facts of nothing: %q", got)
	}
}

func TestValidityNamesTheEnd(t *testing.T) {
	for seconds, want := range map[int64]string{
		600: "14:32 UTC (10 minutes after", 60: "14:23 UTC (1 minute after", 59: "(1 minute after", 3600: "15:22 UTC (1 hour after",
		7200: "16:22 UTC (2 hours after", 5400: "15:52 UTC (90 minutes after", 86400: "2026-01-03 14:22 UTC (24 hours after",
	} {
		l := testLetter(issuer.LetterCode)
		l.ExpiresIn = seconds
		if m := compose(t, l); !strings.Contains(m.Text, want) {
			t.Errorf("%d s: %q", seconds, m.Text)
		}
	}
}

func TestComposeRefusesWhatCantBeALetter(t *testing.T) {
	bad := map[string]func(*issuer.Letter){
		"kind":                 func(l *issuer.Letter) { l.Kind = "invoice" },
		"no code":              func(l *issuer.Letter) { l.Code = "" },
		"code of words":        func(l *issuer.Letter) { l.Code = "12 34" },
		"code of lines":        func(l *issuer.Letter) { l.Code = "123456\r\nBcc: eve@example.org" },
		"code of other digits": func(l *issuer.Letter) { l.Code = "١٢٣٤٥٦" },
		"recipient":            func(l *issuer.Letter) { l.To = "ada@example.org\r\nBcc: eve@example.org" },
		"no recipient":         func(l *issuer.Letter) { l.To = "" },
	}
	for name, spoil := range bad {
		l := testLetter(issuer.LetterCode)
		spoil(&l)
		if _, err := testComposer(t).Compose("cause/1", testDate, l); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		} else if strings.Contains(err.Error(), "ada") || strings.Contains(err.Error(), "123456") {
			t.Errorf("%s: the error repeats it: %v", name, err)
		}
	}
}

func TestNewComposer(t *testing.T) {
	for _, bad := range [][2]string{{"", ""}, {"auth.example.org", ""}, {"https://", "X"}, {"https://x.org", "A\r\nBcc: eve"}, {"https://x.org", strings.Repeat("n", 61)}, {"https://x.org", "\xff"}} {
		if _, err := NewComposer(bad[0], bad[1]); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	c, err := NewComposer("http://[::1]:8080", "Größe <b>{code}</b>")
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Compose("x", time.Now(), testLetter(issuer.LetterMailTest))
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "Mail from Größe <b>{code}</b> works" || strings.Contains(m.HTML, "<b>") || !strings.HasSuffix(m.MessageID, "@localhost") {
		t.Errorf("subject %q, id %q", m.Subject, m.MessageID)
	}
}

func TestMessageIDIsStableAndTellsNothing(t *testing.T) {
	c := testComposer(t)
	a, b := c.messageID("reuse:sid-of-a-session"), c.messageID("reuse:sid-of-another")
	if a == b || a != c.messageID("reuse:sid-of-a-session") || strings.Contains(a, "sid") || !strings.HasSuffix(a, "@auth2.example.org") {
		t.Errorf("%s and %s", a, b)
	}
}
