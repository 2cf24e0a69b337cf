package mail

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

type console struct {
	mu      sync.Mutex
	out     io.Writer
	mailbox *Mailbox
}

// NewConsole makes a Sender for development: it prints every mail, code and all, to out and keeps it in mailbox (nil: not).
// Never for production, where it would put codes into the log.
func NewConsole(out io.Writer, mailbox *Mailbox) Sender {
	return &console{out: out, mailbox: mailbox}
}

// Send prints one boxed mail in a single write, so that log lines don't tear it.
func (c *console) Send(ctx context.Context, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mailbox != nil {
		c.mailbox.Add(Entry{To: m.To, Subject: m.Subject, Text: m.Text, Code: m.Code, At: m.Date})
	}
	if _, err := io.WriteString(c.out, box(m)); err != nil {
		return fmt.Errorf("mail: console: %w", err)
	}
	return nil
}

// boxWidth is the inner width that shorter boxes are filled up to; longer lines widen the box.
const boxWidth = 64

func box(m Message) string {
	lines := []string{"To:      " + m.To, "Subject: " + m.Subject, ""}
	lines = append(lines, strings.Split(strings.TrimRight(m.Text, "\n"), "\n")...)
	width := boxWidth
	for i, line := range lines {
		lines[i] = strings.Map(printable, line)
		width = max(width, utf8.RuneCountInString(lines[i]))
	}
	title := " MAIL (development: not sent) "
	var b strings.Builder
	fmt.Fprintf(&b, "\n╔%s%s╗\n", title, strings.Repeat("═", width+2-len(title)))
	for _, line := range lines {
		fmt.Fprintf(&b, "║ %s%s ║\n", line, strings.Repeat(" ", width-utf8.RuneCountInString(line)))
	}
	fmt.Fprintf(&b, "╚%s╝\n\n", strings.Repeat("═", width+2))
	return b.String()
}

// printable drops what a terminal would obey.
func printable(r rune) rune {
	if isControl(r) {
		return -1
	}
	return r
}
