package mail

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	htmltemplate "html/template"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode/utf8"

	"signet/issuer"
)

//go:embed templates
var templateFiles embed.FS

var (
	textLayout = texttemplate.Must(texttemplate.ParseFS(templateFiles, "templates/letter.txt"))
	htmlLayout = htmltemplate.Must(htmltemplate.ParseFS(templateFiles, "templates/letter.html"))
)

// timeLayout is read alike in every language.
const timeLayout = "2006-01-02 15:04 UTC"

// Composer lays letters out in the name of one issuer. The zero value is not usable. Safe for concurrent use.
type Composer struct {
	name   string
	domain string
}

// NewComposer writes for an issuer URL. The letters call it name, or by its host when name is "".
func NewComposer(issuerURL, name string) (Composer, error) {
	u, err := url.Parse(issuerURL)
	if err != nil || u.Hostname() == "" {
		return Composer{}, fmt.Errorf("mail: issuer %q is not a URL with a host", issuerURL)
	}
	if name == "" {
		name = u.Hostname()
	}
	if strings.ContainsFunc(name, isControl) || !utf8.ValidString(name) || utf8.RuneCountInString(name) > 60 {
		return Composer{}, fmt.Errorf("mail: the name in letters must be at most 60 characters on one line")
	}
	domain := u.Hostname()
	if strings.Contains(domain, ":") {
		domain = "localhost" // an IPv6 literal has no place in a dot-atom
	}
	return Composer{name: name, domain: domain}, nil
}

// page is what the layouts are filled with: finished sentences in one language.
type page struct {
	Language, Direction                  string
	Title, Code, Opening, NotYou, Footer string
	Body, Facts                          []string
}

// Compose lays out the letter of the mail id in l.Locale, else in English. The same id gives the same Message-ID. It
// fails with ErrMalformed for a kind it doesn't know and for fields that can't be a mail.
func (c Composer) Compose(id string, date time.Time, l issuer.Letter) (Message, error) {
	p := phrasesFor(l.Locale)
	w, ok := p.wording(l.Kind)
	if !ok {
		return Message{}, fmt.Errorf("%w: unknown kind of letter %q", ErrMalformed, l.Kind)
	}
	code, err := codeOf(l)
	if err != nil {
		return Message{}, err
	}
	fill := strings.NewReplacer("{code}", code, "{name}", c.name).Replace
	view := page{
		Language: p.Language, Direction: p.Direction, Code: code,
		Title: fill(w.Title), Opening: fill(w.Opening), NotYou: fill(w.NotYou), Footer: fill(p.Footer),
		Facts: facts(p, l),
	}
	if code != "" && l.ExpiresIn > 0 {
		view.Body = append(view.Body, validity(p, l))
	}
	for _, paragraph := range w.Body {
		view.Body = append(view.Body, fill(paragraph))
	}
	var text, html strings.Builder
	if err := textLayout.Execute(&text, view); err != nil {
		return Message{}, fmt.Errorf("mail: text layout: %w", err)
	}
	if err := htmlLayout.Execute(&html, view); err != nil {
		return Message{}, fmt.Errorf("mail: HTML layout: %w", err)
	}
	m := Message{
		To: l.To, Subject: fill(w.Subject), Text: text.String(), HTML: html.String(),
		MessageID: c.messageID(id), Date: date, Code: code,
	}
	return m, m.check()
}

// codeOf is the letter's code: there when the kind carries one, and of a form that stays one number however it is shown.
func codeOf(l issuer.Letter) (string, error) {
	carries := l.Kind == issuer.LetterCode || l.Kind == issuer.LetterWelcome
	if !carries {
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
	return strings.NewReplacer("{until}", ends.UTC().Format(timeLayout), "{span}", span(p, l.ExpiresIn)).Replace(p.Validity)
}

// span rounds down to whole minutes, or hours where it is a whole number of them; at least a minute.
func span(p phrases, seconds int64) string {
	minutes := max(seconds/60, 1)
	one, many, count := p.Minute, p.Minutes, minutes
	if minutes%60 == 0 {
		one, many, count = p.Hour, p.Hours, minutes/60
	}
	if count == 1 {
		return one
	}
	return strings.ReplaceAll(many, "{count}", strconv.FormatInt(count, 10))
}

// facts say what is known of whoever caused the letter. Only what a parser understood is shown: the request's own words
// are a stranger's, and the letter must not carry them to the owner of the address.
func facts(p phrases, l issuer.Letter) []string {
	var lines []string
	if l.UserAgent != "" || l.IP != "" {
		lines = append(lines, strings.ReplaceAll(p.Device, "{device}", describeDevice(p, l.UserAgent)))
	}
	if ip, err := netip.ParseAddr(l.IP); err == nil && ip.Zone() == "" {
		lines = append(lines, strings.ReplaceAll(p.Address, "{ip}", ip.Unmap().String()))
	}
	if !l.At.IsZero() {
		lines = append(lines, strings.ReplaceAll(p.Time, "{time}", l.At.UTC().Format(timeLayout)))
	}
	return lines
}
