package main

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"signet/issuer/mail"
)

// checkKind says what was expected of a text of that kind, or "" when it is right.
func checkKind(kind, text string) string {
	switch {
	case strings.ContainsFunc(text, isControl):
		return "no control characters"
	case text == "":
		return "a value"
	}
	switch kind {
	case "issuer":
		return checkIssuer(text)
	case "origin":
		return checkOrigin(text)
	case "listen":
		return checkListen(text)
	case "smtp":
		if _, err := mail.ParseSMTPURL(text); err != nil {
			return "an SMTP URL: " + oneLineOf(err)
		}
	case "mongodb":
		if !strings.HasPrefix(text, "mongodb://") && !strings.HasPrefix(text, "mongodb+srv://") {
			return "a URI such as mongodb://user:pass@host:27017/signet"
		}
	case "mailbox":
		if _, err := mail.ParseFrom(text); err != nil {
			return "an address such as signet@example.org or Signet <signet@example.org>"
		}
	case "audience":
		if strings.ContainsAny(text, " \t") || len(text) > 255 {
			return "names or URLs without spaces, of at most 255 bytes"
		}
	case "label":
		if len(text) > 32 || strings.TrimRight(text, " ") != text {
			return "a token's label: at most 32 bytes, without a space at the end"
		}
	case "path", "pin":
	default:
		panic("no check for kind " + kind) // as in parseValue
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }

// checkIssuer: verifiers compare the issuer byte for byte, so that there is one way to write it (OIDC Discovery, section 3; RFC 8414,
// section 2, less the path).
func checkIssuer(text string) string {
	const expected = "https://host[:port], or http:// on loopback: lower case, no path, query, fragment, user or trailing slash, no default port"
	scheme, host, ok := exactOrigin(text)
	if !ok || scheme == "http" && !isLoopbackHost(host) {
		return expected
	}
	return ""
}

// checkOrigin: a browser sends an origin in one form (RFC 6454, section 6.2), and it is compared as a string. Over plain http anybody on
// the way could act as that origin, with the user's cookies, so that only loopback may.
func checkOrigin(text string) string {
	const expected = "exact origins such as https://app.example.org (http on loopback only; lower case, no path, no default port, no wildcard)"
	scheme, host, ok := exactOrigin(text)
	if !ok || scheme == "http" && !isLoopbackHost(host) {
		return expected
	}
	return ""
}

// exactOrigin takes apart scheme://host[:port] written in its one canonical form.
func exactOrigin(text string) (scheme, host string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", "", false
	}
	if text != u.Scheme+"://"+u.Host || text != strings.ToLower(text) || strings.ContainsAny(u.Host, "@%*") {
		return "", "", false
	}
	host, port := u.Hostname(), u.Port()
	if !isHostName(host) || strings.HasSuffix(u.Host, ":") {
		return "", "", false
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", false
		}
		if u.Scheme == "https" && n == 443 || u.Scheme == "http" && n == 80 {
			return "", "", false
		}
	}
	return u.Scheme, host, true
}

// isHostName accepts an IP address or a DNS name in ASCII.
func isHostName(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == "" && a.String() == host
	}
	ascii, err := idna.Lookup.ToASCII(host)
	return err == nil && ascii == host && host != "" && len(host) <= 253 && !strings.HasSuffix(host, ".")
}

// isLoopbackHost says whether a host is this machine: 127.0.0.0/8, ::1, localhost (RFC 6761, section 6.3).
func isLoopbackHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func checkListen(text string) string {
	const expected = "an address to listen on, such as 127.0.0.1:8080 or :8080"
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return expected
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return expected
	}
	if host != "" && !isHostName(host) {
		return expected
	}
	return ""
}

// oneLineOf joins what errors.Join put on lines of their own.
func oneLineOf(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
