package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"signet/issuer"
	"signet/issuer/mail"
)

// mailSettings are what sending a mail needs.
var mailSettings = []string{"issuer", "smtp_url", "mail_from", "mail_templates"}

// mailTestTime bounds the dialogue, as a server's lease on a mail does.
const mailTestTime = 30 * time.Second

func newMailTest(p *program) *cobra.Command {
	var (
		kind, locale string
		asJSON       bool
	)
	c := &cobra.Command{
		Use:   "mail-test ADDRESS",
		Short: "send one mail by the configured mail server, and say what happened",
		Long: `Send one mail by SIGNET_SMTP_URL, as the server would, and say what the mail server answered. No store
is needed. With --kind it is laid out as that letter, with a code that opens nothing.`,
		Args: oneArg("the address to send to"),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(mail.Kinds(), issuer.LetterKind(kind)) {
				return misused("--kind is one of %s", joinedKinds())
			}
			to, err := issuer.CanonicalEmail(args[0])
			if err != nil {
				return misused("the address: %v", err)
			}
			l, err := p.configuration(c, mailSettings)
			if err != nil {
				return err
			}
			switch {
			case l.Issuer == "":
				return errors.New("SIGNET_ISSUER is not set: mails are sent in its name")
			case l.SMTPURL == "":
				return errors.New("SIGNET_SMTP_URL is not set: it names the mail server")
			}
			ctx, stop := untilSignal(c.Context())
			defer stop()
			return p.mailTest(ctx, &l.Config, mail.Sample(issuer.LetterKind(kind), to, locale, time.Now()), asJSON)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&kind, "kind", string(issuer.LetterMailTest), "which letter: "+joinedKinds())
	flags.StringVar(&locale, "locale", "", "in which language, such as de or zh-Hant; English where it is not spoken")
	flags.BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, mailSettings)
	return c
}

func joinedKinds() string {
	var names []string
	for _, k := range mail.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// mailTested is the answer of mail-test. What does not apply is null.
type mailTested struct {
	Accepted  bool   `json:"accepted"`
	To        string `json:"to"`
	From      string `json:"from"`
	Subject   string `json:"subject"`
	MessageID string `json:"message_id"`
	mail.Dialogue
	Stage *string `json:"stage"` // where it failed
	Error *string `json:"error"`
	Reply *string `json:"reply"` // the server's refusal, in its words
}

func (p *program) mailTest(ctx context.Context, c *Config, l issuer.Letter, asJSON bool) error {
	composer, err := mail.NewComposer(c.Issuer, c.MailTemplates)
	if err != nil {
		return err
	}
	m, err := composer.Compose("mail-test:"+rand.Text(), l.At, l)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailTestTime)
	defer cancel()
	dialogue, err := mail.Try(ctx, mail.SMTPConfig{URL: c.SMTPURL, From: c.MailFrom}, m)
	if dialogue.Server == "" && err != nil {
		return err
	}
	done := mailTested{Accepted: err == nil, To: m.To, From: c.MailFrom, Subject: m.Subject, MessageID: m.MessageID, Dialogue: dialogue}
	if err != nil {
		done.blame(err)
	}
	if asJSON {
		if err := writeJSON(p.out, done); err != nil {
			return err
		}
	} else {
		done.print(p)
	}
	if !done.Accepted {
		return errReported
	}
	return nil
}

// blame says where it failed.
func (t *mailTested) blame(err error) {
	text := oneLineOf(err)
	t.Error = &text
	var f *mail.Failure
	if errors.As(err, &f) {
		stage := string(f.Stage)
		t.Stage, t.Reply = &stage, textOrNull(f.Reply)
	}
}

func (t mailTested) print(p *program) {
	fmt.Fprintf(p.out, "server:   %s (%s)\n", t.Server, textOr(t.Peer, "no connection"))
	switch {
	case t.TLS != "" && t.STARTTLS:
		fmt.Fprintf(p.out, "TLS:      %s, by STARTTLS\n", t.TLS)
	case t.TLS != "":
		fmt.Fprintf(p.out, "TLS:      %s, from the start\n", t.TLS)
	case t.Greeted:
		fmt.Fprintln(p.out, "TLS:      none, which is taken on loopback alone")
	}
	if t.Authenticated {
		fmt.Fprintln(p.out, "login:    accepted")
	}
	fmt.Fprintf(p.out, "from:     %s\nto:       %s\nsubject:  %s\nid:       <%s>\n", t.From, t.To, t.Subject, t.MessageID)
	if t.Accepted {
		fmt.Fprintf(p.out, "accepted: %s\n", plainLine(t.Answer))
		return
	}
	fmt.Fprintf(p.out, "failed:   %s\n", *t.Error)
	if t.Reply != nil {
		fmt.Fprintf(p.out, "it said:  %s\n", plainLine(*t.Reply))
	}
}

func textOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// plainLine is what a stranger's server said, on one line and without what a terminal would obey.
func plainLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
}
