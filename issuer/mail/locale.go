package mail

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"signet/issuer"
)

// fallback is the language of a letter that names none, or one that is not spoken here.
const fallback = "en"

// phrases is everything that letters say in one language: plain text, with {names} that are filled in. A new language is
// one more file in locales.
type phrases struct {
	Language  string `json:"language"`  // BCP 47, for the lang attribute
	Direction string `json:"direction"` // ltr or rtl

	Code     wording `json:"code"`
	Welcome  wording `json:"welcome"`
	Taken    wording `json:"taken"`
	Reuse    wording `json:"reuse"`
	MailTest wording `json:"mailtest"`

	Validity string `json:"validity"` // {until}, {span}
	Minute   string `json:"minute"`   // spans: one, and {count} of them
	Minutes  string `json:"minutes"`
	Hour     string `json:"hour"`
	Hours    string `json:"hours"`

	Device        string `json:"device"`          // {device}
	DeviceOn      string `json:"device_on"`       // {app}, {system}
	DeviceUnknown string `json:"device_unknown"`  // when nothing is known of it
	Address       string `json:"network_address"` // {ip}
	Time          string `json:"time"`            // {time}
	Footer        string `json:"footer"`          // {name}
}

// wording is what one kind of letter says. Where there is a code, subject and opening begin with it, so that no other
// number (in a host name, say) can be taken for it.
type wording struct {
	Subject string   `json:"subject"`
	Title   string   `json:"title"`
	Opening string   `json:"opening"`
	Body    []string `json:"body"`
	NotYou  string   `json:"not_you"`
}

// wording finds what a kind of letter says; false for a kind that this release doesn't know.
func (p phrases) wording(k issuer.LetterKind) (wording, bool) {
	switch k {
	case issuer.LetterCode:
		return p.Code, true
	case issuer.LetterWelcome:
		return p.Welcome, true
	case issuer.LetterTaken:
		return p.Taken, true
	case issuer.LetterReuse:
		return p.Reuse, true
	case issuer.LetterMailTest:
		return p.MailTest, true
	}
	return wording{}, false
}

//go:embed locales/*.json
var localeFiles embed.FS

// languages holds phrases by lower-case language tag.
var languages = mustLoadLanguages()

func mustLoadLanguages() map[string]phrases {
	files, err := localeFiles.ReadDir("locales")
	if err != nil {
		panic(err)
	}
	all := make(map[string]phrases, len(files))
	for _, f := range files {
		raw, err := localeFiles.ReadFile(path.Join("locales", f.Name()))
		if err != nil {
			panic(err)
		}
		var p phrases
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&p); err != nil {
			panic(fmt.Sprintf("mail: locales/%s: %v", f.Name(), err))
		}
		all[strings.ToLower(strings.TrimSuffix(f.Name(), ".json"))] = p
	}
	return all
}

// phrasesFor is the lookup of RFC 4647 section 3.4: the tag, then the tag without its last subtag, and so on.
func phrasesFor(locale string) phrases {
	tag := strings.ToLower(strings.ReplaceAll(locale, "_", "-"))
	for tag != "" {
		if p, ok := languages[tag]; ok {
			return p
		}
		cut := strings.LastIndexByte(tag, '-')
		if cut < 0 {
			break
		}
		tag = tag[:cut]
	}
	return languages[fallback]
}
