package issuer

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The rules for a new password are those of NIST SP 800-63B-4, section 3.1.1.2: length and a blocklist, no composition
// rules, no forced change. Eight characters are enough because a second step always follows.

const (
	passwordMinRunes = 8
	passwordMaxBytes = 1024
	contextMinRunes  = 3 // shorter words are in any password
)

// The program carries the list packed, a third of its size. A test holds the packed one to common.txt.
//
//go:generate sh -c "gzip -9 -n -c blocklist/common.txt > blocklist/common.txt.gz"
//go:embed blocklist/common.txt.gz
var packedPasswords []byte

// commonLines indexes the list by line; it is sorted by bytes.
var commonLines = sync.OnceValue(func() []string {
	r, err := gzip.NewReader(bytes.NewReader(packedPasswords))
	if err != nil {
		panic("blocklist: " + err.Error()) // it is built in
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic("blocklist: " + err.Error())
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
})

// normalPassword is the form that is hashed: NFC, nothing cut off.
func normalPassword(s string) string { return norm.NFC.String(s) }

// checkPassword refuses a new password that is too short, too long, common, or made of what the account shows.
// context are words an attacker would try first: address, names, the service's own.
func checkPassword(password string, context ...string) error {
	switch {
	case len(password) > passwordMaxBytes || !utf8.ValidString(password):
		return weak("must be at most 1024 bytes of UTF-8")
	case utf8.RuneCountInString(password) < passwordMinRunes:
		return weak("must have at least 8 characters")
	}
	lower := strings.ToLower(password)
	switch {
	case common(lower):
		return weak("is among the most common passwords")
	case fewCharacters(lower):
		return weak("repeats one or two characters")
	case resembles(lower, context):
		return weak("is too close to your address, your name or this service's name")
	}
	return nil
}

func weak(message string) error {
	return refusal(KindWeakPassword, "The password "+message+".")
}

func common(lower string) bool {
	lines := commonLines()
	i := sort.SearchStrings(lines, lower)
	return i < len(lines) && lines[i] == lower
}

func fewCharacters(s string) bool {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) <= 2
}

// resembles says whether fewer than four characters are left once the texts of the context are taken out, whole and word by word, the longest first.
func resembles(lower string, context []string) bool {
	var known []string
	for _, text := range context {
		text = strings.ToLower(norm.NFC.String(text))
		known = append(append(known, text), strings.FieldsFunc(text, notAlphanumeric)...)
	}
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	rest := lower
	for _, word := range known {
		if utf8.RuneCountInString(word) >= contextMinRunes {
			rest = strings.ReplaceAll(rest, word, "")
		}
	}
	return len(rest) < len(lower) && utf8.RuneCountInString(rest) < 4
}

func notAlphanumeric(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
