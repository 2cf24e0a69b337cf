package mail

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"signet/issuer"
)

var (
	languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
	firstNumber = regexp.MustCompile(`[0-9]+`)
)

// tryAll lays out every kind of letter in every language, so that a folder of templates is found wrong when the server starts, not when a code
// is waited for.
func (c Composer) tryAll(dir string) error {
	at := time.Date(2030, time.December, 31, 23, 59, 0, 0, time.UTC)
	tags := make([]string, 0, len(c.languages))
	for tag := range c.languages {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	for _, tag := range tags {
		for _, kind := range kinds {
			m, err := c.Compose("try", at, Sample(kind, "ada@example.org", tag, at))
			if err != nil {
				return fmt.Errorf("mail templates: in %s: letter %s in %s: %w", dir, kind, tag, err)
			}
			if _, html := c.layouts(kind); !strings.Contains(m.HTML, m.Code) {
				return fmt.Errorf("mail templates: %s, line 1: the HTML of letter %s in %s does not show the code", filepath.Join(dir, html.Name()), kind, tag)
			}
			if first := firstNumber.FindString(m.Text); carriesCode(kind) && first != m.Code {
				text, _ := c.layouts(kind)
				return fmt.Errorf("mail templates: %s, line 1, or %s.json: in the text of letter %s the first number is %q, and has to be the code",
					filepath.Join(dir, text.Name()), tag, kind, first)
			}
		}
	}
	return nil
}

// Sample is a letter of a kind as a request from a browser makes it, with a code that opens nothing.
func Sample(k issuer.LetterKind, to, locale string, at time.Time) issuer.Letter {
	l := issuer.Letter{Kind: k, To: to, Locale: locale, At: at}
	switch k {
	case issuer.LetterMailTest, issuer.LetterInvite, issuer.LetterDeleted:
	default:
		l.UserAgent, l.IP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "203.0.113.7"
	}
	if carriesCode(k) {
		l.Code, l.ExpiresIn = "048213", 600
	}
	if k == issuer.LetterReset {
		l.Code = "04821357"
	}
	return l
}

// Kinds are the kinds of letters, for who tries one.
func Kinds() []issuer.LetterKind { return slices.Clone(kinds) }
