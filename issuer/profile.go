package issuer

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// CanonicalUsername gives a username as it is shown (NFKC) and as it is compared (NFKC and case-folded).
// The rule is Django's: 1 to 150 letters, digits and @.+-_ of any script.
func CanonicalUsername(s string) (display, key string, err error) {
	const rule = "must be 1 to 150 letters, digits or @.+-_"
	if len(s) > 150*utf8.UTFMax {
		return "", "", errors.New(rule)
	}
	display = norm.NFKC.String(s)
	if n := utf8.RuneCountInString(display); n < 1 || n > 150 || !utf8.ValidString(display) {
		return "", "", errors.New(rule)
	}
	for _, r := range display {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("@.+-_", r) {
			return "", "", errors.New(rule)
		}
	}
	return display, norm.NFKC.String(cases.Fold().String(display)), nil
}

// cleanName is a given or family name: NFC, trimmed, at most 150 characters, none of them a control character. "" is none.
func cleanName(s string) (string, error) {
	if len(s) > 150*utf8.UTFMax || !utf8.ValidString(s) {
		return "", errors.New("must be at most 150 characters")
	}
	s = strings.TrimSpace(norm.NFC.String(s))
	if utf8.RuneCountInString(s) > 150 {
		return "", errors.New("must be at most 150 characters")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("must not hold control characters")
	}
	return s, nil
}

// canonicalLocale is a well-formed BCP 47 tag in its canonical case. "" is none.
func canonicalLocale(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if len(s) > 35 {
		return "", errors.New("must be a BCP 47 language tag of at most 35 characters")
	}
	tag, err := language.Parse(s)
	if err != nil {
		return "", errors.New("must be a BCP 47 language tag such as en or pt-BR")
	}
	return tag.String(), nil
}
