package mail

import (
	"sync"
	"time"
)

// mailboxSize is how many mails the development mailbox keeps.
const mailboxSize = 200

// Entry is a mail in the development mailbox, as GET /dev/mailbox shows it.
type Entry struct {
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	Code    string    `json:"code"` // "" for none
	At      time.Time `json:"at"`
}

// Mailbox keeps the last mails of a development server in memory. The zero value is empty and ready. Safe for concurrent use.
type Mailbox struct {
	mu    sync.Mutex
	ring  [mailboxSize]Entry
	added int
}

// Add puts a mail on top; the oldest falls out when the mailbox is full.
func (b *Mailbox) Add(e Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ring[b.added%mailboxSize] = e
	b.added++
}

// List returns the mails, newest first; never nil.
func (b *Mailbox) List() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Entry, 0, min(b.added, mailboxSize))
	for i := b.added - 1; i >= 0 && len(list) < mailboxSize; i-- {
		list = append(list, b.ring[i%mailboxSize])
	}
	return list
}
