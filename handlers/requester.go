package handlers

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shortened makes a header's value fit to be kept and shown: valid UTF-8, no control characters, at most n bytes.
func shortened(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	s = strings.ToValidUTF8(s, "")
	if strings.ContainsFunc(s, unicode.IsControl) {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, s)
	}
	return s
}

// preferredLocale is the language tag that an Accept-Language header (RFC 9110, section 12.5.4) wants most: the first of
// the highest weight among the first 16. "" when there is none. Whether mail is written in it is the mail's matter.
func preferredLocale(header string) string {
	best, bestWeight := "", 0.0
	for i := 0; header != "" && i < 16; i++ {
		var item string
		item, header, _ = strings.Cut(header, ",")
		tag, params, _ := strings.Cut(item, ";")
		tag = strings.TrimSpace(tag)
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			w, err := strconv.ParseFloat(q, 64)
			if err != nil || !(w >= 0 && w <= 1) {
				continue
			}
			weight = w
		}
		if weight > bestWeight && isLanguageTag(tag) {
			best, bestWeight = tag, weight
		}
	}
	return best
}

// isLanguageTag says whether s has the outer shape of a BCP 47 tag.
func isLanguageTag(s string) bool {
	if len(s) > 35 {
		return false
	}
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 {
			return false
		}
		for _, c := range []byte(part) {
			letter := c < utf8.RuneSelf && unicode.IsLetter(rune(c))
			digit := '0' <= c && c <= '9'
			if !letter && (i == 0 || !digit) {
				return false
			}
		}
	}
	return true
}
