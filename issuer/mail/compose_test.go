package mail

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

var update = flag.Bool("update", false, "rewrite the golden letters")

const firefoxOnLinux = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

func testLetter(kind issuer.LetterKind) issuer.Letter {
	return Sample(kind, "ada@example.org", "", testDate)
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
	for _, kind := range kinds {
		m := compose(t, testLetter(kind))
		agreed(t, string(kind)+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
		agreed(t, string(kind)+".html", m.HTML)
	}
	for _, language := range []string{"de", "fr", "es", "ja", "zh"} {
		var all strings.Builder
		for _, kind := range kinds {
			l := testLetter(kind)
			l.Locale = language
			m := compose(t, l)
			all.WriteString("Subject: " + m.Subject + "\n\n" + m.Text + "\n========\n")
		}
		agreed(t, "all."+language+".txt", all.String())
	}
}

func agreed(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
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

var tags = regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`)

func TestTheCodeIsTheFirstNumberAndUnbroken(t *testing.T) {
	for language := range builtIn.languages {
		for _, kind := range kinds {
			if !carriesCode(kind) {
				continue
			}
			for _, code := range []string{"048213", "00000000", "1"} {
				l := testLetter(kind)
				l.Locale, l.Code = language, code
				m := compose(t, l)
				parts := map[string]string{"subject": m.Subject, "text": m.Text, "HTML as read": tags.ReplaceAllString(m.HTML, " ")}
				if kind == issuer.LetterReset {
					delete(parts, "subject")
					if strings.Contains(m.Subject, code) && code != "1" {
						t.Errorf("%s: the subject of a reset tells the code: %q", language, m.Subject)
					}
				}
				for part, text := range parts {
					if first := firstNumber.FindString(text); first != code {
						t.Errorf("%s %s: the first number of the %s is %q, not %q", language, kind, part, first, code)
					}
				}
				if !strings.HasPrefix(m.Text, code) {
					t.Errorf("%s %s: a preview would begin with %.40q", language, kind, m.Text)
				}
				if m.Code != code {
					t.Errorf("Code is %q", m.Code)
				}
			}
		}
	}
}

func TestLettersLoadNothingAndLinkNowhere(t *testing.T) {
	for _, kind := range kinds {
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
	english := builtIn.languages[fallback]
	for _, tag := range []string{"en", "de", "fr", "es", "ja", "zh"} {
		p, there := builtIn.languages[tag]
		if !there {
			t.Fatalf("%s is not spoken", tag)
		}
		if p.say("language") != tag || (p.direction() != "ltr" && p.direction() != "rtl") || len(p["months"]) != 12 {
			t.Errorf("%s: language %q, direction %q, %d months", tag, p.say("language"), p.direction(), len(p["months"]))
		}
		for name, texts := range english {
			compareTexts(t, tag, name, texts, p[name])
		}
		for name := range p {
			if _, there := english[name]; !there {
				t.Errorf("%s has %s, which English lacks", tag, name)
			}
		}
		for _, kind := range kinds {
			if _, there := p.wording(kind, strings.ToUpper); !there {
				t.Errorf("%s has no letter %s", tag, kind)
			}
		}
	}
	for name := range english {
		if kind, _, isLetter := strings.Cut(strings.TrimPrefix(name, "letters."), "."); isLetter && !slices.Contains(kinds, issuer.LetterKind(kind)) {
			t.Errorf("%s belongs to no kind of letter", name)
		}
	}
}

func compareTexts(t *testing.T, tag, name string, english, other []string) {
	t.Helper()
	if len(english) != len(other) {
		t.Errorf("%s: %s has %d texts, English %d", tag, name, len(other), len(english))
		return
	}
	for i, text := range other {
		if strings.TrimSpace(text) == "" || !slices.Equal(placeholders(english[i:i+1]), placeholders(other[i:i+1])) {
			t.Errorf("%s: %s is %q; English has %q", tag, name, text, english[i])
		}
	}
	if prose := len(english[0]) > 20; prose && tag != "en" && english[0] == other[0] && !strings.HasPrefix(name, "moment") {
		t.Errorf("%s: %s is not translated", tag, name)
	}
}

// Every kind that the issuer can post has its letter: the constants of its outbox are all named here.
func TestEveryKindHasALetter(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "outbox.go"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`Letter\w+\s+LetterKind\s+= "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(named) == 0 {
		t.Fatal("no kinds were found")
	}
	for _, n := range named {
		if !slices.Contains(kinds, issuer.LetterKind(n[1])) {
			t.Errorf("there is no letter for %s", n[1])
		}
	}
}

func TestLanguageOfALetter(t *testing.T) {
	spoken := languages{"en": {"language": {"en"}}, "xx": {"language": {"xx"}}, "xx-yyyy": {"language": {"xx-Yyyy"}}}
	for locale, want := range map[string]string{
		"": "en", "en": "en", "EN-gb": "en", "xx": "xx", "xx-AT": "xx", "xx_AT": "xx", "xx-Yyyy-ZZ": "xx-Yyyy", "qq": "en", "-": "en", "xxx": "en",
		"x\r\nBcc: eve": "en", strings.Repeat("xx-", 1000): "xx",
	} {
		if got := spoken.lookup(locale).say("language"); got != want {
			t.Errorf("%q is answered in %s, not %s", locale, got, want)
		}
	}
	for locale, want := range map[string]string{"zh-Hant-TW": "zh", "zh-HK": "zh", "de-CH": "de", "pt-BR": "en", "fr-CA": "fr", "ja-JP": "ja", "es-419": "es"} {
		if got := builtIn.languages.lookup(locale).say("language"); got != want {
			t.Errorf("%q is answered in %s, not %s", locale, got, want)
		}
	}
}

func TestMomentsAreWrittenAsTheLanguageDoes(t *testing.T) {
	at := time.Date(2026, time.March, 2, 23, 5, 59, 0, time.FixedZone("", 3600))
	for tag, want := range map[string]string{
		"en": "2 March 2026 at 22:05 UTC", "de": "2. März 2026, 22:05 Uhr UTC", "fr": "2 mars 2026 à 22:05 UTC", "es": "2 de marzo de 2026, 22:05 UTC",
		"ja": "2026年3月2日 22:05（UTC）", "zh": "2026年3月2日 22:05（UTC）",
	} {
		if got := builtIn.languages[tag].moment(at); got != want {
			t.Errorf("%s: %q, not %q", tag, got, want)
		}
	}
}

func TestDeviceIsNamedInWordsOfItsOwn(t *testing.T) {
	english := builtIn.languages[fallback]
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
		got := facts(builtIn.languages[fallback], l)
		if found := slices.Contains(got, want); found != (want != "") || len(got) != 2+len(want[:min(len(want), 1)]) {
			t.Errorf("%q: %q", ip, got)
		}
	}
	if got := facts(builtIn.languages[fallback], issuer.Letter{}); len(got) != 0 {
		t.Errorf("facts of nothing: %q", got)
	}
}

func TestValidityNamesTheEnd(t *testing.T) {
	for seconds, want := range map[int64]string{
		600: "14:32 UTC (10 minutes after", 60: "14:23 UTC (1 minute after", 59: "(1 minute after", 3600: "15:22 UTC (1 hour after",
		7200: "16:22 UTC (2 hours after", 5400: "15:52 UTC (90 minutes after", 86400: "3 January 2026 at 14:22 UTC (24 hours after",
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
	for _, bad := range []string{"", "auth.example.org", "https://", "https://x.org\r\n"} {
		if _, err := NewComposer(bad, ""); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	c, err := NewComposer("http://[::1]:8080", "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Compose("x", time.Now(), testLetter(issuer.LetterMailTest))
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "Mail from ::1 works" || !strings.HasSuffix(m.MessageID, "@localhost") {
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
