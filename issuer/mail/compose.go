package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signet/issuer"
)

// Composer lays letters out in the name of one issuer. The zero value is not usable. Safe for concurrent use.
type Composer struct {
	name   string
	domain string
	*library
}

// NewComposer writes for an issuer URL, which letters call by its host. Files of the folder dir replace built-in texts and layouts (docs/mail.md);
// "" is no folder. All that is in it is tried: an error names the file and the line.
func NewComposer(issuerURL, dir string) (Composer, error) {
	u, err := url.Parse(issuerURL)
	if err != nil || u.Hostname() == "" {
		return Composer{}, fmt.Errorf("mail: issuer %q is not a URL with a host", issuerURL)
	}
	c := Composer{name: u.Hostname(), domain: u.Hostname()}
	if strings.Contains(c.domain, ":") {
		c.domain = "localhost" // an IPv6 literal has no place in a dot-atom
	}
	if c.library, err = loadLibrary(dir); err != nil {
		return Composer{}, err
	}
	if dir != "" {
		if err := c.tryAll(dir); err != nil {
			return Composer{}, err
		}
	}
	return c, nil
}

// CheckTemplates says what is wrong with a folder of texts and layouts, as NewComposer would for any issuer. "" is no folder.
func CheckTemplates(dir string) error {
	_, err := NewComposer("https://id.example.org", dir)
	return err
}

// page is what the layouts are filled with: finished sentences in one language. docs/mail.md promises every field.
type page struct {
	Kind, Name                                    string
	Language, Direction                           string
	Subject, Title, Code, Opening, NotYou, Footer string
	Body, Facts                                   []string
}

// Compose lays out the letter of the mail id in l.Locale, else in English. The same id gives the same Message-ID. It
// fails with ErrMalformed for a kind it doesn't know and for fields that can't be a mail.
func (c Composer) Compose(id string, date time.Time, l issuer.Letter) (Message, error) {
	p := c.languages.lookup(l.Locale)
	code, err := codeOf(l)
	if err != nil {
		return Message{}, err
	}
	fill := strings.NewReplacer("{code}", code, "{name}", c.name).Replace
	w, ok := p.wording(l.Kind, fill)
	if !ok {
		return Message{}, fmt.Errorf("%w: unknown kind of letter %q", ErrMalformed, l.Kind)
	}
	view := page{
		Kind: string(l.Kind), Name: c.name, Language: p.say("language"), Direction: p.direction(), Code: code,
		Subject: w.Subject, Title: w.Title, Opening: w.Opening, NotYou: w.NotYou, Footer: p.say("footer", "name", c.name), Facts: facts(p, l),
	}
	if code != "" && l.ExpiresIn > 0 {
		view.Body = append(view.Body, validity(p, l))
	}
	view.Body = append(view.Body, w.Body...)
	textLayout, htmlLayout := c.layouts(l.Kind)
	var text, html strings.Builder
	if err := textLayout.Execute(&text, view); err != nil {
		return Message{}, fmt.Errorf("mail: text layout: %w", err)
	}
	if err := htmlLayout.Execute(&html, view); err != nil {
		return Message{}, fmt.Errorf("mail: HTML layout: %w", err)
	}
	m := Message{
		To: l.To, Subject: w.Subject, Text: text.String(), HTML: html.String(),
		MessageID: c.messageID(id), Date: date, Code: code,
	}
	return m, m.check()
}

// codeOf is the letter's code: there when the kind carries one, and of a form that stays one number however it is shown.
func codeOf(l issuer.Letter) (string, error) {
	if !carriesCode(l.Kind) {
		return "", nil
	}
	if l.Code == "" || strings.ContainsFunc(l.Code, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", fmt.Errorf("%w: a %s letter needs a code of digits", ErrMalformed, l.Kind)
	}
	return l.Code, nil
}

// messageID tells nothing of the mail's id, which names a challenge or session.
func (c Composer) messageID(id string) string {
	sum := sha256.Sum256([]byte("signet message-id\x00" + id))
	return hex.EncodeToString(sum[:16]) + "@" + c.domain
}

// validity names the end rather than only a length of time: a mail that waited in the outbox would be wrong about "10 minutes".
func validity(p phrases, l issuer.Letter) string {
	ends := l.At.Add(time.Duration(l.ExpiresIn) * time.Second)
	return p.say("validity", "until", p.moment(ends), "span", span(p, l.ExpiresIn))
}

// span rounds down to whole minutes, or hours where it is a whole number of them; at least a minute.
func span(p phrases, seconds int64) string {
	minutes := max(seconds/60, 1)
	one, many, count := "minute", "minutes", minutes
	if minutes%60 == 0 {
		one, many, count = "hour", "hours", minutes/60
	}
	if count == 1 {
		return p.say(one)
	}
	return p.say(many, "count", strconv.FormatInt(count, 10))
}

// facts say what is known of whoever caused the letter. Only what a parser understood is shown: the request's own words
// are a stranger's, and the letter must not carry them to the owner of the address.
func facts(p phrases, l issuer.Letter) []string {
	var lines []string
	if l.UserAgent != "" || l.IP != "" {
		lines = append(lines, p.say("device", "device", describeDevice(p, l.UserAgent)))
	}
	if ip, err := netip.ParseAddr(l.IP); err == nil && ip.Zone() == "" {
		lines = append(lines, p.say("network_address", "ip", ip.Unmap().String()))
	}
	if !l.At.IsZero() {
		lines = append(lines, p.say("time", "time", p.moment(l.At)))
	}
	return lines
}
