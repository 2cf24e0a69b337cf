package mail

import (
	"strings"
	"time"

	"signet/issuer"
)

// fallback is the language of a letter that names none, or one that is not spoken here.
const fallback = "en"

// kinds are the letters that every language has words for.
var kinds = []issuer.LetterKind{
	issuer.LetterCode, issuer.LetterWelcome, issuer.LetterStepUp, issuer.LetterReset, issuer.LetterEmailCode, issuer.LetterTaken, issuer.LetterReuse,
	issuer.LetterEmailChange, issuer.LetterPasswordChanged, issuer.LetterInvite, issuer.LetterDeleted, issuer.LetterMailTest,
}

// carriesCode says whether a kind of letter is there to bring a code.
func carriesCode(k issuer.LetterKind) bool {
	switch k {
	case issuer.LetterCode, issuer.LetterWelcome, issuer.LetterStepUp, issuer.LetterReset, issuer.LetterEmailCode:
		return true
	}
	return false
}

// phrases is everything that letters say in one language, by name (`validity`, `letters.code.subject`): plain text, with {names} that are filled
// in. What can be several paragraphs, and the months, are lists; all else is a list of one. English says which names there are.
type phrases map[string][]string

// say is one phrase, its {names} filled in: pairs of name and value.
func (p phrases) say(name string, fill ...string) string {
	text := strings.Join(p[name], " ")
	for i := range fill {
		if i%2 == 0 {
			fill[i] = "{" + fill[i] + "}"
		}
	}
	return strings.NewReplacer(fill...).Replace(text)
}

// direction is that of the language's script, for the dir attribute.
func (p phrases) direction() string { return p.say("direction") }

// wording is what one kind of letter says. The opening begins with the code, so that previews show it and no other number (in a host name, say) can be
// taken for it; so does the subject, save that of a reset: whoever reads a subject there, on a locked screen or in the log of a relay, could take
// an account without knowing anything else.
type wording struct {
	Subject, Title, Opening, NotYou string
	Body                            []string
}

// wording finds what a kind of letter says; false for a kind that this release doesn't know.
func (p phrases) wording(k issuer.LetterKind, fill func(string) string) (wording, bool) {
	of := "letters." + string(k) + "."
	if len(p[of+"subject"]) == 0 {
		return wording{}, false
	}
	say := func(name string) string { return fill(p.say(of + name)) }
	w := wording{Subject: say("subject"), Title: say("title"), Opening: say("opening"), NotYou: say("not_you")}
	for _, paragraph := range p[of+"body"] {
		w.Body = append(w.Body, fill(paragraph))
	}
	return w, true
}

// moment writes a time as the language does, to the minute and in UTC: the reader's own zone is not known.
func (p phrases) moment(t time.Time) string {
	t = t.UTC()
	return p.say("moment", "day", t.Format("2"), "month", p["months"][t.Month()-1], "year", t.Format("2006"), "clock", t.Format("15:04"))
}

// languages holds phrases by lower-case language tag.
type languages map[string]phrases

// lookup is that of RFC 4647 section 3.4: the tag, then the tag without its last subtag, and so on; else English. Traditional Chinese so comes to the
// simplified, which its readers can read sooner than English.
func (l languages) lookup(locale string) phrases {
	tag := strings.ToLower(strings.ReplaceAll(locale, "_", "-"))
	for tag != "" {
		if p, ok := l[tag]; ok {
			return p
		}
		cut := strings.LastIndexByte(tag, '-')
		if cut < 0 {
			break
		}
		tag = tag[:cut]
	}
	return l[fallback]
}
