package issuer

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const emailMaxBytes = 254

// domains maps a mail domain to its A-label (UTS 46, non-transitional), refusing what no DNS name can be.
var domains = idna.New(
	idna.MapForLookup(),
	idna.StrictDomainName(true),
	idna.ValidateLabels(true),
	idna.CheckHyphens(true),
	idna.BidiRule(),
	idna.VerifyDNSLength(true),
)

// CanonicalEmail is the one form of an address that is stored, shown, mailed to and compared: trimmed, NFC,
// lower-cased whole, the domain as an A-label, the local part an ASCII dot-string (RFC 5321), at most 254 bytes.
// Dots and +tags are kept. The error says what is wrong, for the field's owner.
func CanonicalEmail(s string) (string, error) {
	if len(s) > 4*emailMaxBytes {
		return "", errors.New("must be at most 254 bytes")
	}
	if !utf8.ValidString(s) {
		return "", errors.New("must be UTF-8")
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return "", errors.New("must be an address like name@example.org")
	}
	local, domain := s[:at], s[at+1:]
	if !dotString(local) {
		return "", errors.New("the part before @ must be 1 to 64 ASCII letters, digits or !#$%&'*+/=?^_`{|}~- with single dots between")
	}
	ascii, err := domains.ToASCII(domain)
	if err != nil || !strings.Contains(ascii, ".") || strings.HasSuffix(ascii, ".") {
		return "", errors.New("the part after @ must be a domain name like example.org")
	}
	out := strings.ToLower(local) + "@" + ascii // after the check: İ lower-cases to i
	if len(out) > emailMaxBytes {
		return "", errors.New("must be at most 254 bytes")
	}
	return out, nil
}

// dotString is RFC 5321's Dot-string, at most 64 bytes.
func dotString(s string) bool {
	if len(s) > 64 {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, notAtext) {
			return false
		}
	}
	return true
}

// notAtext is the complement of RFC 5322's atext.
func notAtext(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// emailHint masks a canonical address for whoever holds a challenge: `a***@e***.org`.
func emailHint(canonical string) string {
	at := strings.LastIndexByte(canonical, '@')
	local, domain := canonical[:at], canonical[at+1:]
	dot := strings.LastIndexByte(domain, '.')
	return local[:1] + "***@" + domain[:1] + "***" + domain[dot:]
}
