package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func TestConsolePrintsAndKeeps(t *testing.T) {
	var out strings.Builder
	var mailbox Mailbox
	m := testMessage()
	m.Text = "123456 is your code für 漢字.\n\x1b[31mred\n" + strings.Repeat("wide ", 30) + "\n"
	if err := NewConsole(&out, &mailbox).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	printed := out.String()
	for _, want := range []string{"ada@example.org", "123456 is your example.org code", "123456 is your code", "not sent"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not printed:\n%s", want, printed)
		}
	}
	if strings.ContainsRune(printed, '\x1b') {
		t.Error("an escape sequence reached the terminal")
	}
	width := 0
	for line := range strings.SplitSeq(strings.TrimSpace(printed), "\n") {
		if n := utf8.RuneCountInString(line); width == 0 {
			width = n
		} else if n != width {
			t.Errorf("the box is torn at %q", line)
		}
	}
	list := mailbox.List()
	if len(list) != 1 || list[0].Code != "123456" || list[0].Text != m.Text {
		t.Fatalf("the mailbox has %+v", list)
	}
	raw, err := json.Marshal(list[0])
	if err != nil || !strings.HasPrefix(string(raw), `{"to":"ada@example.org","subject":"123456 is your example.org code","text":"`) ||
		!strings.HasSuffix(string(raw), `"code":"123456","at":"2026-01-02T14:22:31Z"}`) {
		t.Errorf("as JSON: %s, %v", raw, err)
	}
}

func TestConsoleHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var mailbox Mailbox
	if err := NewConsole(new(strings.Builder), &mailbox).Send(ctx, testMessage()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(mailbox.List()) != 0 {
		t.Error("a mail was kept")
	}
}

func TestMailboxKeepsTheNewest(t *testing.T) {
	var b Mailbox
	if list := b.List(); list == nil || len(list) != 0 {
		t.Fatalf("an empty mailbox lists %v", list)
	}
	for i := range mailboxSize + 10 {
		b.Add(Entry{Code: fmt.Sprint(i)})
	}
	list := b.List()
	if len(list) != mailboxSize || list[0].Code != fmt.Sprint(mailboxSize+9) || list[mailboxSize-1].Code != "10" {
		t.Errorf("%d mails from %s to %s", len(list), list[0].Code, list[len(list)-1].Code)
	}
}

func TestConsoleAndMailboxTakeManyAtOnce(t *testing.T) {
	var out strings.Builder
	var mailbox Mailbox
	sender := NewConsole(&out, &mailbox)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := sender.Send(t.Context(), testMessage()); err != nil {
				t.Error(err)
			}
			mailbox.List()
		})
	}
	all.Wait()
	if n := len(mailbox.List()); n != 20 {
		t.Errorf("%d mails", n)
	}
}
