package mail

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

// How to write the URL, for every error below. None of them repeats a part of it: when a password with `/`, `#` or `@` is
// not percent-encoded, its pieces turn up as host, port or path.
const urlForm = "smtp://user:password@host:587 or smtps://user:password@host:465 (percent-encode special characters in user and password)"

// ParseSMTPURL reads `smtp://` (RFC 6409, STARTTLS) and `smtps://` (RFC 8314 section 3.3, TLS from the start). The port
// defaults to 587 and 465; `?auth=plain` or `?auth=login` names a mechanism, otherwise the server's offer decides. Errors list
// everything that is wrong and never repeat any of it.
func ParseSMTPURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The cause is left out: url.Error quotes the whole URL.
		return nil, errors.New("not a URL of the form " + urlForm)
	}
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("must begin with smtp:// or smtps://, like " + urlForm)
	}
	if u.Hostname() == "" || strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		refuse("names no host (ASCII; international names as xn--...)")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			refuse("the port is not between 1 and 65535")
		}
	}
	if (u.Path != "" && u.Path != "/") || u.Fragment != "" || u.Opaque != "" {
		refuse("nothing but ?auth= may follow host and port; expected %s", urlForm)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		if u.User.Username() == "" || password == "" {
			refuse("user and password come together or not at all")
		}
		if strings.ContainsFunc(u.User.Username()+password, isControl) {
			refuse("user or password has control characters")
		}
	}
	if err := checkQuery(u); err != nil {
		wrong = append(wrong, err)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return u, nil
}

func checkQuery(u *url.URL) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q) > 1 || len(q) == 1 && len(q["auth"]) != 1 {
		return errors.New("the only parameter is ?auth=, once")
	}
	switch q.Get("auth") {
	case "", "auto":
		return nil
	case "plain", "login":
		if u.User == nil {
			return errors.New("?auth= needs a user and a password")
		}
		return nil
	}
	return errors.New("?auth= is one of auto, plain, login")
}

// ParseFrom reads the sender of all mail: `address` or `Name <address>` (RFC 5322 section 3.4), the address in ASCII.
func ParseFrom(raw string) (*mail.Address, error) {
	from, err := mail.ParseAddress(raw)
	if err != nil {
		return nil, fmt.Errorf("not an address like `Name <name@example.org>`: %w", err)
	}
	if strings.ContainsFunc(raw, isControl) || strings.ContainsFunc(from.Name, isControl) {
		return nil, errors.New("the sender has control characters")
	}
	if err := checkAddress(from.Address); err != nil {
		return nil, fmt.Errorf("the sender's address: %w", err)
	}
	return from, nil
}

// hostPort is where to connect.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// isLoopback says whether the host is this machine by its name (RFC 6761 section 6.3) or address: no resolver is asked, since
// one could be made to answer so.
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
